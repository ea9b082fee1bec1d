"""Programs around svod: the command line, generated documentation, measuring. May import anything; nothing imports this package."""
