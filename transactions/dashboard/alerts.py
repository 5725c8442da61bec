"""The alerts on the dashboard: how many are open, how grave, and the newest of them."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone

from ..alerts.models import Alert
from ..review import explanation, queue
from ..stores import bounded_queries
from .cached import Kept
from .figures import THROUGHPUT_MINUTES

# The newest that are shown, and for how many seconds the answer is kept at least.
NEWEST = 5
KEPT_S = 2.0
# Those that are marked on the chart of minutes: of so long, the newest so many.
MARKED_FOR = timedelta(minutes=THROUGHPUT_MINUTES)
MARKED_MAX = 200
# Seconds until a page asks again, for what no frame of the websocket has told it: with what a browser adds,
# and for how long the answer is kept, less than a minute.
AGAIN_S = 50.0

# Purpose: up to when the statements that follow tell everything, by one clock for all processes.
SELECT_AS_OF = "SELECT clock_timestamp()"


class SharedAlerts:
    """What all dashboards of a process are told of alerts. Safe for threads."""

    def __init__(self) -> None:
        self._kept = Kept(_ask, KEPT_S)

    def told(self) -> dict[str, Any]:
        """For a poll. Raises django.db.Error."""
        return {**self._kept.get(), "again_seconds": AGAIN_S}

    def anew(self) -> dict[str, Any]:
        """For a frame: no older than the call. Raises django.db.Error."""
        return self._kept.renew()

    def forget(self) -> None:
        """Forgets the kept answer, for a test that begins."""
        self._kept.forget()


def _ask() -> dict[str, Any]:
    ((as_of,),) = bounded_queries.query(SELECT_AS_OF, {})
    nobody = AnonymousUser()
    counts = queue.counts(nobody)
    newest, _ = queue.rows_of_page({"closed": False, "order": "newest", "limit": NEWEST}, nobody)
    figures = explanation.figures_of(alert.pk for alert in newest)
    users = get_user_model()._default_manager.in_bulk([alert.user for alert in newest if alert.user])
    return {
        "as_of": as_of,
        "open": counts["not_closed"],
        "overdue": counts["overdue"],
        "by_severity": counts["by_severity"],
        "complete": counts["complete"],
        "opened_lately": list(
            Alert.objects.filter(opened_at__gt=timezone.now() - MARKED_FOR)
            .order_by("-opened_at")
            .values_list("opened_at", flat=True)[:MARKED_MAX]
        ),
        "newest": [
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
                "link": reverse("admin:alerts_alert_change", args=[alert.pk]),
            }
            for alert in newest
        ],
    }


shared_alerts = SharedAlerts()
