"""The lock between those who judge and those who change what is judged by; and no long waits for others'."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..stores.postgres_session import Session

# Held, shared, by whoever stores a chunk or judges later, and alone by whoever brings a version into force:
# "txrl".
RULES_LOCK = 0x7478726C

# Held by whoever takes a file of rules: "txri".
IMPORT_LOCK = 0x74787269

# Milliseconds for which whoever judges waits for a lock: the next flush waits meanwhile.
JUDGING_LOCK_MS_MAX = 500


@contextmanager
def impatient(session: Session) -> Iterator[Any]:
    """A cursor in a transaction of a session, which waits for no lock for long."""
    with session.transaction() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {JUDGING_LOCK_MS_MAX}")
        yield cursor


def share(cursor: Any) -> bool:
    """Whether nobody changes what is judged by until the cursor's transaction ends: then it may judge.

    Ask before versions and lists are read. What is changed later holds from a minute that has not begun.
    """
    cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [RULES_LOCK])
    return bool(cursor.fetchone()[0])
