"""One transaction, wherever it is: stored, waiting in Redis, or refused at the flush.

A client that was told 200 never sees 404. PostgreSQL is read after Redis: what has left Redis by
then was committed before it left.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import redis
from django.db import Error as DatabaseError

from ..models import RejectedRecord, Transaction
from ..queue.records import State, read_line, stamp
from ..queue.waiting import newest_waiting, waiting
from ..stores.redis_connection import READER_S

# The largest primary key: a longer number is only ever a transaction_id.
ROW_KEY_MAX = 2**63 - 1
# Of what waits or was rejected, so many of the newest are looked through.
UNSTORED_LOOKED_AT_MAX = 2_000

# What a row is shown by, and the same as the API calls it.
COLUMNS = "id, transaction_id, user_id, amount, status, created_at"
FIELDS = ("id", "transaction_id", "user", "amount", "status", "created_at")


def find(id: str) -> dict[str, Any] | None:
    """The transaction whose `transaction_id` is `id`, else the one whose primary key it is.

    Raises redis.RedisError or django.db.Error where the store that would have known does not answer.
    """
    if "\0" in id:  # no id has one, and PostgreSQL does not even compare with it
        return None
    try:
        state = waiting(id)
    except redis.RedisError:
        stored = Transaction.objects.filter(transaction_id=id).first()
        if stored is None:
            raise
        return stored_as_dict(stored)
    return known(id, state)


def known(id: str, state: State | None) -> dict[str, Any] | None:
    """The same of who has asked Redis: `state` is what waits of that id there. Raises django.db.Error."""
    try:
        stored = Transaction.objects.filter(transaction_id=id).first()
    except DatabaseError:
        if state is None:
            raise
        stored = None
    if state is not None:
        return waiting_as_dict(id, state, stored_as_dict(stored) if stored else None)
    if stored is not None:
        return stored_as_dict(stored)
    refused = refusal(id)
    return refused.shown if refused is not None else _by_key(id)


def stored_as_dict(row: Transaction) -> dict[str, Any]:
    """A stored transaction as the API shows it."""
    return {
        "id": row.pk,
        "transaction_id": row.transaction_id,
        "user": row.user_id,
        "amount": row.amount,
        "status": row.status,
        "created_at": row.created_at,
    }


def row_as_dict(row: tuple[Any, ...]) -> dict[str, Any]:
    """A stored transaction, selected by COLUMNS, as the API shows it."""
    return dict(zip(FIELDS, row, strict=True))


def waiting_as_dict(id: str, state: State, stored: dict[str, Any] | None) -> dict[str, Any]:
    """A transaction that waits, as the API shows it; `stored` is its row, shown likewise, if there is one."""
    if stored is None:
        return _shown(None, id, state)
    # What waits may be a settlement with a time of its own, accepted while nobody could ask for the row.
    return {**_shown(stored["id"], id, state), "created_at": stored["created_at"]}


def _shown(key: int | None, transaction_id: str, state: State) -> dict[str, Any]:
    return {
        "id": key,
        "transaction_id": transaction_id,
        "user": state.user,
        "amount": state.amount,
        "status": state.status,
        "created_at": state.created_at,
    }


def _by_key(id: str) -> dict[str, Any] | None:
    if not (id.isascii() and id.isdigit() and len(id) <= len(str(ROW_KEY_MAX)) and int(id) <= ROW_KEY_MAX):
        return None
    stored = Transaction.objects.filter(pk=int(id)).first()
    return stored_as_dict(stored) if stored else None


class RefusedAtFlush(NamedTuple):
    """A rejected record that can be read, and the transaction in it as the API shows it."""

    row: RejectedRecord
    shown: dict[str, Any]


def refusal(transaction_id: str) -> RefusedAtFlush | None:
    """The latest rejected record of that id; None where there is none that holds a transaction.

    Raises django.db.Error.
    """
    record = RejectedRecord.objects.filter(transaction_id=transaction_id).order_by("-id").first()
    return None if record is None else refused(record)


class Unstored(NamedTuple):
    """The transactions in the newest records of some, as the API shows them.

    `complete` where there are no older records. Of those looked at `unreadable` hold no transaction.
    """

    shown: list[dict[str, Any]]
    complete: bool
    unreadable: int


def refusals_of(records: Iterable[RejectedRecord]) -> list[dict[str, Any]]:
    """The transactions in those of the records that hold one; of several of one id the first."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        if (held := refused(record)) is not None:
            found.setdefault(held.shown["transaction_id"], held.shown)
    return list(found.values())


def open_refusals_count(most: int) -> int:
    """How many rejected records nobody has resolved, at most `most`. Raises django.db.Error."""
    return RejectedRecord.objects.filter(resolution="")[:most].count()


def latest_refusals(most: int) -> list[dict[str, str]]:
    """The `most` newest rejected records that can be read, resolved or not, as the live feed knows them.

    Each by its `transaction_id` and its `accepted_at`, for a replay of it is another record.
    Raises django.db.Error.
    """
    raws = RejectedRecord.objects.order_by("-id").values_list("raw", flat=True)[:most]
    read = [found for raw in raws if (found := read_line(bytes(raw))) is not None]
    return [{"transaction_id": id, "accepted_at": stamp(state.accepted_at)} for id, state in read]


def newest_unstored(most: int, patience_s: float = READER_S) -> Unstored:
    """What the `most` newest records hold that wait in Redis. Raises redis.RedisError, after `patience_s`
    seconds without an answer.
    """
    found = newest_waiting(most, patience_s)
    shown = [_shown(None, id, state) for id, state in found.states]
    return Unstored(shown, found.complete, found.unreadable)


def refused(record: RejectedRecord) -> RefusedAtFlush | None:
    """The transaction in a rejected record; None where it holds none."""
    read = read_line(bytes(record.raw))
    if read is None:
        return None
    return RefusedAtFlush(record, {**_shown(None, *read), "rejected": record.reason})
