"""Safeguards, by the room whose tests are to notice where one is taken out; see tests/faults/mutations.py."""
