"""The notifications as an application of Django's."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "transactions.notifications"
    label = "notifications"
    default_auto_field = "django.db.models.BigAutoField"
