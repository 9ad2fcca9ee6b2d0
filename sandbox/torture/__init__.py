"""Proof under faults: traffic, a nemesis that breaks the stack meanwhile, and the answer key at the end."""
