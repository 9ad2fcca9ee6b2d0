"""The warehouse schema: numbered files."""
