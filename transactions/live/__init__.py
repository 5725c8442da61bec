"""Showing: what is accepted, on websockets, as it is accepted."""
