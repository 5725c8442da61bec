"""Indexes that migrations make beside the running system, and that a migration may be run again after.

Such a migration is no transaction: where it is broken off, by a lock that it does not get, Ctrl-C or a
restart of PostgreSQL, the indexes that it had made are there, and the one that it was making is there and
invalid. So one that is whole is left as it is, and what is left of another goes first. Migrations of the
past use this as well: what it makes, and what it notes in the state of the models, does not change.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

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
    """An index of which the models know nothing: its name, its table, its columns and condition as SQL."""

    atomic = False

    def __init__(self, name: str, table: str, what: str) -> None:
        self.name, self.table, self.what = name, table, what

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models know nothing of it."""

    def create(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        """Makes it, unless it is whole already."""
        if not _is_whole(schema_editor, self.name):
            create = f"CREATE INDEX CONCURRENTLY {self.name} ON {self.table} {self.what}"
            schema_editor.execute(create, None)

    def drop(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        """Drops it; where there is none of that name it is gone already."""
        _drop(schema_editor, self.name)


class CreateIndexResumably(IndexBesideModels):
    """Such an index is made, and goes on the way back."""

    category = OperationCategory.ADDITION

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self.create(schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self.drop(schema_editor)

    def describe(self) -> str:
        return f"Concurrently create index {self.name} on {self.table}"


class DropIndexResumably(IndexBesideModels):
    """Such an index goes, and is made again on the way back."""

    category = OperationCategory.REMOVAL

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self.drop(schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self.create(schema_editor)

    def describe(self) -> str:
        return f"Concurrently drop index {self.name} of {self.table}"


def _is_whole(schema_editor: BaseDatabaseSchemaEditor, name: str) -> bool:
    """Whether the index is there; what is left of one that was not finished is dropped."""
    if schema_editor.collect_sql:
        # Only shown, for a database that nobody knows.
        _drop(schema_editor, name)
        return False
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(SELECT_WHOLE, [name])
        found: tuple[bool] | None = cursor.fetchone()
    if found == (False,):
        _drop(schema_editor, name)
    return bool(found == (True,))


def _drop(schema_editor: BaseDatabaseSchemaEditor, name: str) -> None:
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", None)
