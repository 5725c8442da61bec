"""Uploads: what is kept of a file, and each step with it."""
