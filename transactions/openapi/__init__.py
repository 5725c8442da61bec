"""The API as it tells itself: its calls and their shapes."""
