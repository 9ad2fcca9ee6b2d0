"""The demo: simulated webhooks through the whole stack, what a user sees of them, and the proof that it is right."""
