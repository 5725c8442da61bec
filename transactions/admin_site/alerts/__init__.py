"""The admin's pages of alerts: the queue, and an alert with all that is known of it."""
