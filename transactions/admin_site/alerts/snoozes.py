"""What is snoozed: until when, by whom and why, and how much that has kept away."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse

from ...alerts.models import Snooze
from ...review import links, snoozes
from ...review.parameters import SnoozedParameters
from ..giving_up import gives_up
from . import rights

ROWS = 50


@dataclass(frozen=True, slots=True)
class ShownSnooze:
    snooze: Snooze
    rule: str
    user: str
    alert_link: str


@gives_up
def show(request: HttpRequest) -> HttpResponse:
    """One page of those in force, or of those that have ended; the one that ends last first."""
    rights.demand(rights.may_view(request.user))
    ended = "ended" in request.GET
    query = QueryDict(mutable=True)
    query.update({"in_force": "false" if ended else "true", "limit": str(ROWS)})
    for place in ("cursor", "before"):
        if given := request.GET.get(place, ""):
            query[place] = given
    asked = SnoozedParameters(data=query)
    rows, cursor, before = (
        snoozes.rows_of_page(asked.validated_data) if asked.is_valid() else ([], None, None)
    )
    rules, names = snoozes.rule_names(rows), links.names(each.user for each in rows)
    kind = {"ended": ""} if ended else {}
    context = {
        **admin.site.each_context(request),
        "title": "Snoozed",
        "ended": ended,
        "rows": [_shown(each, rules, names) for each in rows],
        "next": urlencode({**kind, "cursor": cursor}) if cursor else "",
        "previous": urlencode({**kind, "before": before}) if before else "",
        "may_change": rights.may_change(request.user),
    }
    return TemplateResponse(request, "admin/alerts/snoozes.html", context)


def _shown(snooze: Snooze, rules: dict[int, str], names: dict[int, str]) -> ShownSnooze:
    rule = rules.get(snooze.rule) or (snooze.alert.rule_name if snooze.alert else f"rule {snooze.rule}")
    user = "the whole system" if snooze.user is None else names[snooze.user]
    link = links.alert(snooze.alert_id) if snooze.alert_id else ""
    return ShownSnooze(snooze, rule, user, link)
