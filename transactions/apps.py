"""The application's configuration."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate

# Milliseconds for which a migration waits for a lock: everybody else waits behind it.
MIGRATION_LOCK_MS = 5_000


class TransactionsConfig(AppConfig):
    name = "transactions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("transactions.checks")  # registers the system checks
        pre_migrate.connect(_bound_locks, sender=self)
        post_migrate.connect(_unbound_locks, sender=self)


def _bound_locks(using: str, **_: Any) -> None:
    """A migration that does not get its lock fails, to be run again, and holds nobody up."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(MIGRATION_LOCK_MS)])


def _unbound_locks(using: str, **_: Any) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute("RESET lock_timeout")
