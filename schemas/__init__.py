"""Event types and codecs, topics, output records."""
