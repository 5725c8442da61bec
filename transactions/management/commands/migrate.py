"""`migrate` as Django's, but that a migration and the note that it is applied are one transaction.

Django notes one that makes foreign keys only after its commit, and likewise any that is undone: whoever was
killed in between had tables that the next `migrate` made again, and failed at.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from django.core.management.commands import migrate
from django.db import transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor


class AllOrNothing(MigrationExecutor):
    """One that is no transaction on purpose is none here either: such are safe to be run again."""

    def apply_migration(self, state: Any, migration: Migration, *arguments: Any, **more: Any) -> Any:
        with self._whole(migration):
            return super().apply_migration(state, migration, *arguments, **more)

    def unapply_migration(self, state: Any, migration: Migration, *arguments: Any, **more: Any) -> Any:
        with self._whole(migration):
            return super().unapply_migration(state, migration, *arguments, **more)

    def _whole(self, migration: Migration) -> AbstractContextManager[None]:
        if not migration.atomic:
            return nullcontext()
        return cast("AbstractContextManager[None]", transaction.atomic(using=self.connection.alias))


# The command names its executor nowhere else.
migrate.MigrationExecutor = AllOrNothing  # type: ignore[attr-defined]


class Command(migrate.Command):
    """Django's, with that executor."""
