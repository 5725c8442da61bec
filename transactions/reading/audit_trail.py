"""The audit trail, newest first, page by page: a page begins below the number that ended the one before."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import serializers

from ..audit.actions import KINDS, Action
from ..audit.chain import moment_text
from ..audit.models import NAME_MAX, Entry, Via
from ..fields import WholeField
from ..stores import bounded_queries
from .paging import Page, limit, page_of
from .parameters import DayOrMomentField, Parameters

NUMBER_MAX = 10**18
# Texts that are compared with the whole of the column of their name.
EXACT = ("actor", "token", "address", "request_id", "target", "target_id")


class ActionField(serializers.ChoiceField):
    """An action, or the first word of some: `token` stands for all that is done to tokens."""

    default_error_messages = {"invalid_choice": "No such action. Expected one as in token.made, or token."}

    def __init__(self, **more: Any) -> None:
        super().__init__(choices=[*Action.values, *KINDS], **more)


class TrailParameters(Parameters[Any]):
    """What may be asked of the trail. Days are UTC's, and both are included; `to` as a moment is not."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        texts: dict[str, serializers.Field[Any, Any, Any, Any]] = {
            name: serializers.CharField(max_length=NAME_MAX, trim_whitespace=False, required=False)
            for name in EXACT
        }
        return {
            **texts,
            "via": serializers.ChoiceField(choices=Via.choices, required=False),
            "action": ActionField(required=False),
            "from": DayOrMomentField(required=False),
            "to": DayOrMomentField(required=False),
            "cursor": WholeField(min_value=1, max_value=NUMBER_MAX, required=False),
            "limit": limit(),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        since, until = attrs.pop("from", None), attrs.pop("to", None)
        attrs["since"] = since if since is None or isinstance(since, datetime) else _midnight(since)
        if until is not None and not isinstance(until, datetime):
            # After the last day that there is nothing comes.
            until = _midnight(until + timedelta(days=1)) if until < date.max else None
        attrs["until"] = until
        if attrs["since"] is not None and until is not None and until < attrs["since"]:
            raise serializers.ValidationError({"to": ["This is before `from`."]})
        return attrs


def page(asked: dict[str, Any]) -> Page:
    """One page of what was asked, by the checked TrailParameters. Raises django.db.Error."""
    rows = asked["limit"]
    with bounded_queries.bounded():
        found = list(wanted(asked).order_by("-number")[: rows + 1])
    return page_of(found, rows, _as_dict, lambda entry: str(entry.number))


def deletion_of_account(key: int) -> Entry | None:
    """The entry of the deletion of that account; None where there is none. Raises django.db.Error."""
    with bounded_queries.bounded():
        deletions = Entry.objects.filter(action=Action.USER_DELETED, target_id=str(key))
        return deletions.order_by("-number").first()


def deletion_of_transaction(transaction_id: str) -> Entry | None:
    """The latest entry of somebody who deleted the transaction of that id by hand; None where there is none.

    By the index audit_by_action: such deletions are few. Raises django.db.Error.
    """
    if "\0" in transaction_id:
        return None
    named = Q(target=transaction_id) | Q(details__contains=f":{json.dumps(transaction_id)}")
    with bounded_queries.bounded():
        deletions = Entry.objects.filter(named, action=Action.TRANSACTION_DELETED)
        return deletions.order_by("-number").first()


def wanted(asked: dict[str, Any]) -> QuerySet[Entry]:
    """The entries that checked TrailParameters ask for, of all pages."""
    entries = Entry.objects.filter(**{name: asked[name] for name in (*EXACT, "via") if name in asked})
    if (action := asked.get("action")) is not None:
        by = {"action__startswith": f"{action}."} if action in KINDS else {"action": action}
        entries = entries.filter(**by)
    bounds = {"at__gte": asked["since"], "at__lt": asked["until"], "number__lt": asked.get("cursor")}
    return entries.filter(**{name: value for name, value in bounds.items() if value is not None})


def _as_dict(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": moment_text(entry.at),
        "action": entry.action,
        "actor": entry.actor,
        "actor_id": entry.actor_id,
        "via": entry.via,
        "token": entry.token,
        "address": entry.address,
        "request_id": entry.request_id,
        "target": entry.target,
        "target_id": entry.target_id,
        "reason": entry.reason,
        "details": json.loads(entry.details),
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
