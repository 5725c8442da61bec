"""Backtests on the admin's pages: asked for, watched, cancelled, and what came of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from django.contrib import admin, messages
from django.db.models.fields.json import KT
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from ...review import links
from ...rules import backtest_runs
from ...rules.backtest_result import named
from ...rules.kinds.gaps import Unfit
from ...rules.kinds.kind import Kind
from ...rules.kinds.registry import read_kept
from ...rules.kinds.wording import counted
from ...rules.models import UNFINISHED, Backtest, BacktestState, Rule
from . import rights
from .links import version_of
from .sentences import sentence

# Of a rule's backtests so many are shown on its page.
SHOWN_MAX = 5
DAY = timedelta(days=1)
# Before the end of a range, which is not in it.
MOMENT = timedelta(microseconds=1)


@dataclass(slots=True)
class AskedRange:
    """The days of a backtest as they were typed, the last one included, and what is wrong with them."""

    first: str
    last: str
    number: int
    error: str = ""

    @classmethod
    def usual(cls, number: int) -> "AskedRange":
        """The days that a backtest looks at unless others are asked for."""
        today = timezone.localdate()
        first = today - timedelta(days=backtest_runs.RANGE_DAYS)
        return cls(first.isoformat(), today.isoformat(), number)

    def moments(self) -> tuple[datetime, datetime]:
        """From the beginning of the first day to the end of the last, in the zone of the page.

        Raises ValueError, OverflowError.
        """
        return _midnight(self.first, "first"), _midnight(self.last, "last", after=DAY)


def _midnight(typed: str, which: str, after: timedelta = timedelta()) -> datetime:
    try:
        day = parse_date(typed)
        if day is None:
            raise ValueError
        # No moment is before year 1 or after 9999.
        return datetime.combine(day + after, time.min, timezone.get_current_timezone()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"The {which} day must be a date like 2026-01-31.") from None


def ask(request: HttpRequest, rule: Rule, number: str) -> AskedRange | Backtest:
    """Queues what a form asks for; or gives back what was typed, with what is wrong with it."""
    rights.demand(rights.may_change(request.user))
    typed = AskedRange(request.POST.get("first", "")[:40], request.POST.get("last", "")[:40], 0)
    version = version_of(rule, number)
    if version is None:
        typed.error = "There is no such version."
        return typed
    typed.number = version.number
    try:
        begin, end = typed.moments()
        now = timezone.now()
        asked = backtest_runs.ask(
            rule,
            version=version,
            begin=begin,
            end=None if begin < now < end else end,
            timezone=timezone.get_current_timezone_name(),
            by=request.user,
        )
    except (ValueError, OverflowError, Unfit, backtest_runs.BacktestRefused) as error:
        typed.error = str(error)
        return typed
    return asked


def try_wording(request: HttpRequest, rule: Rule, form: Kind) -> Backtest | str:
    """Queues a backtest of what is typed and in no version yet; or says why not."""
    rights.demand(rights.may_change(request.user))
    try:
        return backtest_runs.ask(
            rule, form=form, timezone=timezone.get_current_timezone_name(), by=request.user
        )
    except backtest_runs.BacktestRefused as refused:
        return str(refused)


def show(request: HttpRequest, rule: int, backtest: int) -> HttpResponse:
    """A backtest: how far it is, or what came of it."""
    rights.demand(rights.may_view(request.user))
    held = _held(rule, backtest)
    context = {
        **admin.site.each_context(request),
        "title": f"Backtest of “{held.rule.name}”",
        "backtest": held,
        "rule": held.rule,
        "sentence": sentence(read_kept(held.kind, held.parameters)),
        "is_under_way": held.state in UNFINISHED,
        "percent": _percent(held),
        "may_change": rights.may_change(request.user),
        "progress_url": reverse("admin:rules_rule_backtest_progress", args=[held.rule_id, held.pk]),
        **(_result(held, request) if held.result else {}),
    }
    return TemplateResponse(request, "admin/rules/backtest.html", context)


def progress(request: HttpRequest, rule: int, backtest: int) -> JsonResponse:
    """How far a backtest is, for the page that watches it."""
    rights.demand(rights.may_view(request.user))
    held = _held(rule, backtest)
    return JsonResponse(
        {
            "state": held.state,
            "label": BacktestState(held.state).label,
            "under_way": held.state in UNFINISHED,
            "percent": _percent(held),
        }
    )


@require_POST
def cancel(request: HttpRequest, rule: int, backtest: int) -> HttpResponse:
    rights.demand(rights.may_change(request.user))
    held = _held(rule, backtest)
    try:
        backtest_runs.cancel(held)
        messages.success(request, "The backtest is ended.")
    except backtest_runs.BacktestRefused as refused:
        messages.error(request, str(refused))
    return redirect(url_of(held))


class ShownBacktest(NamedTuple):
    """One in the list of a rule's page; `first` and `last` are its days, the last one included."""

    url: str
    version: int | None
    first: datetime
    last: datetime
    state: str
    tone: str
    # "12 hits, about 3 alerts"; "" before there is a result.
    found: str


def latest(rule: Rule) -> list[ShownBacktest]:
    """The latest backtests of a rule, with what they found, and where they are shown."""
    counts = {"hits": KT("result__hits"), "alerts": KT("result__episodes")}
    rows = rule.backtests.select_related("version").defer("result").annotate(**counts).order_by("-id")
    return [
        ShownBacktest(
            url_of(each),
            None if each.version is None else each.version.number,
            each.begin,
            each.end - MOMENT,
            each.get_state_display(),
            each.state,
            _found(each),
        )
        for each in rows[:SHOWN_MAX]
    ]


def _found(backtest: Any) -> str:
    if backtest.hits is None:
        return ""
    hits, alerts = int(backtest.hits), int(backtest.alerts)
    return f"{counted(hits, 'hit')}, about {counted(alerts, 'alert')}" if hits else "no hit"


def url_of(backtest: Backtest) -> str:
    return reverse("admin:rules_rule_backtest", args=[backtest.rule_id, backtest.pk])


def _held(rule: int, backtest: int) -> Backtest:
    found = Backtest.objects.select_related("rule", "version", "beside", "asked_by")
    held = found.filter(rule=rule, pk=backtest).first()
    if held is None:
        raise Http404("There is no such backtest.")
    return held


def _percent(held: Backtest) -> int:
    return 0 if not held.steps else min(100, held.steps_done * 100 // held.steps)


def _result(held: Backtest, request: HttpRequest) -> dict[str, Any]:
    """What came of it, with names and links in place of keys."""
    result: dict[str, Any] = held.result or {}
    # Those of before it was counted tell of all days.
    days = result.get("days_with_transactions", len(result["days"]))
    sample, top = result["sample"], result["top_users"]
    here = timezone.get_current_timezone_name()
    names = links.names([each["user"] for each in (*sample, *top)])
    may_look = request.user.has_perm("transactions.view_transaction")
    return {
        "result": result,
        "recalled": [(named(each["disposition"] or ""), each) for each in result["alerts"]],
        "a_day": _a_day(result, days),
        "days_with_transactions": days,
        "beside_a_day": None if not result["beside"] else _a_day(result["beside"], days),
        "days": {"days": result["days"], "timezone": held.timezone},
        "days_note": "" if held.timezone == here else f"days of {held.timezone}",
        "top_users": [
            (names[each["user"]], links.transactions_of(each["user"]) if may_look else "", each["hits"])
            for each in top
        ],
        "sample": [
            {
                **each,
                "happened_at": datetime.fromisoformat(each["happened_at"]),
                "name": names.get(each["user"], ""),
                "link": links.transaction(each["id"]) if may_look and each["id"] else "",
            }
            for each in sample
        ],
    }


def _a_day(found: dict[str, Any], days: int) -> str:
    """Alerts a day on which anything happened, to a tenth."""
    alerts = found["episodes"] / max(1, days)
    return "under 0.1" if 0 < alerts < 0.1 else f"{alerts:,.1f}"
