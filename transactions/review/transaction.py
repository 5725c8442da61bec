"""What the page of a transaction shows, and the dashboard's drawer: its story, and where the rest is."""

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest
from django.urls import reverse

from ..access.rights import Right, Rights
from ..client import curl
from ..models import Status
from ..reading.story import story
from . import links, notes

# Of the notes on its customer the newest so many.
NOTES_MAX = 3


def shown(request: HttpRequest, transaction_id: str, rights: Rights) -> dict[str, Any] | None:
    """What the template of the story takes, for who holds these rights; None where nothing is known of it.

    Raises redis.RedisError where Redis does not answer and nothing of it is stored, and django.db.Error.
    """
    found = story(transaction_id, alerts=Right.VIEW_ALERTS in rights)
    if found is None:
        return None
    return {
        "story": found,
        "kept": _kept(found),
        "unsure": _unsure(found) if found["redis_away"] else "",
        "sees_alerts": Right.VIEW_ALERTS in rights,
        "notes": notes.latest(found["user"])[:NOTES_MAX] if found["name"] else [],
        "curl": _curl(request, found["transaction_id"]),
        **_links(request, found),
    }


def _kept(found: dict[str, Any]) -> str:
    if found["rejected"]:
        return "The rejected records"
    return "waits to be stored, a few seconds" if found["id"] is None else f"stored as number {found['id']}"


def _unsure(found: dict[str, Any]) -> str:
    """What may be, while Redis does not answer; "" of what is settled and stored, which nothing changes."""
    if found["rejected"]:
        return "Redis does not answer: whether it was accepted once more cannot be told."
    return "Redis does not answer: a settlement may wait there." if found["status"] == Status.PENDING else ""


def _curl(request: HttpRequest, transaction_id: str) -> str:
    base = request.build_absolute_uri(reverse("transactions")).removesuffix("/")
    url = f"{base}/{quote(transaction_id, safe='')}/"
    return curl.reading(url, "$TOKEN")


def _links(request: HttpRequest, found: dict[str, Any]) -> dict[str, str]:
    """Where the rest is, for who may go there."""
    user = found["user"]
    there = {
        "customer_link": links.customer(user) if found["name"] else "",
        "theirs_link": links.transactions_of(user),
    }
    if found["id"] is not None and request.user.is_superuser:
        there["delete_link"] = reverse("admin:transactions_transaction_delete", args=[found["id"]])
    if found["batch"] and request.user.has_perm("transactions.view_flushbatch"):
        there["batch_link"] = reverse("admin:transactions_flushbatch_change", args=[found["batch"]["id"]])
    if found["record"] and request.user.has_perm("transactions.view_rejectedrecord"):
        key = found["record"]["id"]
        there["record_link"] = reverse("admin:transactions_rejectedrecord_change", args=[key])
    return there
