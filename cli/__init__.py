"""The console script `receipts`: one command a file."""
