"""Storing: from the queue to rows of PostgreSQL, exactly once, and what happens when no tick comes."""
