"""What an empty system says on the first page: how the first transaction comes in."""

import logging
from typing import NamedTuple

import redis
from django.http import HttpRequest
from django.urls import reverse

from ..access import people
from ..access.callers import anonymous_may
from ..client import curl
from ..models import RejectedRecord, Transaction
from ..queue.keys import BOOKS
from ..stores import hash_numbers
from ..stores.redis_connection import reader

log = logging.getLogger(__name__)

# What stands in the command for a token that its reader has.
TOKEN = "YOUR_TOKEN"  # noqa: S105


class FirstHour(NamedTuple):
    """The command that posts a transaction, whether its reader has to put a token into it, and pages of what
    comes before and after; "" for none.
    """

    curl: str
    needs_token: bool
    tokens: str
    rules: str
    alerts: str
    docs: str
    imports: str


def nothing_yet() -> bool:
    """Whether nothing was ever stored or accepted; no, where Redis does not tell.

    One row of an index, and with none the counter of what was accepted: what waits to be stored, and what
    was deleted since, have been here. Raises django.db.Error.
    """
    if Transaction.objects.order_by().exists() or RejectedRecord.objects.order_by().exists():
        return False
    try:
        return hash_numbers.whole(BOOKS, "accepted", reader().hget(BOOKS, "accepted")) == 0
    except redis.RedisError as error:
        log.warning("Whether anything was ever accepted Redis does not tell (%s)", type(error).__name__)
        return False


def seen_by(request: HttpRequest) -> FirstHour | None:
    """What to do first, for who asks, with the address under which this page was asked for; None later on."""
    if not nothing_yet():
        return None
    user, url = request.user, request.build_absolute_uri(reverse("add-transaction"))
    assert user.pk is not None  # Nobody else is shown a page of the admin.
    may = user.has_perm

    def page(name: str, permission: str) -> str:
        return reverse(f"admin:{name}") if may(permission) else ""

    needs_token = not anonymous_may(request)
    return FirstHour(
        curl.posting(url, TOKEN if needs_token else "", curl.new_id(), people.any_customer() or user.pk),
        needs_token,
        page("transactions_apitoken_new", "transactions.add_apitoken"),
        page("rules_rule_changelist", "rules.view_rule"),
        page("alerts_alert_changelist", "alerts.view_alert"),
        reverse("api-docs"),
        page("uploads_upload_new", "uploads.import_upload"),
    )
