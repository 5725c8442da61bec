"""Migrations: none locks a table of any size for long, and none waits for its lock for long."""

import ast
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AddField,
    AddIndex,
    AlterField,
    CreateModel,
    RunSQL,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation
from django.utils import timezone

from tests.support.serving import ROOT, database_url
from transactions import apps
from transactions.models import Epoch
from transactions.stores.concurrent_indexes import IndexBesideModels

# Where they begin to matter: these made the tables, which nobody used yet.
FIRST = {"0001_initial", "0002_rollup_triggers"}
# What takes its lock for a moment, however many rows there are.
SHORT = (
    CreateModel,
    AddIndexConcurrently,
    IndexBesideModels,
    RemoveIndexConcurrently,
    AddConstraintNotValid,
    ValidateConstraint,
    SeparateDatabaseAndState,
)


def is_short(operation: Operation) -> bool:
    """Whether an operation is of those that hold a lock for a moment only.

    A new column is, with NULL or a default of the database's: PostgreSQL writes no row for it. SQL of
    one's own says `-- short` where somebody has thought of it.
    """
    if isinstance(operation, AddField):
        field = operation.field
        indexed = field.unique or getattr(field, "db_index", False)
        return (field.null or field.has_db_default()) and not indexed
    if isinstance(operation, RunSQL):
        return "-- short" in str(operation.sql)
    return isinstance(operation, SHORT)


# PostgreSQL notes it for rows to come, and reads none.
SET_DEFAULT = re.compile(r'ALTER TABLE "\w+" ALTER COLUMN "\w+" SET DEFAULT [^;,]+;')


def sets_defaults_alone(migration: Migration) -> bool:
    """Whether all that a migration does is to give columns a default of the database's."""
    before = [dependency for dependency in migration.dependencies if dependency[0] == "transactions"]
    state = MigrationLoader(connection).project_state(before)
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        migration.apply(state, editor, collect_sql=True)
    statements = [line for line in editor.collected_sql if line and not line.startswith("--")]
    return all(SET_DEFAULT.fullmatch(line) for line in statements)


def later_migrations() -> Iterator[Migration]:
    loader = MigrationLoader(connection)
    for (app, name), migration in loader.disk_migrations.items():
        if app == "transactions" and name not in FIRST:
            yield migration


@pytest.mark.django_db
def test_no_migration_locks_a_large_table_for_long() -> None:
    long = [
        (migration.name, operation.describe())
        for migration in later_migrations()
        for operation in migration.operations
        if not is_short(operation) and not sets_defaults_alone(migration)
    ]

    assert long == []
    assert any(migration.name.startswith("0003") for migration in later_migrations())


@pytest.mark.parametrize(
    "operation",
    [
        AddIndex("transaction", models.Index(fields=["amount"], name="by_amount")),
        AlterField("transaction", "amount", models.IntegerField()),
        AddField("transaction", "kind", models.CharField(max_length=9, default="x")),
        AddField("transaction", "kind", models.CharField(max_length=9, null=True, db_index=True)),
        RunSQL("UPDATE transactions_transaction SET amount = 0"),
    ],
)
def test_one_that_would_is_found(operation: Operation) -> None:
    assert not is_short(operation)


def test_a_column_that_may_be_null_is_none() -> None:
    assert is_short(AddField("transaction", "kind", models.CharField(max_length=9, null=True)))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "short"),
    [
        (models.BigIntegerField(db_default=0), True),
        (models.DecimalField(max_digits=40, decimal_places=0, db_default=0), False),
        (models.BigIntegerField(null=True), False),
        (models.BigIntegerField(db_default=0, db_index=True), False),
    ],
)
def test_a_column_may_be_given_a_default_and_nothing_else(field: Any, short: bool) -> None:
    class Next(Migration):
        dependencies = [("transactions", "0003_api_token")]
        operations = [AlterField("epoch", "stored", field)]

    assert sets_defaults_alone(Next("9999", "transactions")) is short


@pytest.mark.django_db(transaction=True)
def test_a_row_begins_with_the_defaults_of_the_database_which_can_be_taken_back() -> None:
    insert = "INSERT INTO transactions_epoch (id) VALUES (gen_random_uuid())"
    with connection.cursor() as cursor:
        cursor.execute(insert)
    epoch = Epoch.objects.get()
    assert (epoch.accepted_seen, epoch.stored, epoch.rejected, epoch.alarm) == (0, 0, 0, "")
    assert timezone.now() - epoch.opened_at < timedelta(minutes=1)
    call_command("migrate", "transactions", "0003", verbosity=0)
    try:
        with connection.cursor() as cursor, pytest.raises(IntegrityError):
            cursor.execute(insert)
    finally:
        call_command("migrate", "transactions", verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_it_leaves_the_connection_as_it_was() -> None:
    call_command("migrate", "transactions", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.mark.django_db(transaction=True)
def test_it_gives_up_on_a_lock_that_somebody_holds_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is waited for is one that everybody after it waits for."""
    monkeypatch.setattr(apps, "MIGRATION_LOCK_MS", 300)
    reader = psycopg2.connect(database_url())
    # Ends the wait of a migration that knows no limit.
    timer = threading.Timer(20, reader.close)
    timer.start()
    try:
        with reader.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM transactions_transaction")
        with pytest.raises(OperationalError, match="lock timeout"):
            call_command("migrate", "transactions", "0001", verbosity=0)
    finally:
        timer.cancel()
        reader.close()
        # With all that the failed migration has set.
        connection.close()
        # An index that was being dropped is invalid until that is done to its end.
        call_command("migrate", "transactions", "0001", verbosity=0)
        call_command("migrate", verbosity=0)


def test_no_migration_runs_code_that_may_change() -> None:
    """But functions of models that are defaults, which Django itself writes so, and how an index is made."""
    do_not_change = (".models", ".stores.concurrent_indexes")
    found = []
    for file in sorted((ROOT / "transactions").rglob("migrations/0*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [("." * node.level) + (node.module or "")]
            ours = [name for name in names if name.startswith((".", "transaction"))]
            found += [(file.name, name) for name in ours if not name.endswith(do_not_change)]
    assert found == []
