"""Clients of the API: ours, and those of the documents."""
