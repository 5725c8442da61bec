"""The indexes by which any part of an id, or of a customer's name, is found.

PostgreSQL's extension pg_trgm takes a text apart, three characters at a time and in small letters, and a GIN
index keeps where each three are. They cost the flush at each insert (docs/operations.md says how much),
so SEARCH_PARTS may leave them out, and a server may not have the extension: search then looks for beginnings.
"""

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from ..tables import TRANSACTIONS, USER_NAME, USERS

EXTENSION = "pg_trgm"
# Each with its table and column. New entries wait in a list of up to 4 MB before they are put into their
# places: one by one they would cost the flush three times as much.
INDEXES = {
    "transaction_by_id_part": (TRANSACTIONS, "transaction_id"),
    "user_by_name_part": (USERS, USER_NAME),
}

CREATE = 'CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} USING gin ("{column}" gin_trgm_ops)'
DROP = "DROP INDEX CONCURRENTLY IF EXISTS {name}"
# Purpose: which of the indexes are there; one whose making was broken off is there and not valid.
SELECT_VALID = """
    SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid
     WHERE relname = ANY(%s) AND indisvalid AND pg_table_is_visible(oid)
"""
REFUSED = (
    f"Only the beginnings of ids can be searched: PostgreSQL does not make its extension {EXTENSION} for us "
    "({why}). Have it installed (on Debian: postgresql-contrib), let a superuser run "
    f"`CREATE EXTENSION {EXTENSION}` in this database, and run `manage.py search_index`."
)


def present() -> bool:
    """Whether any part can be found: SEARCH_PARTS is on, the indexes are whole. Raises django.db.Error."""
    return settings.SEARCH_PARTS and _valid() == INDEXES.keys()


def follow_setting() -> str:
    """Makes the indexes, or takes them away, as SEARCH_PARTS says; what came of it, as a sentence.

    Tables are read and written meanwhile, and what is there stays. Not within a transaction. Raises
    django.db.Error, but not where the extension cannot be made.
    """
    if not settings.SEARCH_PARTS:
        remove()
        return "SEARCH_PARTS is off: there are no indexes of parts, and the beginnings of ids are searched."
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}")
    except DatabaseError as error:
        return REFUSED.format(why=str(error).strip().splitlines()[0])
    valid = _valid()
    with connection.cursor() as cursor:
        for name, (table, column) in INDEXES.items():
            if name not in valid:
                cursor.execute(DROP.format(name=name))
                cursor.execute(CREATE.format(name=name, table=table, column=column))
    return "Parts of ids and of names of customers are indexed."


def remove() -> None:
    """Takes the indexes away; the extension, which others may use, stays. Raises django.db.Error."""
    with connection.cursor() as cursor:
        for name in INDEXES:
            cursor.execute(DROP.format(name=name))


def _valid() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_VALID, [list(INDEXES)])
        return {name for (name,) in cursor.fetchall()}
