"""The channels' dimension beyond what events tell: names and types from a file or from Zoho's own list."""
