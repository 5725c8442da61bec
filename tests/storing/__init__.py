"""From the queue to rows."""
