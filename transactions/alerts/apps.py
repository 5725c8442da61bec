"""The alerts as an application of Django's."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "transactions.alerts"
    label = "alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Once the models are loaded, in every process."""
        from ..notifications import latest
        from . import telling

        latest.come_from(telling.standing)
