"""What the stages share in Redis."""
