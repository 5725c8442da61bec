"""Statements of readers that are given up after a while, so that no page holds a connection for long."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Any, TypeVar

from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper
from psycopg2.errors import QueryCanceled

from .standby_reads import reading

Told = TypeVar("Told")

# How long one statement may take; the page then says that it cannot tell.
STATEMENT_MS_MAX = 5_000

# Purpose: bounds the statements that follow in the same transaction.
LIMIT_TIME = "SELECT set_config('statement_timeout', %s, true)"

# The moment, by the monotonic clock, from which on nothing is left of `all_within`.
_ends: ContextVar[float] = ContextVar("_ends", default=inf)


@contextmanager
def all_within(most_ms: int) -> Iterator[None]:
    """All that is asked by `bounded` in this block has so long together; within another, no longer than it.

    Of what is not asked anew, since its answer is kept, it costs nothing.
    """
    before = _ends.set(min(_ends.get(), time.monotonic() + most_ms / 1000))
    try:
        yield
    finally:
        _ends.reset(before)


@contextmanager
def bounded(most_ms: int | None = None) -> Iterator[CursorWrapper]:
    """A transaction each of whose statements is given up after `most_ms`, and a cursor in it.

    By default that is STATEMENT_MS_MAX; less where `all_within` has less left. Such a statement raises
    OperationalError, with psycopg2's QueryCanceled as its cause. Within another transaction its own bound
    holds again afterwards.
    """
    line = reading()
    within = line.in_atomic_block
    with transaction.atomic(using=line.alias), line.cursor() as cursor:
        before = _limit(cursor) if within else ""
        cursor.execute(LIMIT_TIME, [str(_at_most(STATEMENT_MS_MAX if most_ms is None else most_ms))])
        yield cursor
        if within:
            cursor.execute(LIMIT_TIME, [before])


def _at_most(most_ms: int) -> int:
    """So many milliseconds, or what is left; never 0, which PostgreSQL takes for no limit at all."""
    return max(1, round(min(most_ms, 1000 * (_ends.get() - time.monotonic()))))


def _limit(cursor: CursorWrapper) -> str:
    cursor.execute("SELECT current_setting('statement_timeout')")
    return str(cursor.fetchone()[0])


def in_time(ask: Callable[[], Told], most_ms: int | None = None) -> Told | None:
    """What `ask` finds by statements that are bounded so; None where one was given up."""
    try:
        with bounded(most_ms):
            return ask()
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return None


def in_time_together(ask: Callable[[], Told], most_ms: int) -> Told | None:
    """Like `in_time`, but all statements of `ask` together have so long, and not each of them."""
    ends = time.monotonic() + most_ms / 1000

    def limit(execute: Any, sql: Any, parameters: Any, many: bool, context: dict[str, Any]) -> Any:
        # Of a transaction that is being broken off PostgreSQL takes nothing else.
        if not str(sql).startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            left_ms = max(1, round((ends - time.monotonic()) * 1000))
            execute(LIMIT_TIME, [str(left_ms)], False, context)
        return execute(sql, parameters, many, context)

    def ask_limited() -> Told:
        with reading().execute_wrapper(limit):
            return ask()

    return in_time(ask_limited, most_ms)


def query(sql: str, parameters: dict[str, Any]) -> list[Any]:
    """The rows of one statement that is bounded so. Raises django.db.Error."""
    with bounded() as cursor:
        cursor.execute(sql, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows
