"""The alerts on the dashboard: how many are open, how grave, and the gravest of them."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import Error as DatabaseError
from django.db.models import Case, Q, When
from django.urls import reverse
from django.utils import timezone

from ..alerts.models import Alert, AlertState
from ..review import explanation, links, queue
from ..rules.kinds.clock import FailureRate
from ..rules.kinds.windowed import FailureBurst
from ..rules.models import Version
from ..stores import bounded_queries
from .cached import Kept, KeptEach
from .periods import PERIODS
from .wrong import FailureRise

log = logging.getLogger(__name__)

Told = TypeVar("Told")

# The gravest that are shown, and for how many seconds the answer is kept at least.
GRAVEST = 5
KEPT_S = 2.0
# For each of the two that stand beside the figures.
BESIDE_MS_MAX = 1_000
# Those that a frame tells were opened lately: within so long, the newest so many; of a period as many.
LATELY = timedelta(minutes=30)
MARKED_MAX = 200
# Seconds until a page asks again, for what no frame of the websocket has told it: with what a browser adds,
# and for how long the answer is kept, less than a minute.
AGAIN_S = 50.0

# Purpose: up to when the statements that follow tell everything, by one clock for all processes.
SELECT_AS_OF = "SELECT clock_timestamp()"


class AlertsBeside(NamedTuple):
    """What belongs to the figures of a period: `opened`, the newest alerts of that time, and `alert`, one
    about what is wrong with the failure rate (None: there is none). What PostgreSQL does not tell in time is
    None too, and its name is in `untold`.
    """

    opened: list[dict[str, Any]] | None
    alert: dict[str, Any] | None
    untold: list[str]


class RisenFailures(NamedTuple):
    """What an alert may be about: failures since a moment, and the customers with most of them."""

    since: datetime
    failing: tuple[int, ...]


class SharedAlerts:
    """What all dashboards of a process are told of alerts. Safe for threads."""

    def __init__(self) -> None:
        self._kept = Kept(_ask, KEPT_S)
        # None where it takes too long; the one alert, or None where there is none, is in a list.
        self._opened = KeptEach[str, list[dict[str, Any]] | None](
            lambda period: _in_time(lambda: _opened(period)), KEPT_S
        )
        self._about = KeptEach[RisenFailures, list[dict[str, Any] | None] | None](
            lambda failures: _in_time(lambda: [_alert_about(failures)]), KEPT_S
        )

    def told(self) -> dict[str, Any]:
        """For a poll. Raises django.db.Error."""
        return {**self._kept.get(), "again_seconds": AGAIN_S}

    def anew(self) -> dict[str, Any]:
        """For a frame: no older than the call. Raises django.db.Error."""
        return self._kept.renew()

    def beside(self, period: str, wrong: FailureRise | None) -> AlertsBeside:
        """What belongs to the figures of a period, and to what is wrong with the failure rate."""
        opened = _told(lambda: self._opened.get(period))
        about: list[dict[str, Any] | None] | None = [None]
        if wrong is not None:
            failures = RisenFailures(wrong.since, wrong.failing)
            about = _told(lambda: self._about.get(failures))
        untold = [name for name, each in (("opened", opened), ("alert", about)) if each is None]
        return AlertsBeside(opened, about[0] if about else None, untold)

    def forget(self) -> None:
        """Forgets the kept answers, for a test that begins."""
        self._kept.forget()
        self._about.forget()
        self._opened.forget()


def _in_time(ask: Callable[[], Told]) -> Told | None:
    """What `ask` finds, None where that takes too long: an answer that is kept like another."""
    return bounded_queries.in_time(ask, BESIDE_MS_MAX)


def _told(get: Callable[[], Told | None]) -> Told | None:
    try:
        return get()
    except DatabaseError as error:
        log.warning("Alerts beside the dashboard's figures cannot be told (%s)", type(error).__name__)
        return None


def _ask() -> dict[str, Any]:
    ((as_of,),) = bounded_queries.query(SELECT_AS_OF, {})
    nobody = AnonymousUser()
    counts = queue.counts(nobody)
    gravest = queue.rows_of_page({"closed": False, "order": "urgent", "limit": GRAVEST}, nobody).rows
    figures = explanation.headlines(alert.pk for alert in gravest)
    users = get_user_model()._default_manager.in_bulk([alert.user for alert in gravest if alert.user])
    return {
        "as_of": as_of,
        "open": counts["not_closed"],
        "overdue": counts["overdue"],
        "by_severity": counts["by_severity"],
        "complete": counts["complete"],
        "opened_lately": list(
            Alert.objects.filter(opened_at__gt=timezone.now() - LATELY)
            .order_by("-opened_at")
            .values_list("opened_at", flat=True)[:MARKED_MAX]
        ),
        "gravest": [
            {
                "id": alert.pk,
                "state": alert.state,
                "severity": alert.severity,
                "hits": alert.hits,
                "rule": alert.rule_name,
                "figures": figures.get(alert.pk, ""),
                "user": users[alert.user].get_username() if alert.user in users else None,
                "opened_at": alert.opened_at,
                "assignee": None if alert.assignee is None else alert.assignee.get_username(),
                "link": links.alert(alert.pk),
            }
            for alert in gravest
        ],
    }


def _opened(period: str) -> list[dict[str, Any]]:
    """The newest alerts that were opened in a period, for the marks on its charts."""
    since = PERIODS[period].span(timezone.now()).since
    rows = Alert.objects.filter(opened_at__gte=since).order_by("-opened_at", "-id")
    return [
        {
            "id": alert.pk,
            "at": alert.opened_at,
            "severity": alert.severity,
            "rule": alert.rule_name,
            "link": links.alert(alert.pk),
        }
        for alert in rows[:MARKED_MAX]
    ]


def _alert_about(failures: RisenFailures) -> dict[str, Any] | None:
    """The alert that is not closed and has had a hit since it went wrong: of a rule about the failure rate,
    else of one of the customers whose transactions fail most, and of them about failures before others. The
    one that nobody has taken first.
    """
    rules, of_failures = (
        Version.objects.filter(kind=kind.name).values("rule") for kind in (FailureRate, FailureBurst)
    )
    users = failures.failing
    # Without anybody there is no rank: a number alone, in an ORDER BY, is a column's.
    rank = [Case(*(When(user=user, then=place) for place, user in enumerate(users)), default=len(users))]
    about_failures = Case(When(rule__in=of_failures, then=0), default=1)
    alert = (
        Alert.objects.filter(~Q(state=AlertState.CLOSED), touched_at__gte=failures.since)
        .filter(Q(rule__in=rules) | Q(user__in=users))
        .order_by(
            Case(When(user=None, then=0), default=1),
            about_failures,
            Case(When(assignee=None, then=0), default=1),
            *(rank if users else []),
            "opened_at",
            "id",
        )
        .select_related("assignee")
        .first()
    )
    if alert is None:
        return None
    assignee = alert.assignee and alert.assignee.get_username()
    return {
        "id": alert.pk,
        "version": alert.version,
        "assignee": assignee,
        "link": links.alert(alert.pk),
        "take": reverse("admin:alerts_alert_step", args=[alert.pk, "claim"]),
    }


shared_alerts = SharedAlerts()
