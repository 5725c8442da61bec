"""Alerts as the API and the pages take and show them."""
