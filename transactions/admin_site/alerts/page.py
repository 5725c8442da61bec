"""The page of an alert: why it was raised, what made it, whose it is, what happened, and what can be done."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from ... import models
from ...alerts import triage
from ...alerts.models import Alert, AlertEvent, AlertState, Disposition, Step
from ...review import customer, explanation, links, performance
from ...review.explanation import Explanation
from ...rules.evidence import Evidence, explained, form_of
from ...rules.kinds.clock import FailureRate
from ...rules.kinds.walks import BUCKET_S
from ...rules.models import Rule
from ...timezones import on_page
from ..giving_up import gives_up
from ..lists import is_key
from ..rules.links import page_of
from ..rules.sentences import of_version
from . import kept_text, rights, shown, steps

# Rows that the table shows at first; all of them where that is asked for.
ROWS = 10
# The line of amounts begins so long before the first of them, and ends so long after the last.
BEFORE, AFTER = timedelta(days=7), timedelta(hours=12)


@gives_up
def show(request: HttpRequest, key: str) -> HttpResponse:
    """The page."""
    rights.demand(rights.may_view(request.user))
    rows = Alert.objects.select_related("assignee", "closed_by")
    alert = rows.filter(pk=int(key)).first() if is_key(key) else None
    if alert is None:
        raise Http404("There is no such alert.")
    found, events = explanation.explain(alert), explanation.events(alert)
    (row,) = shown.rows([alert])
    snooze = customer.snooze_in_force(alert)
    shows = len(found.evidence) if "all" in request.GET else ROWS
    may_look = request.user.has_perm("transactions.view_transaction")
    context = {
        **admin.site.each_context(request),
        "title": f"{alert.rule_name}: {row.user}",
        "alert": alert,
        "row": row,
        "found": found,
        "sentence": None if found.version is None else of_version(found.version),
        "evidence": [_evidence(each, may_look) for each in found.evidence[:shows]],
        "evidence_left_out": max(0, len(found.evidence) - shows),
        "evidence_all": len(found.evidence),
        "listed_hits_max": explanation.LISTED_HITS_MAX,
        "suppressed": [(hit, explained(hit)) for hit in found.suppressed],
        "changed": sum(each.has_changed for each in found.evidence if each.hit is not None),
        "events": shown.events(alert, events),
        "others": shown.rows(customer.others(alert)),
        "snooze": snooze,
        "dispositions": Disposition.choices,
        "snooze_days": steps.SNOOZE_DAYS,
        "analysts": rights.analysts(),
        **_may(request, alert, events),
        **_typed(request, alert, is_snoozed=snooze is not None),
        **_of_user(alert, found, may_look),
        **_of_system(found, may_look),
        **_of_rule(request, alert),
    }
    return TemplateResponse(request, "admin/alerts/alert.html", context)


def _may(request: HttpRequest, alert: Alert, events: list[AlertEvent]) -> dict[str, Any]:
    """What is offered to this user."""
    may, is_open = rights.may_change(request.user), alert.state != AlertState.CLOSED
    is_own = alert.assignee_id == request.user.pk
    last = triage.step_to_undo(reversed(events))
    return {
        "may_change": may,
        "may_claim": may and (alert.state == AlertState.OPEN and (is_own or alert.assignee is None)),
        "may_release": may and is_open and alert.assignee is not None,
        "is_own": is_own,
        "may_close": may and is_open,
        "may_reopen": may and not is_open,
        "may_snooze": may and (is_own or alert.state != AlertState.OPEN),
        "undo": last
        if may
        and last is not None
        and last.by_id == request.user.pk
        and last.step not in (Step.UNDONE, Step.SNOOZED)
        and last.at > timezone.now() - triage.UNDO_FOR
        else None,
        "undo_words": "" if last is None else shown.undo_words(last, events),
    }


def _typed(request: HttpRequest, alert: Alert, *, is_snoozed: bool) -> dict[str, Any]:
    """What was refused, for its form; for a note where that form is not offered any more."""
    typed = kept_text.of(request, str(alert.pk))
    closed = alert.state == AlertState.CLOSED
    has_form = {"close": not closed, "release": not closed, "reopen": closed, "snooze": not is_snoozed}
    return {
        "typed": typed,
        "note_typed": "" if has_form.get(typed.get("step", ""), True) else typed["reason"],
    }


def _evidence(each: Evidence, may_look: bool) -> dict[str, Any]:
    there = may_look and each.key is not None and not each.is_gone
    return {
        "each": each,
        "why": "" if each.hit is None else explained(each.hit),
        "link": links.transaction(each.key) if there and each.key is not None else "",
    }


def _of_system(found: Explanation, may_look: bool) -> dict[str, Any]:
    """Where a failure rate made it: the transactions that failed in its latest quarter of an hour."""
    hit = found.last
    if hit is None or not may_look or not isinstance(form_of(hit.version), FailureRate):
        return {}
    until = hit.happened_at + timedelta(seconds=BUCKET_S)
    bounds = {"from": hit.happened_at.isoformat(), "to": until.isoformat()}
    query = urlencode({"status": models.Status.FAILED.value, **bounds})
    return {
        "failed_link": links.list_of("transaction", query),
        "failed_since": hit.happened_at,
        "failed_until": until,
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
    """The user's amounts around the alert, those that made it marked, and the window of its latest hit."""
    moments = [each.happened_at for each in found.evidence]
    made = {each.key for each in found.evidence}
    before = _last_before(found)
    rows = customer.amounts(user, before or min(moments) - BEFORE, max(moments) + AFTER)
    since = "from a week before" if before is None else "from the last one before it"
    if before is None and 0 < len(rows) < customer.POINTS_MAX:
        since = f"from a week before; the first of these was at {on_page(timezone.localtime(rows[-1][2]))}"
    return {
        "since": since,
        "points": [
            # As text: a browser's numbers end at 2^53.
            {"id": id, "at": at.isoformat(), "amount": str(amount), "status": status, "made": key in made}
            for key, id, at, amount, status in reversed(rows)
        ],
        "window": _window(found),
        "is_cut": len(rows) == customer.POINTS_MAX,
    }


def _last_before(found: Explanation) -> datetime | None:
    """When the customer of a hit about sleep was awake last; None where the hit is another, or the first."""
    last = found.last.figures.get("last_at") if found.last is not None else None
    return datetime.fromisoformat(last) if last else None


def _window(found: Explanation) -> dict[str, str] | None:
    """Over which the rule counted up to its latest hit; None where it judges each transaction by itself."""
    if found.last is None:
        return None
    form = form_of(found.last.version)
    if not form.window_s:
        return None
    end = found.last.happened_at
    return {"from": (end - timedelta(seconds=form.window_s)).isoformat(), "to": end.isoformat()}


def _of_rule(request: HttpRequest, alert: Alert) -> dict[str, Any]:
    """How the rule has done, where it still is there."""
    rule = Rule.objects.filter(pk=alert.rule).first()
    if rule is None:
        return {"rule": None}
    sees = request.user.has_perm("rules.view_rule")
    return {
        "rule": rule,
        "rule_link": page_of(rule) if sees else "",
        "told": performance.precision_of([rule.pk])[rule.pk],
        "precision_days": performance.PRECISION_DAYS,
    }
