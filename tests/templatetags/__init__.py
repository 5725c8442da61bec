"""The dashboard and the admin site in a real Chromium, against a real Daphne: `make browser`."""
