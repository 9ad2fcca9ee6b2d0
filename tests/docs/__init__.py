"""The documentation and what is made for it."""
