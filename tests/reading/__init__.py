"""What readers ask."""
