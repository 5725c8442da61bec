"""The application's configuration."""

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from . import checks
from .admin_site import form_faults
from .stores.postgres_parameters import begin

# Milliseconds for which a migration waits for a lock: everybody else waits behind it.
MIGRATION_LOCK_MS = 5_000


class TransactionsConfig(AppConfig):
    name = "transactions"
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Before anybody declares a form.
        form_faults.say()

    def ready(self) -> None:
        """Once the models are loaded, in every process: what is to be called when something happens."""
        from .access import audited, token_checks
        from .live import alert_frames
        from .metrics import counters
        from .stores import confirmation

        register(checks.nothing_open_in_production, Tags.security, deploy=True)
        register(checks.sessions_are_ours, Tags.database)
        register(checks.standbys_are_heard, Tags.database)
        token_checks.connect_signals()
        audited.connect_signals()
        confirmation.watchers.append(counters.confirmed)
        alert_frames.made_by(_how_alerts_stand)
        connection_created.connect(begin)
        pre_migrate.connect(_bound_locks, sender=self)
        post_migrate.connect(_unbound_locks, sender=self)


def _how_alerts_stand() -> Mapping[str, object]:
    """For frames. Loaded by the first: a worker, or a command, makes none."""
    from .dashboard.alerts import shared_alerts

    return shared_alerts.anew()


def _bound_locks(using: str, **_: Any) -> None:
    """A migration that does not get its lock fails, to be run again, and holds nobody up."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(MIGRATION_LOCK_MS)])


def _unbound_locks(using: str, **_: Any) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute("RESET lock_timeout")
