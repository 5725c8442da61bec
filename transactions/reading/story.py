"""The whole story of one transaction: when it was accepted, stored and settled, or why it was not."""

import json
from datetime import datetime
from typing import Any

import redis
from django.contrib.auth import get_user_model
from rest_framework.utils.encoders import JSONEncoder

from ..models import FlushBatch, RejectedRecord, Transaction
from ..queue.records import State
from ..queue.waiting import waiting
from ..rules.evidence import counted_in, explained
from ..rules.models import Hit, Version
from . import customers, detail
from .parameters import Parameters, TextField

LATEST_OF_USER = 10
HITS_MAX = 50
# Of so many batches it is looked up which one stored a row: about a day of them.
BATCHES_LOOKED_AT = 20_000
NOTHING_FOUND: dict[str, Any] = {"hits": [], "counted_in": []}


class StoryParameters(Parameters[Any]):
    """`transaction_id`: whose story is told; nobody's is known of what is no id."""

    transaction_id = TextField(default="")


def story(transaction_id: str, *, alerts: bool = False) -> dict[str, Any] | None:
    """What is known of the transaction of that id, and the latest others of its user; None if nothing is.

    With `alerts`, what rules found in it too, which is for who may see alerts. `redis_away`: what PostgreSQL
    has is told, and something newer may wait. Raises redis.RedisError where it has nothing, and
    django.db.Error.
    """
    if "\0" in transaction_id:
        return None
    try:
        state = waiting(transaction_id)
    except redis.RedisError:
        stored = _told(transaction_id, None, alerts=alerts)
        if stored is None:
            raise
        return {**stored, "redis_away": True}
    found = _told(transaction_id, state, alerts=alerts)
    return None if found is None else {**found, "redis_away": False}


def _told(transaction_id: str, state: State | None, *, alerts: bool) -> dict[str, Any] | None:
    """Of what waits in Redis, and what PostgreSQL has."""
    row = Transaction.objects.filter(transaction_id=transaction_id).first()
    if state is None and row is None:
        return _refused(transaction_id)
    facts = _facts(transaction_id, row, state)
    return {
        **facts,
        **_around(facts),
        "events": _events(row, state),
        "batch": None if row is None else _batch(_batch_of(row.stored_at)),
        "record": None,
        **(_found_in(row) if alerts and row is not None else NOTHING_FOUND),
    }


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


def _around(facts: dict[str, Any]) -> dict[str, Any]:
    """The customer's name, "" where there is no such account; the latest of theirs; and the record itself."""
    user = get_user_model()._default_manager.filter(pk=facts["user"]).first()
    record = {name: facts[name] for name in ("transaction_id", "user", "amount", "status", "created_at")}
    record["amount"] = int(facts["amount"])
    return {
        "name": user.get_username() if user else "",
        "latest": _latest_others(facts["user"], facts["transaction_id"]),
        # As the API writes it, to the microsecond: posted again it is a replay.
        "payload": json.dumps(record, cls=JSONEncoder, ensure_ascii=False, indent=2),
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


def _latest_others(user: int, transaction_id: str) -> list[dict[str, Any]]:
    """The user's latest stored transactions beside that one."""
    rows = [row for row in customers.latest(user, LATEST_OF_USER + 1) if row.transaction_id != transaction_id]
    return [{**detail.stored_as_dict(row), "amount": str(row.amount)} for row in rows[:LATEST_OF_USER]]


def _batch_of(stored_at: datetime) -> FlushBatch | None:
    """The batch of which a row was stored at that moment, as far as it is among the latest."""
    newest = FlushBatch.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return None
    latest = FlushBatch.objects.filter(pk__gt=newest - BATCHES_LOOKED_AT, reserved_at__lte=stored_at)
    return latest.filter(stored_at__gte=stored_at).order_by("pk").first()


def _batch(batch: FlushBatch | None) -> dict[str, Any] | None:
    if batch is None:
        return None
    return {"id": batch.pk, "reserved_at": batch.reserved_at, "length": batch.length}


def _found_in(row: Transaction) -> dict[str, Any]:
    """What rules found in a row, and the other alerts that it made with the transactions after it."""
    hits = _hits(row.pk)
    own = {hit["alert"] for hit in hits}
    return {"hits": hits, "counted_in": [each for each in counted_in(row) if each.alert not in own]}


def _hits(row: int) -> list[dict[str, Any]]:
    """What rules found in a row, the latest first, by the key of hits: version and transaction."""
    versions = list(Version.objects.exclude(effective_from=None).values_list("pk", flat=True))
    rows = Hit.objects.select_related("version__rule").filter(version__in=versions, transaction=row)
    return [
        {
            "rule": hit.version.rule.name,
            "version": hit.version.number,
            "why": explained(hit),
            "raised_at": hit.raised_at,
            "alert": hit.alert_id,
            "suppressed": hit.get_suppressed_display(),
        }
        for hit in rows.order_by("-raised_at", "-pk")[:HITS_MAX]
    ]


def _refused(transaction_id: str) -> dict[str, Any] | None:
    refused = detail.refusal(transaction_id)
    if refused is None:
        return None
    row, found = refused
    facts = {**found, "amount": str(found["amount"])}
    return {
        **facts,
        **_around(facts),
        "events": [{"what": f"rejected: {row.reason}", "at": row.rejected_at}],
        "batch": _batch(row.batch),
        "record": _record(row),
        **NOTHING_FOUND,
    }


def _record(row: RejectedRecord) -> dict[str, Any]:
    return {"id": row.pk, "times": row.times, "resolution": row.get_resolution_display()}
