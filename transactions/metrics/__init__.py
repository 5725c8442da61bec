"""Counting what happens, over all processes."""
