"""Read API and web page."""
