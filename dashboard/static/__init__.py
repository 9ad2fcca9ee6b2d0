"""What the browser gets: pages, style and modules, nothing from elsewhere."""
