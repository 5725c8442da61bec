"""One customer: totals, first and last seen, a count for each day, the latest transactions.

Every statement looks at a bounded number of rows by the index transaction_by_user_amount, however many the
customer has. What is not counted to its end says since when it counts.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.utils import timezone

from ..access.people import people
from ..models import Transaction
from ..stores import bounded_queries
from ..tables import TRANSACTIONS
from . import days

# Transactions that are counted, from the index alone: a tenth of a second.
COUNTED_MAX = 100_000
# Those of which it is looked up what became of them, in the table: as long.
JUDGED_MAX = 10_000
LATEST = 20
DAYS = 30
UTC_DAYS = ZoneInfo("UTC")
# Characters of a customer's name.
NAME_MAX = 150

# All of one user's, in the order of the index. Told that users are equal, PostgreSQL would see that times
# alone need an order, and might go through those of all users for somebody whose latest are long ago.
OF_USER = """
    (t.user_id, t.created_at) >= ({user}, '-infinity'::timestamptz)
    AND (t.user_id, t.created_at) <= ({user}, 'infinity'::timestamptz)
"""
LATEST_FIRST = "ORDER BY t.user_id DESC, t.created_at DESC, t.id DESC LIMIT"
EARLIEST_FIRST = "ORDER BY t.user_id, t.created_at, t.id LIMIT"
THEIRS = OF_USER.format(user="%(user)s")
# The place of the stretch of a day in which a moment is (see `days`), from 1 on; 0: it is before all of them.
# Much faster for 100,000 rows than to ask each for its day in a zone.
STRETCH = "width_bucket(created_at, %(starts)s::timestamptz[])"
# Purpose: how many there are, by day for the last days; of the latest so many. The index has all of it.
COUNT = f"""
    SELECT {STRETCH}, count(*), min(created_at)
      FROM (SELECT t.created_at FROM {TRANSACTIONS} t WHERE {THEIRS} {LATEST_FIRST} %(most)s) latest
     GROUP BY 1
"""
# Purpose: what became of the latest so many, in numbers and in money, and on which of the last days.
JUDGE = f"""
    SELECT status, {STRETCH}, count(*), sum(amount), min(created_at)
      FROM (SELECT t.status, t.amount, t.created_at FROM {TRANSACTIONS} t
             WHERE {THEIRS} {LATEST_FIRST} %(most)s) latest
     GROUP BY 1, 2
"""
FIRST = f"SELECT t.created_at FROM {TRANSACTIONS} t WHERE {THEIRS} {EARLIEST_FIRST} 1"
SELECT_LATEST = f"SELECT t.* FROM {TRANSACTIONS} t WHERE {THEIRS} {LATEST_FIRST} %(most)s"
# Purpose: when each of a page of customers was seen first and last.
SEEN = f"""
    SELECT u.id, first.created_at, last.created_at
      FROM unnest(%(users)s::bigint[]) u (id)
     CROSS JOIN LATERAL (SELECT t.created_at FROM {TRANSACTIONS} t
                          WHERE {OF_USER.format(user="u.id")} {EARLIEST_FIRST} 1) first
     CROSS JOIN LATERAL (SELECT t.created_at FROM {TRANSACTIONS} t
                          WHERE {OF_USER.format(user="u.id")} {LATEST_FIRST} 1) last
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How many transactions ended so, and their amounts in the smallest unit."""

    count: int = 0
    amount: int = 0


@dataclass(frozen=True, slots=True)
class CustomerActivity:
    """What a customer did. `counted_since` and `judged_since` are None where nothing earlier was left out."""

    transactions: int
    counted_since: datetime | None
    succeeded: Ended
    failed: Ended
    pending: Ended
    judged_since: datetime | None
    first_seen: datetime | None
    latest: list[Transaction]
    # The days of `zone` up to today, the first of them first; and how many of those judged failed on them.
    days: list[tuple[date, int]]
    failed_on: dict[date, int]
    zone: ZoneInfo

    @property
    def judged_from(self) -> date | None:
        """The first day on which it was looked at what failed, and not to its end; None: on all of them."""
        return None if self.judged_since is None else self.judged_since.astimezone(self.zone).date()

    def failures_on(self, day: date) -> int | None:
        """How many failed on a day of `days`, at least so many on `judged_from`; None: nobody looked."""
        return None if self.judged_from and day < self.judged_from else self.failed_on.get(day, 0)

    @property
    def last_seen(self) -> datetime | None:
        return self.latest[0].created_at if self.latest else None

    @property
    def success_rate(self) -> float | None:
        """The part of those that have settled which succeeded, from 0 to 1; None where none has."""
        settled = self.succeeded.count + self.failed.count
        return self.succeeded.count / settled if settled else None


def activity(user: int, zone: ZoneInfo = UTC_DAYS) -> CustomerActivity:
    """What the customer of that key did, by four bounded statements; days are those of `zone`.

    Raises django.db.Error.
    """
    today = timezone.now().astimezone(zone).date()
    pieces = days.up_to(zone, today, DAYS)
    starts = [days.moment_text(each.start) for each in pieces] + [days.moment_text(pieces[-1].end)]
    # What is before the first day, or after today, is of no day.
    day_at = [None, *(date.fromordinal(each.day) for each in pieces), None]
    counted = bounded_queries.query(COUNT, {"user": user, "starts": starts, "most": COUNTED_MAX})
    judged = bounded_queries.query(JUDGE, {"user": user, "starts": starts, "most": JUDGED_MAX})
    first = bounded_queries.query(FIRST, {"user": user})
    first_seen = first[0][0] if first else None
    by_day = Counter[date | None]()
    for place, count, _ in counted:
        by_day[day_at[place]] += count
    failed_on = Counter[date]()
    for status, place, count, *_ in judged:
        if status == "FAILED" and (day := day_at[place]):
            failed_on[day] += count
    outcomes = {
        wanted: Ended(sum(row[2] for row in rows), int(sum(row[3] for row in rows)))
        for wanted in ("SUCCESS", "FAILED", "PENDING")
        if (rows := [row for row in judged if row[0] == wanted])
    }
    total = sum(by_day.values())
    return CustomerActivity(
        transactions=total,
        counted_since=_since(counted, total == COUNTED_MAX, first_seen),
        succeeded=outcomes.get("SUCCESS", Ended()),
        failed=outcomes.get("FAILED", Ended()),
        pending=outcomes.get("PENDING", Ended()),
        judged_since=_since(judged, sum(each.count for each in outcomes.values()) == JUDGED_MAX, first_seen),
        first_seen=first_seen,
        latest=latest(user),
        failed_on=dict(failed_on),
        days=[(day, by_day[day]) for day in (today - timedelta(days=n) for n in reversed(range(DAYS)))],
        zone=zone,
    )


def _since(rows: list[Any], is_full: bool, first_seen: datetime | None) -> datetime | None:
    """The earliest moment among `rows`, whose last column has those of groups; None where it is the first."""
    earliest: datetime | None = min((row[-1] for row in rows), default=None)
    return earliest if is_full and earliest != first_seen else None


def latest(user: int, most: int = LATEST) -> list[Transaction]:
    """The customer's latest stored transactions, so many at most. Raises django.db.Error."""
    with bounded_queries.bounded():
        return list(Transaction.objects.raw(SELECT_LATEST, {"user": user, "most": most}))


def seen(users: list[int]) -> dict[int, tuple[datetime, datetime]]:
    """When each of those had its first transaction and its latest; one without any is left out.

    Raises django.db.Error.
    """
    found = bounded_queries.query(SEEN, {"users": users}) if users else []
    return {user: (first, last) for user, first, last in found}


def names(keys: Iterable[int]) -> dict[int, str]:
    """The names of those customers that there are, by key; of those who work here, too, if they pay.

    Raises django.db.Error.
    """
    model = get_user_model()
    with bounded_queries.bounded():
        found = model._default_manager.filter(pk__in=list(keys))
        named = dict(found.values_list("pk", model.USERNAME_FIELD))
        work_here = set(people().filter(pk__in=list(named)).values_list("pk", flat=True))
    pay = seen(list(work_here))
    return {key: name for key, name in named.items() if key not in work_here or key in pay}


def key_of(name: str) -> int | None:
    """The key of the customer of that whole name, of whom `names` tells; None also where several fit.

    In any letter case, if none is spelt so, as the search finds them. Raises django.db.Error.
    """
    if "\0" in name or len(name) > NAME_MAX:
        return None
    model = get_user_model()
    with bounded_queries.bounded():
        accounts = model._default_manager.values_list("pk", flat=True)
        found = list(accounts.filter(**{model.USERNAME_FIELD: name}))
        found = found or list(accounts.filter(**{f"{model.USERNAME_FIELD}__iexact": name})[:2])
    key: int | None = found[0] if len(found) == 1 else None
    return key if key is not None and key in names([key]) else None
