"""A migration that makes its indexes beside the running system may be interrupted, and is run again."""

import re
from typing import Any

import psycopg2
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tests.support.serving import database_url
from transactions import apps

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = re.compile(r'CREATE INDEX CONCURRENTLY (?:IF NOT EXISTS )?"?(\w+)"? ON "?(\w+)"?')
# Purpose: all indexes by name, as they were made, and whether they are whole.
SELECT_INDEXES = """
    SELECT relname, pg_get_indexdef(oid), indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid
     WHERE relnamespace = 'public'::regnamespace ORDER BY relname
"""
# Purpose: all constraints, as they were made.
SELECT_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""


class Interruptions:
    """Somebody writes to a table just when an index is to be made there, and is not done in time: once for
    each index.
    """

    def __init__(self) -> None:
        self.indexes: list[str] = []
        self._writer: Any = None

    def __call__(self, execute: Any, sql: Any, parameters: Any, many: bool, context: dict[str, Any]) -> Any:
        found = CREATE.search(str(sql))
        if found and found[1] not in self.indexes:
            self.indexes.append(found[1])
            self._writer = psycopg2.connect(database_url())
            with self._writer.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {found[2]} IN ROW EXCLUSIVE MODE")
        return execute(sql, parameters, many, context)

    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def before_the_first() -> list[tuple[str, str]]:
    """Of each of our applications the last migration before those that are no transaction."""
    disk = MigrationLoader(connection).disk_migrations
    found: dict[str, str] = {}
    for (app, name), migration in sorted(disk.items()):
        ours = type(migration).__module__.startswith("transactions.")
        if ours and not migration.atomic and app not in found:
            before = [other for (of, other) in disk if of == app and other < name]
            found[app] = max(before)
    return list(found.items())


def constraints() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_CONSTRAINTS)
        return list(cursor.fetchall())


def indexes() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_INDEXES)
        return list(cursor.fetchall())


def test_whichever_index_it_is_interrupted_at_it_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "MIGRATION_LOCK_MS", 200)
    whole, kept, interruptions, times = indexes(), constraints(), Interruptions(), 0
    assert all(valid for _, _, valid in whole)
    targets = before_the_first()
    assert {app for app, _ in targets} >= {"transactions", "rules", "alerts", "audit"}
    try:
        for app, name in targets:
            call_command("migrate", app, name, verbosity=0)
        with connection.execute_wrapper(interruptions):
            for _ in range(100):
                try:
                    call_command("migrate", verbosity=0)
                    break
                except OperationalError:
                    times += 1
                    (left,) = [name for name, _, valid in indexes() if not valid]
                    assert left == interruptions.indexes[-1]
                finally:
                    interruptions.end()
    finally:
        # With all that the failed migration has set.
        connection.close()
        call_command("migrate", verbosity=0)
    assert times == len(interruptions.indexes) >= 18
    assert (indexes(), constraints()) == (whole, kept)


@pytest.mark.parametrize(("note", "there"), [("record_applied", False), ("record_unapplied", True)])
def test_one_that_is_killed_before_it_is_noted_has_done_nothing(
    note: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There and back: with foreign keys Django alone would note it after its commit."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    def saved_views() -> bool:
        return "transactions_savedview" in connection.introspection.table_names()

    try:
        call_command("migrate", "transactions", "0013" if there else "0012", verbosity=0)
        with monkeypatch.context() as patch:
            patch.setattr(MigrationRecorder, note, killed)
            with pytest.raises(KeyboardInterrupt):
                call_command("migrate", "transactions", "0012" if there else "0013", verbosity=0)
        assert saved_views() == there
    finally:
        call_command("migrate", verbosity=0)
    assert saved_views()


def test_an_index_to_be_dropped_that_is_not_there_under_its_name_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call_command("migrate", "rules", "0014", verbosity=0)
    try:
        with connection.cursor() as cursor:
            cursor.execute("ALTER INDEX rules_hit_alert_id_3abb5431 RENAME TO by_hand")
        call_command("migrate", verbosity=0)
        assert caplog.messages == [
            "No index rules_hit_alert_id_3abb5431 of rules_hit to drop: "
            "it has gone already, or is called otherwise here."
        ]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX IF EXISTS by_hand")
        call_command("migrate", verbosity=0)
