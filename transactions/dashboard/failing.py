"""Who the transactions belong to that failed, of the newest ones of a span: no rollup tells of customers."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..models import Status
from ..reading.spans import TimeSpan
from ..reading.sums import KEPT, of_spans
from ..stores.bounded_queries import query
from ..tables import TRANSACTIONS, USER_KEY, USERS
from .periods import ChosenPeriod

# Rows of a span that are looked at, and as many of the one that it is compared with.
ROWS_MAX = 50_000
SHOWN = 5

# Purpose: the moment of the row at which a span that has too many is cut off; by the index
# transaction_by_time.
SELECT_START = f"""
    SELECT created_at FROM {TRANSACTIONS} WHERE created_at >= %(since)s AND created_at < %(until)s
     ORDER BY created_at DESC OFFSET %(rows)s - 1 LIMIT 1
"""
# Purpose: whose failed most of a span's newest rows, how many of all these failed, and how many of theirs
# did in another span; by the index transaction_by_time.
SELECT_FAILING = f"""
    WITH failed AS MATERIALIZED (
        SELECT user_id, count(*) AS count, sum(count(*)) OVER () AS of_all
          FROM (SELECT user_id, status FROM {TRANSACTIONS}
                 WHERE created_at >= %(since)s AND created_at < %(until)s
                 ORDER BY created_at DESC LIMIT %(rows)s) AS latest
         WHERE status = 'FAILED' GROUP BY user_id ORDER BY count DESC, user_id LIMIT %(most)s),
    earlier AS MATERIALIZED (
        SELECT user_id, count(*) AS count, sum(count(*)) OVER () AS of_all
          FROM (SELECT user_id, status FROM {TRANSACTIONS}
                 WHERE created_at >= %(since_before)s AND created_at < %(until_before)s
                 ORDER BY created_at DESC LIMIT %(rows)s) AS latest
         WHERE status = 'FAILED' GROUP BY user_id)
    SELECT failed.user_id, person.username, failed.count, failed.of_all, coalesce(earlier.count, 0),
           (SELECT coalesce(max(of_all), 0) FROM earlier)
      FROM failed LEFT JOIN earlier USING (user_id)
      LEFT JOIN {USERS} AS person ON person.{USER_KEY} = failed.user_id
     ORDER BY failed.count DESC, failed.user_id
"""


class FailingCustomer(NamedTuple):
    """Somebody whose transactions failed: how many in the span, and how many in the one before.

    None where rows of that time were pruned.
    """

    user: int
    name: str | None
    failed: int
    before: int | None


class Failing(NamedTuple):
    """Whose failed most, of the `failed` since `since`; `partial` where that is not all of the span."""

    since: datetime
    partial: bool
    failed: int
    customers: list[FailingCustomer]


def failing(span: TimeSpan, shift: timedelta | None = None, most: int = SHOWN) -> Failing:
    """Whose transactions failed most in a span, beside the span that is by `shift` earlier, if there is one.

    The newest ROWS_MAX rows of each are looked at: where either has more, both begin later.
    Raises django.db.Error.
    """
    since = _start(span)
    if shift is not None:
        since = max(since, _start(span.earlier(shift)) + shift)
    before = TimeSpan(since, since) if shift is None else TimeSpan(since, span.until).earlier(shift)
    asked = {
        "since": since, "until": span.until, "since_before": before.since, "until_before": before.until,
        "rows": ROWS_MAX, "most": most,
    }  # fmt: skip
    rows = query(SELECT_FAILING, asked)
    # Of rows that may have been pruned the rollups tell whether all are there.
    there, there_before = of_spans([TimeSpan(since, span.until), before])
    sure = span.until - KEPT
    kept = before.since >= sure or not rows or rows[0][5] >= there_before[Status.FAILED].rows
    customers = [
        FailingCustomer(user, name, count, earlier if kept else None)
        for user, name, count, _, earlier, _ in rows
    ]
    failed = int(rows[0][3]) if rows else 0
    partial = since > span.since or (since < sure and failed < there[Status.FAILED].rows)
    return Failing(since, partial, failed, customers)


def _start(span: TimeSpan) -> datetime:
    rows = query(SELECT_START, {**span._asdict(), "rows": ROWS_MAX})
    start: datetime = rows[0][0] if rows else span.since
    return start


def failing_beside_before(choice: ChosenPeriod, until: datetime) -> dict[str, Any]:
    """Whose transactions failed most in the period, for the page. Raises django.db.Error."""
    span = choice.period.span(until)
    found = failing(span, choice.shift)
    return {
        **found._asdict(),
        # As text, to the microsecond: those of the list are those that were counted.
        "since": found.since.isoformat(),
        "customers": [each._asdict() for each in found.customers],
    }
