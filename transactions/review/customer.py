"""What is known of the user of an alert: totals, a line of amounts, other alerts, snoozes."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from .. import tables
from ..alerts.models import Alert, Snooze
from ..stores import bounded_queries
from . import queue

DAYS = 30
# Beyond it no transaction of a user is counted.
COUNTED_MAX = 10_000
OTHERS_MAX = 20
POINTS_MAX = 500

# A user's transactions of the last days, the latest first, by the index on users.
THEIRS = f"""
    {tables.TRANSACTIONS} t
    WHERE t.user_id = %(user)s AND (t.user_id, t.created_at) > (%(user)s, %(since)s)
    ORDER BY t.user_id DESC, t.created_at DESC, t.id DESC
"""
# Purpose: the latest so many of them, counted and summed, and whether there are more.
TOTALS = f"""
    SELECT EXISTS (SELECT FROM {THEIRS} OFFSET %(most)s LIMIT 1), count(*),
           count(*) FILTER (WHERE status = 'SUCCESS'), count(*) FILTER (WHERE status = 'FAILED'),
           count(*) FILTER (WHERE status = 'PENDING'),
           coalesce(sum(amount) FILTER (WHERE status = 'SUCCESS'), 0)
      FROM (SELECT t.status, t.amount FROM {THEIRS} LIMIT %(most)s) counted
"""
FIRST = f"""
    SELECT t.created_at FROM {tables.TRANSACTIONS} t WHERE t.user_id = %(user)s
     ORDER BY t.user_id, t.created_at, t.id LIMIT 1
"""
# Purpose: a user's amounts around an alert, the latest so many. The span has bounds on both sides and no
# `user_id =` beside them: at that the index would be read from the user's latest row on.
AMOUNTS = f"""
    SELECT t.id, t.transaction_id, t.created_at, t.amount, t.status FROM {tables.TRANSACTIONS} t
     WHERE (t.user_id, t.created_at) >= (%(user)s, %(first)s)
       AND (t.user_id, t.created_at) <= (%(user)s, %(last)s)
     ORDER BY t.user_id DESC, t.created_at DESC, t.id DESC LIMIT %(most)s
"""


def totals(user: int) -> dict[str, Any]:
    """Counts by status and the sum of what succeeded, of the last DAYS days.

    All of it is of the latest COUNTED_MAX; where there are more, it is not `complete`.
    """
    since = timezone.now() - timedelta(days=DAYS)
    asked = {"user": user, "since": since, "most": COUNTED_MAX}
    ((more, count, succeeded, failed, pending, amount),) = bounded_queries.query(TOTALS, asked)
    first = bounded_queries.query(FIRST, {"user": user})
    return {
        "days": DAYS,
        "transactions": count,
        "succeeded": succeeded,
        "failed": failed,
        "pending": pending,
        "amount_succeeded": int(amount),
        "complete": not more,
        "first_at": first[0][0] if first else None,
    }


def amounts(user: int, first: datetime, last: datetime) -> list[Any]:
    """(key, transaction_id, moment, amount, status) of the user's between two moments, the latest first."""
    asked = {"user": user, "first": first, "last": last, "most": POINTS_MAX}
    return bounded_queries.query(AMOUNTS, asked)


def others(alert: Alert) -> list[Alert]:
    """Other alerts of the user, or of the whole system, the newest first."""
    rows = Alert.objects.select_related("assignee", "closed_by").filter(user=alert.user)
    return list(rows.exclude(pk=alert.pk).order_by("-opened_at", "-id")[:OTHERS_MAX])


def others_as_dicts(alert: Alert) -> list[dict[str, Any]]:
    return [queue.as_dict(each) for each in others(alert)]


def snooze_in_force(alert: Alert) -> Snooze | None:
    """What keeps alerts of its rule and user away now."""
    return snoozes(alert).filter(ends_at__gt=timezone.now()).order_by("-ends_at").first()


def snoozes(alert: Alert) -> QuerySet[Snooze]:
    """All there were of its rule and user."""
    same = Q(user=alert.user) if alert.user is not None else Q(user=None)
    return Snooze.objects.select_related("made_by").filter(same, rule=alert.rule)
