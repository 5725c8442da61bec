"""The application's configuration."""

from importlib import import_module

from django.apps import AppConfig


class TransactionsConfig(AppConfig):
    name = "transactions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("transactions.checks")  # registers the system checks
