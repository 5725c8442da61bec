"""Connections of our own."""
