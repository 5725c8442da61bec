"""The page of an alert: why it was raised, what made it, whose it is, what happened, and what can be done."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from ...alerts import triage
from ...alerts.models import Alert, AlertEvent, AlertState, Disposition, Step
from ...review import customer, explanation, performance
from ...review.explanation import Explanation
from ...rules.evidence import Evidence, explained
from ...rules.models import Rule
from ..lists import is_key
from ..rules import links
from ..rules.sentences import of_version
from . import rights, shown, steps

# Rows that the table shows; the others stand in the chart, and in the API.
ROWS = 10
# The line of amounts begins so long before the first of them, and ends so long after the last.
BEFORE, AFTER = timedelta(days=7), timedelta(hours=12)
PERFORMANCE_DAYS = 90


def show(request: HttpRequest, key: str) -> HttpResponse:
    """The page."""
    rights.demand(rights.may_view(request.user))
    key = unquote(key)
    rows = Alert.objects.select_related("assignee", "closed_by")
    alert = rows.filter(pk=int(key)).first() if is_key(key) else None
    if alert is None:
        raise Http404("There is no such alert.")
    found, events = explanation.explain(alert), explanation.events(alert)
    (row,) = shown.rows([alert])
    may_look = request.user.has_perm("transactions.view_transaction")
    context = {
        **admin.site.each_context(request),
        "title": f"{alert.rule_name}: {row.user}",
        "alert": alert,
        "row": row,
        "found": found,
        "sentence": None if found.version is None else of_version(found.version),
        "evidence": [_evidence(each, may_look) for each in found.evidence[:ROWS]],
        "evidence_left_out": max(0, len(found.evidence) - ROWS),
        "hits_left_out": max(0, alert.hits - sum(each.hit is not None for each in found.evidence)),
        "suppressed": [(hit, explained(hit)) for hit in found.suppressed],
        "changed": sum(each.has_changed for each in found.evidence if each.hit is not None),
        "events": shown.events(events),
        "others": shown.rows(customer.others(alert)),
        "snooze": customer.snooze_in_force(alert),
        "dispositions": Disposition.choices,
        "snooze_days": steps.SNOOZE_DAYS,
        "analysts": rights.analysts(),
        **_may(request, alert, events),
        **_of_user(alert, found, may_look),
        **_of_rule(request, alert),
    }
    return TemplateResponse(request, "admin/alerts/alert.html", context)


def _may(request: HttpRequest, alert: Alert, events: list[AlertEvent]) -> dict[str, Any]:
    """What is offered to this user."""
    may, is_open = rights.may_change(request.user), alert.state != AlertState.CLOSED
    last = next((event for event in reversed(events) if event.before is not None), None)
    return {
        "may_change": may,
        "may_claim": may and is_open and alert.assignee is None,
        "may_release": may and is_open and alert.assignee is not None,
        "may_close": may and is_open,
        "may_reopen": may and not is_open,
        "may_snooze": may and alert.state != AlertState.OPEN,
        "undo": last
        if may
        and last is not None
        and last.by_id == request.user.pk
        and last.step not in (Step.UNDONE, Step.SNOOZED)
        and last.at > timezone.now() - triage.UNDO_FOR
        else None,
        "undo_words": "" if last is None else shown.WORDS[Step(last.step)].format(text=last.text),
    }


def _evidence(each: Evidence, may_look: bool) -> dict[str, Any]:
    there = may_look and each.key is not None and not each.is_gone
    return {
        "each": each,
        "why": "" if each.hit is None else explained(each.hit),
        "link": links.transaction(each.key) if there and each.key is not None else "",
    }


def _of_user(alert: Alert, found: Explanation, may_look: bool) -> dict[str, Any]:
    """Totals, and the line of amounts; nothing of it for what is about the whole system."""
    if alert.user is None:
        return {"totals": None, "timeline": None}
    others = list(Alert.objects.filter(user=alert.user).values_list("disposition", flat=True)[:1_000])
    return {
        "totals": customer.totals(alert.user),
        "alerts_of_user": len(others),
        "false_positives": sum(each == Disposition.FALSE_POSITIVE for each in others),
        "user_link": links.transactions_of(alert.user) if may_look else "",
        "customer_link": links.customer(alert.user) if may_look else "",
        "timeline": _timeline(alert.user, found) if may_look and found.evidence else None,
    }


def _timeline(user: int, found: Explanation) -> dict[str, Any]:
    """The user's amounts around the alert, those that made it marked."""
    moments = [each.happened_at for each in found.evidence]
    made = {each.key for each in found.evidence}
    rows = customer.amounts(user, min(moments) - BEFORE, max(moments) + AFTER)
    return {
        "points": [
            {"at": at.isoformat(), "amount": amount, "status": status, "made": key in made}
            for key, at, amount, status in reversed(rows)
        ],
        "first": min(moments).isoformat(),
        "last": max(moments).isoformat(),
        "is_cut": len(rows) == customer.POINTS_MAX,
    }


def _of_rule(request: HttpRequest, alert: Alert) -> dict[str, Any]:
    """How the rule has done, where it still is there."""
    rule = Rule.objects.filter(pk=alert.rule).first()
    if rule is None:
        return {"rule": None}
    figures = performance.of_rules([rule.pk], PERFORMANCE_DAYS, overlaps=False)[rule.pk].all
    sees = request.user.has_perm("rules.view_rule")
    return {
        "rule": rule,
        "rule_link": reverse("admin:rules_rule_change", args=[rule.pk]) if sees else "",
        "performance": figures,
        "performance_days": PERFORMANCE_DAYS,
    }
