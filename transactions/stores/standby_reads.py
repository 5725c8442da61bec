"""Reads that may be a little behind: from a standby of PostgreSQL, where DATABASE_READ_URL names one.

For what people page through and clients sum up, and for nothing else. What is read to be written, or to
decide whether something is accepted, stored, known or allowed, is read from the primary: intake's look-ups,
the flush, the books, tokens and rights, one transaction by its id. A standby that does not answer, or is too
far behind, is left alone for a moment, and the primary is read instead.
"""

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2.errors import QueryCanceled

from .own_sessions import cut_after

log = logging.getLogger(__name__)

Told = TypeVar("Told")

# The entry of DATABASES.
STANDBY = "standby"
# One that is further behind is not read.
BEHIND_S_MAX = 60.0
# How long it may take to say how far it is behind, which it does before each read.
PROBE_S = 2.0
# For how long it is left alone by this process, once it has failed.
PAUSE_S = 5.0

# Purpose: whether it is a standby, and no primary; seconds since what it last repeated was committed. A flush
# commits at every tick, so on a standby that keeps up that is no more than two ticks.
SELECT_BEHIND = """
    SELECT pg_is_in_recovery(), extract(epoch FROM now() - pg_last_xact_replay_timestamp())
"""

_alias: ContextVar[str] = ContextVar("_alias", default=DEFAULT_DB_ALIAS)
_left_alone_until = 0.0


class Read(NamedTuple, Generic[Told]):
    """What was read. `behind_s`: by how many seconds it may be behind; None where a primary told it."""

    told: Told
    behind_s: float | None


class _Unfit(Exception):
    """The standby cannot be read now."""


def from_standby(ask: Callable[[], Told]) -> Read[Told]:
    """What `ask` finds by `reading()`, by `bounded_queries` or by models.

    It may be asked twice, and writes nothing. Raises what `ask` raises, the primary once the standby fails.
    """
    global _left_alone_until
    if STANDBY not in connections.databases or time.monotonic() < _left_alone_until:
        return Read(ask(), None)
    before = _alias.set(STANDBY)
    try:
        behind_s = _behind_s()
        return Read(ask(), behind_s)
    except (_Unfit, OperationalError, InterfaceError) as error:
        if isinstance(error.__cause__, QueryCanceled):
            # It was given up by a bound of ours, which holds for the primary too.
            raise
        _left_alone_until = time.monotonic() + PAUSE_S
        log.warning("The primary is read, since the standby cannot be: %s", str(error).partition("\n")[0])
        connections[STANDBY].close()
    finally:
        _alias.reset(before)
    return Read(ask(), None)


def alias() -> str:
    """The entry of DATABASES that is read here."""
    return _alias.get()


def reading() -> BaseDatabaseWrapper:
    """Django's connection that is read here: the standby's amid `from_standby`, else that of the primary."""
    return connections[alias()]


def _behind_s() -> float | None:
    """None where DATABASE_READ_URL led to a primary: one that took over, or whoever is left."""
    line: Any = connections[STANDBY]
    line.ensure_connection()
    # A server that is frozen keeps no time-out of its own.
    with cut_after(PROBE_S, line.connection), line.cursor() as cursor:
        cursor.execute(SELECT_BEHIND)
        is_standby, behind_s = cursor.fetchone()
    if not is_standby:
        return None
    if behind_s is None or behind_s > BEHIND_S_MAX:
        raise _Unfit("it is too far behind" if behind_s is not None else "it has repeated nothing yet")
    return max(0.0, float(behind_s))


def forget() -> None:
    """The standby is no longer left alone, for a test that begins."""
    global _left_alone_until
    _left_alone_until = 0.0


class StandbyRouter:
    """By which Django's models are read there as well, and written nowhere but to the primary."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return alias()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS
