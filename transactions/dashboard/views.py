"""The dashboard's page and its figures: read the request, call one function, answer."""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

import redis
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from ..access.plain_views import View, readers_only
from ..access.rights import Right, rights_of
from ..live.feed import FEED_RECORDS
from ..queue.keys import BOOKS
from ..reading.averages import AverageParameters, Question, daily_averages
from ..reading.days import zone_names
from ..stores.redis_connection import connection, text
from . import figures, sample, story
from .cached import Kept, PollPace

log = logging.getLogger(__name__)

# Records of the feed with which a fresh page begins, and of how many it wants those that pass its filter:
# half of what the feed holds, or it might have ended by the time it is read.
FIRST_RECORDS = 100
FIRST_RECORDS_FILTERED = FEED_RECORDS // 2
AVERAGE_DAYS = 30
AVERAGE_DAYS_MAX = 3_660

POSTGRES_AWAY = "PostgreSQL does not answer in time."


def with_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the admin's first page, with the dashboard for who may read."""
    if Right.READ not in rights_of(request.user):
        return context
    urls = {
        "figures": reverse("dashboard-figures"),
        "averages": reverse("dashboard-averages"),
        "start": reverse("dashboard-start"),
        "story": reverse("dashboard-story"),
        "api": reverse("transactions"),
        "transactions": reverse("admin:transactions_transaction_changelist"),
        "rejected": reverse("admin:transactions_rejectedrecord_changelist"),
    }
    shown = {"urls": urls, "tiles": list(figures.TILES), "zones": sorted(zone_names())}
    return {**context, "title": "Dashboard", "dashboard": shown}


def _figure(view: View) -> View:
    """For who may read; a store that is away is a 503 that says which."""

    @readers_only(forbidden="Log in again: you may not read this.", away=POSTGRES_AWAY)
    @wraps(view)
    def told(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except redis.RedisError as error:
            log.warning("A figure of the dashboard needs Redis (%s)", type(error).__name__)
            return JsonResponse({"detail": "Redis does not answer."}, status=503)
        except DatabaseError as error:
            log.warning("A figure of the dashboard needs PostgreSQL (%s)", type(error).__name__)
            return JsonResponse({"detail": POSTGRES_AWAY}, status=503)

    return require_GET(never_cache(told))


_status = Kept(figures.status, 1.0)
_tiles = Kept(lambda: _with_moment(figures.tiles), 4.0)
_hour = Kept(lambda: _with_moment(figures.count_hour), 60.0)
_minutes = Kept(lambda: _with_moment(lambda until: figures.throughput(until, _hour.get()["data"])), 4.0)
_sample = Kept(lambda: _with_moment(sample.sample), 10.0)
_pace = PollPace()


def forget() -> None:
    """Forgets every kept answer, for a test that begins."""
    for kept in (_status, _tiles, _hour, _minutes, _sample):
        kept.forget()


def _with_moment(ask: Callable[[datetime], Any]) -> dict[str, Any]:
    until = figures.as_of(_status.get()["books"]["last_flush"])
    return {"as_of": until, "data": ask(until)}


def _throughput() -> dict[str, Any]:
    # First, or what the hour costs would count as a cost of the newest minutes.
    _hour.get()
    return _minutes.get()


@_figure
def show_figures(request: HttpRequest) -> HttpResponse:
    """The status strip and every figure but the averages; null for what PostgreSQL does not tell in time."""
    body: dict[str, Any] = {"status": _status.get(), "again_seconds": _pace.again_s()}
    figures: list[tuple[str, Callable[[], Any]]] = [
        ("tiles", _tiles.get),
        ("throughput", _throughput),
        ("sample", _sample.get),
    ]
    for name, get in figures:
        try:
            body[name] = get()
        except DatabaseError as error:
            log.warning("The dashboard's %s cannot be told (%s)", name, type(error).__name__)
            body[name] = None
    return JsonResponse(body)


@_figure
def show_start(request: HttpRequest) -> HttpResponse:
    """Where a fresh page begins in the feed: its epoch, and a number a few records back."""
    epoch, accepted = connection().hmget(BOOKS, "epoch", "accepted")
    since, since_filtered = (
        max(int(accepted or 0) - records, 0) for records in (FIRST_RECORDS, FIRST_RECORDS_FILTERED)
    )
    return JsonResponse({"epoch": text(epoch), "since": since, "since_filtered": since_filtered})


@_figure
def show_averages(request: HttpRequest) -> HttpResponse:
    """The daily averages of a range (the last AVERAGE_DAYS days) and of as many days before it."""
    parameters = AverageParameters(data=request.GET)
    if not parameters.is_valid():
        return JsonResponse(parameters.errors, status=400)
    asked = parameters.question()
    last = asked.last or timezone.now().astimezone(ZoneInfo(asked.timezone)).date()
    first = asked.first or date.fromordinal(max(1, last.toordinal() - AVERAGE_DAYS + 1))
    days = (last - first).days + 1
    if days < 1 or days > AVERAGE_DAYS_MAX:
        return JsonResponse({"to": [f"A range has 1 to {AVERAGE_DAYS_MAX:,} days."]}, status=400)
    return JsonResponse(_averages(first, last, asked))


def _averages(first: date, last: date, asked: Question) -> dict[str, Any]:
    length = last - first + timedelta(days=1)
    body: dict[str, Any] = daily_averages(_between(asked, first, last))
    body["before"] = []
    if first.toordinal() > length.days:
        body["before"] = daily_averages(_between(asked, first - length, last - length))["data"]
    for day in (*body["data"], *body["before"]):
        day["total"] = str(day["total"])
    return {**body, "days": length.days}


def _between(asked: Question, first: date, last: date) -> Question:
    return Question(first, last, asked.timezone, asked.status, asked.user)


@_figure
def show_story(request: HttpRequest) -> HttpResponse:
    """The story of the transaction `transaction_id`."""
    found = story.story(request.GET.get("transaction_id", ""))
    if found is None:
        return JsonResponse({"detail": "No such transaction."}, status=404)
    return JsonResponse(found)
