"""Rules through the API."""
