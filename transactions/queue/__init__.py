"""The queue in Redis: the keys of accepted data, the form of a record, and what waits."""
