"""Indexes that migrations make beside the running system, and that a migration may be run again after.

Such a migration is no transaction: where it is broken off, by a lock that it does not get, Ctrl-C or a
restart of PostgreSQL, the indexes that it had made are there, and the one that it was making is there and
invalid. So one that is whole is left as it is, and what is left of another goes first. Migrations of the
past use this as well: what it makes, and what it notes in the state of the models, does not change.
"""

import logging

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

log = logging.getLogger(__name__)

GONE = "No index %s of %s to drop: it has gone already, or is called otherwise here."

# Purpose: whether an index of this name is whole; none where there is no such index.
SELECT_WHOLE = """
    SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid
     WHERE relname = %s AND pg_table_is_visible(oid)
"""


class AddIndexResumably(AddIndexConcurrently):
    """An index of a model, as `AddIndexConcurrently` makes it, unless it is whole already."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if not _is_whole(schema_editor, self.index.name):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class IndexBesideModels(Operation):
    """An index of which the models know nothing: its name, its table, its columns and condition as SQL.

    It is made, and goes on the way back; one that `goes` is made again on the way back.
    """

    atomic = False
    category = OperationCategory.SQL

    def __init__(self, name: str, table: str, what: str, *, goes: bool = False) -> None:
        self.name, self.table, self.what, self.goes = name, table, what, goes

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models know nothing of it."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self._have(schema_editor, not self.goes)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self._have(schema_editor, self.goes)

    def describe(self) -> str:
        step = f"drop index {self.name} of" if self.goes else f"create index {self.name} on"
        return f"Concurrently {step} {self.table}"

    def _have(self, schema_editor: BaseDatabaseSchemaEditor, is_wanted: bool) -> None:
        if is_wanted:
            if not _is_whole(schema_editor, self.name):
                create = f"CREATE INDEX CONCURRENTLY {self.name} ON {self.table} {self.what}"
                schema_editor.execute(create, None)
            return
        if not schema_editor.collect_sql and _state(schema_editor, self.name) is None:
            log.warning(GONE, self.name, self.table)
        _drop(schema_editor, self.name)


def _is_whole(schema_editor: BaseDatabaseSchemaEditor, name: str) -> bool:
    """Whether the index is there; what is left of one that was not finished is dropped."""
    # Where SQL is only shown, for a database that nobody knows, something may be left.
    found = False if schema_editor.collect_sql else _state(schema_editor, name)
    if found is False:
        _drop(schema_editor, name)
    return bool(found)


def _state(schema_editor: BaseDatabaseSchemaEditor, name: str) -> bool | None:
    """Whether the index of this name is whole; None where there is none."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(SELECT_WHOLE, [name])
        found: tuple[bool] | None = cursor.fetchone()
    return found and found[0]


def _drop(schema_editor: BaseDatabaseSchemaEditor, name: str) -> None:
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", None)
