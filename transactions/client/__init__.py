"""What the commands that post do, as a client of the API."""
