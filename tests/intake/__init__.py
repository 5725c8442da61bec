"""From a request to a durable record."""
