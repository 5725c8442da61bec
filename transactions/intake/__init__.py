"""Accepting: from a request to a durable record in Redis, and the words for what became of it."""
