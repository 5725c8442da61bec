"""The flush and what is left by it: crashes at its named points, rows, books."""

import pytest

from transactions.books.balance import read as read_books
from transactions.models import Transaction
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.storing import bulk_insert
from transactions.storing import flush as flushing
from transactions.storing.flush import flush

# Where a flush may crash, in their order; crash_points calls each "flush." and this.
POINTS = ("after_promise", "after_reserve", "amid_insert", "after_commit", "before_released")


class Crash(Exception):
    """Stands for the end of the process at a named point."""


def crash_at(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushes, and crashes at that point; returns once the lock is free again."""

    def crash(name: str) -> None:
        if name == point:
            raise Crash(name)

    for module in (flushing, bulk_insert):
        monkeypatch.setattr(module, "crash_point", crash)
    with pytest.raises(Crash):
        flush()
    monkeypatch.undo()
    # The server frees the lock of a lost connection only a moment later.
    free = False
    while not free:
        with Session() as session:
            free = session.try_lock(FLUSH_LOCK)


def rows() -> list[tuple[str, int, int, str]]:
    """What is stored, in the order of storing."""
    return list(
        Transaction.objects.order_by("id").values_list("transaction_id", "user_id", "amount", "status")
    )


def balanced() -> bool:
    """Whether everything that was accepted is accounted for."""
    return read_books().balanced is True
