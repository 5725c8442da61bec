"""One transaction, wherever it is: stored, waiting in Redis, or refused at the flush.

A client that was told 200 never sees 404. PostgreSQL is read after Redis: what has left Redis by
then was committed before it left.
"""

from typing import Any, NamedTuple

import redis
from django.db import Error as DatabaseError

from ..models import RejectedRecord, Transaction
from ..queue.records import LINE, State, state_of_line, unescape
from ..queue.waiting import waiting

# The largest primary key: a longer number is only ever a transaction_id.
ROW_KEY_MAX = 2**63 - 1


def find(id: str) -> dict[str, Any] | None:
    """The transaction whose `transaction_id` is `id`, else the one whose primary key it is.

    Raises redis.RedisError or django.db.Error where the store that would have known does not answer.
    """
    if "\0" in id:  # no id has one, and PostgreSQL does not even compare with it
        return None
    redis_failure: redis.RedisError | None = None
    state: State | None = None
    try:
        state = waiting(id)
    except redis.RedisError as error:
        redis_failure = error
    try:
        stored = Transaction.objects.filter(transaction_id=id).first()
    except DatabaseError:
        if state is None:
            raise
        stored = None
    if state is not None:
        # What waits may be a settlement with a time of its own, accepted while nobody could ask for the row.
        happened = stored.created_at if stored else state.created_at
        return {**_shown(stored.pk if stored else None, id, state), "created_at": happened}
    if stored is not None:
        return stored_as_dict(stored)
    if redis_failure is not None:
        raise redis_failure
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
    return None if record is None else _refused(record)


def open_refusals(most: int) -> list[dict[str, Any]]:
    """The transactions in the newest rejected records that nobody has resolved, as the API shows them.

    Raises django.db.Error.
    """
    records = RejectedRecord.objects.filter(resolution="").order_by("-id")[:most]
    return [found.shown for record in records if (found := _refused(record)) is not None]


def waiting_as_dict(transaction_id: str, state: State) -> dict[str, Any]:
    """A transaction that waits as the API shows it."""
    return _shown(None, transaction_id, state)


def _refused(record: RejectedRecord) -> RefusedAtFlush | None:
    found = LINE.fullmatch(bytes(record.raw))
    if found is None:
        return None
    try:
        state = state_of_line(bytes(record.raw))
    except ValueError:  # no UTF-8, or no date: it never came through the door
        return None
    shown = _shown(None, unescape(found["transaction_id"].decode()), state)
    return RefusedAtFlush(record, {**shown, "rejected": record.reason})
