"""The transactions of an alert as a CSV file, with their ids: evidence for a case."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from ... import money
from ...alerts.models import Alert
from ...audit.actions import Action
from ...audit.entries import note
from ...review import explanation, links
from ...rules.evidence import explained
from ...stores.bounded_queries import in_time
from ...timezones import off_page
from .. import exports
from . import rights

COLUMNS = (
    "transaction_id", "user_id", "customer_name", "amount", "status", "status_now", "created_at",
    "hit", "why",
)  # fmt: skip
TOO_SLOW = "It takes too long to find them. Ask the API for the alert: it tells the latest."


def show(request: HttpRequest, alert: int) -> HttpResponse:
    """All that made it, the latest first; noted in the audit trail."""
    rights.demand(rights.may_view(request.user))
    held = get_object_or_404(Alert, pk=alert)
    found = in_time(lambda: explanation.everything(held))
    if found is None:
        return HttpResponse(TOO_SLOW, status=503, content_type="text/plain; charset=utf-8")
    name = f"alert {held.pk}"
    note(Action.EXPORTED, name, rows=len(found))
    customer = "" if held.user is None else links.names([held.user])[held.user]
    with off_page(), money.in_locale(money.DEFAULT_LOCALE):
        rows = [
            (
                each.transaction_id,
                held.user,
                customer,
                each.amount,
                each.status,
                "gone" if each.is_gone else each.status_now,
                each.happened_at,
                "no" if each.hit is None else "yes",
                "" if each.hit is None else explained(each.hit),
            )
            for each in found
        ]
    lines = [exports.header(COLUMNS), *(exports.in_currency(COLUMNS, row) for row in rows)]
    return exports.file_of(lines, name)
