"""The REST API: each view reads the request, calls one function, and answers."""
