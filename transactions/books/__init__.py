"""The books: what was accepted, and what became of it."""
