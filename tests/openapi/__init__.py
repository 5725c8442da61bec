"""The schema, and the answers held against it."""
