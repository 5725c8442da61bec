"""The notifications as an application of Django's."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "transactions.notifications"
    label = "notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Once the models are loaded, in every process."""
        from . import audited

        audited.connect_signals()
