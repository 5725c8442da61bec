"""The dashboard: its page and its figures."""
