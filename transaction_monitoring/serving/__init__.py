"""Around every request: its bounds, its name, its headers and its errors."""
