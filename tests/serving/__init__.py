"""Around every request, and what is seen from outside."""
