"""The whole story of one transaction: when it was accepted, stored and settled, or why it was not."""

from typing import Any

from ..models import Transaction
from ..queue.records import State
from ..queue.waiting import waiting
from ..reading import detail
from ..reading.parameters import Parameters, TextField

LATEST_OF_USER = 10


class StoryParameters(Parameters[Any]):
    """`transaction_id`: whose story is told; nobody's is known of what is no id."""

    transaction_id = TextField(default="")


def story(transaction_id: str) -> dict[str, Any] | None:
    """What is known of the transaction of that id, and the latest ones of its user; None if nothing is.

    Raises redis.RedisError and django.db.Error.
    """
    if "\0" in transaction_id:
        return None
    state = waiting(transaction_id)
    row = Transaction.objects.filter(transaction_id=transaction_id).first()
    if state is None and row is None:
        return _refused(transaction_id)
    facts = _facts(transaction_id, row, state)
    return {**facts, "events": _events(row, state), "latest": _latest(facts["user"])}


def _facts(transaction_id: str, row: Transaction | None, state: State | None) -> dict[str, Any]:
    """Its latest accepted state: what waits is newer than what is stored."""
    latest: Any = state or row
    return {
        "id": row.pk if row else None,
        "transaction_id": transaction_id,
        "user": state.user if state else latest.user_id,
        "amount": str(latest.amount),
        "status": latest.status,
        "created_at": row.created_at if row else latest.created_at,
        "rejected": None,
    }


def _events(row: Transaction | None, state: State | None) -> list[dict[str, Any]]:
    """What happened, in order; `at` None for what is still to come."""
    if row is None:
        accepted = state.accepted_at if state else None
        return [{"what": "accepted", "at": accepted}, {"what": "stored", "at": None}]
    events = [{"what": "accepted", "at": row.accepted_at}, {"what": "stored", "at": row.stored_at}]
    if row.settled_at is not None:
        events.append({"what": "settled", "at": row.settled_at})
    elif state is not None and state.status != row.status:
        events += [{"what": "settlement accepted", "at": state.accepted_at}, {"what": "settled", "at": None}]
    elif row.status == "PENDING":
        events.append({"what": "settled", "at": None})
    return events


def _latest(user: int) -> list[dict[str, Any]]:
    """The user's latest stored transactions, by the index transaction_by_user_amount."""
    rows = Transaction.objects.filter(user_id=user).order_by("-created_at", "-id")[:LATEST_OF_USER]
    return [{**detail.stored_as_dict(row), "amount": str(row.amount)} for row in rows]


def _refused(transaction_id: str) -> dict[str, Any] | None:
    refused = detail.refusal(transaction_id)
    if refused is None:
        return None
    row, found = refused
    event = {"what": f"rejected: {row.reason}", "at": row.rejected_at}
    return {**found, "amount": str(found["amount"]), "events": [event], "latest": _latest(found["user"])}
