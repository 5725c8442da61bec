"""Alerts through the API: the queue, steps, explanations, and how rules perform."""
