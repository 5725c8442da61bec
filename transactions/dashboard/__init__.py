"""The dashboard: its page, its figures, and the story of one transaction."""
