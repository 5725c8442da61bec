"""Indexes for the search and for the list by amount; transactions are stored meanwhile.

The index of parts needs an extension of PostgreSQL. Where that cannot be made, or SEARCH_PARTS is off, it
is left out: `manage.py search_index` makes it later.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import Error as DatabaseError
from django.db import migrations, models

from ..stores.concurrent_indexes import AddIndexResumably

# As they were when this was written; `reading.part_indexes` has them as they are.
CREATE = 'CREATE INDEX CONCURRENTLY {name} ON {table} USING gin ("{column}" gin_trgm_ops)'
DROP = "DROP INDEX CONCURRENTLY IF EXISTS {name}"
SELECT_VALID = """
    SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid
     WHERE relname = ANY(%s) AND indisvalid AND pg_table_is_visible(oid)
"""
LEFT_OUT = (
    "Only the beginnings of ids can be searched: PostgreSQL does not make its extension pg_trgm for us "
    "({why}). Have it installed (on Debian: postgresql-contrib), let a superuser run "
    "`CREATE EXTENSION pg_trgm` in this database, and run `manage.py search_index`."
)


def indexes() -> dict[str, tuple[str, str]]:
    """Each with its table and column; which table has the accounts is a setting."""
    users = get_user_model()
    column = str(users._meta.get_field(users.USERNAME_FIELD).column)  # type: ignore[union-attr]
    return {
        "transaction_by_id_part": ("transactions_transaction", "transaction_id"),
        "user_by_name_part": (users._meta.db_table, column),
    }


def make(apps: Any, schema_editor: Any) -> None:
    """What a run that was broken off left whole stays."""
    if not settings.SEARCH_PARTS:
        remove(apps, schema_editor)
        return
    with schema_editor.connection.cursor() as cursor:
        try:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DatabaseError as error:
            print(f"\n  {LEFT_OUT.format(why=str(error).strip().splitlines()[0])}")
            return
        cursor.execute(SELECT_VALID, [list(indexes())])
        valid = {name for (name,) in cursor.fetchall()}
        for name, (table, column) in indexes().items():
            if name not in valid:
                cursor.execute(DROP.format(name=name))
                cursor.execute(CREATE.format(name=name, table=table, column=column))


def remove(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        for name in indexes():
            cursor.execute(DROP.format(name=name))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("transactions", "0011_people_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(database_operations=[migrations.RunPython(make, remove)]),
        AddIndexResumably(
            "transaction", models.Index(fields=["amount", "created_at", "id"], name="transaction_by_amount")
        ),
    ]
