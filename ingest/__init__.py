"""The HTTP ingress: verify, split, publish durably."""
