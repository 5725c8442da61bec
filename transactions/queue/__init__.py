"""The queue in Redis: its keys, the form of a record, and what waits."""
