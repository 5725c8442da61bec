"""What came of a backtest: counted by PostgreSQL slice by slice, added up here, and told.

Of hits nothing comes here but sums, the users most hit and a few to show: as little for ten million
hits as for ten.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from .. import money
from ..alerts.grouping import QUIET_HOURS
from ..alerts.models import Alert, Disposition
from ..models import Rollup, Transaction
from .kinds.gaps import in_full
from .kinds.kind import Kind
from .kinds.wording import counted
from .models import Hit

SAMPLE, TOP = 20, 10
QUIET = f"interval '{QUIET_HOURS} hours'"

# Purpose: of the hits of a slice (`this`): each day's, the users', and some to show. What became of each
# transaction is looked up by its key, or along the whole table where the hits are a large part of it. Days
# are those of a timezone. An episode begins with a hit before which the user was quiet: what would open an
# alert. Which hits are shown depends on their keys alone, so each is as likely as any other, and the same
# ones come again.
SUMMARY = f"""
    {{scope}} this AS MATERIALIZED ({{this}}), other AS MATERIALIZED ({{other}}),
    marked AS (
        SELECT created_at, amount, status, {{opens}} AS opens
          FROM (SELECT this.*, t.status
                  FROM this LEFT JOIN {Transaction._meta.db_table} t ON t.id = this.id) known
    ), days AS (
        SELECT (created_at AT TIME ZONE %(days_of)s)::date AS day,
               count(*) AS hits, count(*) FILTER (WHERE opens) AS episodes,
               sum(amount) AS total, min(amount) AS least, max(amount) AS most,
               sum(amount) FILTER (WHERE status = 'SUCCESS') AS succeeded,
               sum(amount) FILTER (WHERE status = 'FAILED') AS failed,
               sum(amount) FILTER (WHERE status = 'PENDING') AS pending
          FROM marked GROUP BY 1
    ), users AS (
        SELECT user_id, count(*) AS hits FROM this WHERE user_id IS NOT NULL GROUP BY 1
    ), recalled AS ({{alerts}})
    SELECT (SELECT jsonb_agg(days) FROM days),
           (SELECT count(*) FROM users),
           (SELECT jsonb_agg(t) FROM (SELECT user_id, hits FROM users ORDER BY 2 DESC, 1 LIMIT {TOP}) t),
           (SELECT jsonb_agg(s) FROM (
                SELECT hashint8extended(coalesce(id, extract(epoch FROM created_at)::bigint), 0) AS place,
                       id, user_id, created_at, amount, figures
                  FROM this ORDER BY 1 LIMIT {SAMPLE}) s),
           (SELECT count(*) FROM other),
           (SELECT count(*) FILTER (WHERE opens) FROM (SELECT {{opens}} AS opens FROM other) o),
           (SELECT count(*) FROM this JOIN other
                ON coalesce(this.id, 0) = coalesce(other.id, 0) AND this.created_at = other.created_at),
           (SELECT jsonb_agg(recalled) FROM recalled)
"""
OPENS = f"""coalesce(
    created_at - lag(created_at) OVER (PARTITION BY user_id ORDER BY created_at, id) > {QUIET}, true)"""
# The sums of amounts, each of one status.
STATUSES = ("succeeded", "failed", "pending")
NOTHING = """
    SELECT NULL::bigint AS id, NULL::bigint AS user_id, NULL::timestamptz AS created_at,
           NULL::bigint AS amount, NULL::jsonb AS figures WHERE false
"""
# Purpose: past alerts of the rule, by disposition, and how many of them these hits would have raised
# again: those with a hit of the user from a quiet time before the alert's first until one after its last.
ALERTS = f"""
    SELECT disposition, count(*) AS alerts, count(*) FILTER (WHERE again) AS again FROM (
        SELECT a.id, a.disposition, bool_or(h.user_id IS NOT NULL
               OR h.created_at IS NOT NULL) AS again
          FROM {Alert._meta.db_table} a
         CROSS JOIN LATERAL (
            SELECT min(happened_at) AS first, max(happened_at) AS last
              FROM {Hit._meta.db_table} r WHERE r.alert_id = a.id) span
          LEFT JOIN this h ON coalesce(h.user_id, 0) = coalesce(a."user", 0)
               AND h.created_at >= span.first - {QUIET} AND h.created_at <= span.last + {QUIET}
         WHERE a.rule = %(rule)s AND span.first < %(end)s AND span.last >= %(begin)s {{whose}}
         GROUP BY a.id) known
     GROUP BY disposition
"""
OF_USERS = """AND a."user" IN (SELECT user_id FROM scope)"""
NO_ALERTS = "SELECT '' AS disposition, 0 AS alerts, 0 AS again WHERE false"
# Purpose: on how many days of a timezone anything happened. A quarter of an hour is the day's that it
# begins on.
COUNT_DAYS = f"""
    SELECT count(DISTINCT (greatest(bucket, %(begin)s) AT TIME ZONE %(days_of)s)::date)
      FROM {Rollup._meta.db_table}
     WHERE bucket > %(begin)s::timestamptz - interval '15 minutes' AND bucket < %(end)s
"""
# Purpose: what those that are shown are called, and their status now.
SELECT_SHOWN = f"SELECT id, transaction_id, status FROM {Transaction._meta.db_table} WHERE id = ANY(%s)"


def summary(this: str, other: str | None, *, scope: str | None, rule: int | None) -> str:
    """The statement that sums up the hits of one text, beside those of another, of `scope` or of all."""
    alerts = NO_ALERTS if rule is None else ALERTS.format(whose="" if scope is None else OF_USERS)
    return SUMMARY.format(
        scope="WITH" if scope is None else f"{scope},",
        this=this,
        other=NOTHING if other is None else other,
        opens=OPENS,
        alerts=alerts,
    )


class Shown(NamedTuple):
    """A hit that is shown: the row's key and its id, or a moment alone."""

    id: int | None
    transaction_id: str
    user: int | None
    happened_at: str
    amount: int | None
    status: str
    figures: dict[str, Any]
    # What it is, in a sentence.
    explanation: str


def named(disposition: str) -> str:
    """A disposition in words."""
    return Disposition(disposition).label.lower() if disposition else "no disposition"


class Recalled(NamedTuple):
    """Past alerts of one disposition, and how many of them would have been raised."""

    alerts: int
    again: int


@dataclass(slots=True)
class BacktestResult:
    """What a rule found. Days are of `timezone`; an episode is hits of one user without quiet between."""

    begin: datetime
    end: datetime
    timezone: str = "UTC"
    hits: int = 0
    users: int = 0
    episodes: int = 0
    hits_by_day: Counter[str] = field(default_factory=Counter)
    episodes_by_day: Counter[str] = field(default_factory=Counter)
    amount_total: int = 0
    # Of these what succeeded, failed and is pending, each apart.
    amounts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    amount_least: int | None = None
    amount_most: int | None = None
    top_users: list[tuple[int, int]] = field(default_factory=list)
    sample: list[Shown] = field(default_factory=list)
    # Beside another rule.
    both: int | None = None
    only_this: int | None = None
    only_other: int | None = None
    other_episodes: int | None = None
    # Of past alerts of the rule, by disposition; "" where nobody has given one.
    alerts: dict[str, Recalled] = field(default_factory=dict)
    # Days of the range on which anything happened, whether it is a hit or not.
    days_with_transactions: int = 0
    seconds: float = 0.0
    _lowest: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: tuple[Any, ...]) -> None:
        """Adds what `summary` says of one slice; no user is in two."""
        days, users, top, shown, other, other_episodes, both, alerts = row
        for day in days or ():
            self.hits += day["hits"]
            self.episodes += day["episodes"]
            self.hits_by_day[day["day"]] += day["hits"]
            if day["episodes"]:
                self.episodes_by_day[day["day"]] += day["episodes"]
            self._add_amounts(day)
        self.users += users
        tops = [*self.top_users, *((each["user_id"], each["hits"]) for each in top or ())]
        self.top_users = sorted(tops, key=lambda each: (-each[1], each[0]))[:TOP]
        self._lowest = sorted([*self._lowest, *(shown or ())], key=lambda each: each["place"])[:SAMPLE]
        if self.both is not None and self.only_other is not None and self.other_episodes is not None:
            self.both += both
            self.only_this = self.hits - self.both
            self.only_other += other - both
            self.other_episodes += other_episodes
        for each in alerts or ():
            before = self.alerts.get(each["disposition"], Recalled(0, 0))
            self.alerts[each["disposition"]] = Recalled(
                before.alerts + each["alerts"], before.again + each["again"]
            )

    def _add_amounts(self, day: dict[str, Any]) -> None:
        if day["least"] is not None:
            known = self.amount_least, self.amount_most
            self.amount_total += day["total"]
            for name in STATUSES:
                self.amounts[name] += day[name] or 0
            self.amount_least = day["least"] if known[0] is None else min(known[0], day["least"])
            self.amount_most = max(known[1] or 0, day["most"])

    def show(self, cursor: Any, kind: Kind) -> None:
        """Fills the sample, in the order of time, and counts the days; once all slices are added."""
        cursor.execute(COUNT_DAYS, {"begin": self.begin, "end": self.end, "days_of": in_full(self.timezone)})
        (self.days_with_transactions,) = cursor.fetchone()
        cursor.execute(SELECT_SHOWN, ([each["id"] for each in self._lowest if each["id"]],))
        known = {id: (name, status) for id, name, status in cursor.fetchall()}
        self.sample = [
            Shown(
                each["id"],
                known.get(each["id"], ("", ""))[0],
                each["user_id"],
                each["created_at"],
                each["amount"],
                known.get(each["id"], ("", ""))[1],
                each["figures"],
                kind.explain(each["figures"]),
            )
            for each in sorted(self._lowest, key=lambda each: (each["created_at"], each["id"] or 0))
        ]

    def days(self) -> list[str]:
        """Every day of the range, those without a hit too."""
        zone = ZoneInfo(self.timezone)
        first = self.begin.astimezone(zone).date()
        last = (self.end - timedelta(microseconds=1)).astimezone(zone).date()
        return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]

    def __str__(self) -> str:
        """A few lines for a terminal."""
        zone = ZoneInfo(self.timezone)
        begin, end = (at.astimezone(zone) for at in (self.begin, self.end))
        whose = f", of {counted(self.users, 'user')}" if self.users or not self.hits else ""
        lines = [
            f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} {self.timezone}, in {self.seconds:.1f} s",
            f"hits: {self.hits:,}{whose}; alerts: about {self.episodes:,}, "
            f"{self.episodes / max(1, self.days_with_transactions):,.1f} a day",
            f"transactions on {self.days_with_transactions:,} of {counted(len(self.days()), 'day')}",
        ]
        if self.amount_least is not None:
            each = ", ".join(f"{name} {money.text(total)}" for name, total in self.amounts.items() if total)
            lines.append(
                f"amounts: {money.text(self.amount_least)} to {money.text(self.amount_most or 0)}; "
                f"{each or 'nothing'} in all"
            )
        if self.top_users:
            lines.append("most hit: " + ", ".join(f"user {user} ({hits})" for user, hits in self.top_users))
        for disposition, recalled in sorted(self.alerts.items()):
            lines.append(
                f"past alerts, {named(disposition)}: {recalled.again} of {recalled.alerts} "
                "would have been raised"
            )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON knows it; the API answers this, and `--json` prints it."""
        return {
            "hits": self.hits,
            "users": self.users,
            "episodes": self.episodes,
            "amounts": {
                "total": self.amount_total,
                **self.amounts,
                "least": self.amount_least,
                "most": self.amount_most,
            },
            "days": [
                {"day": day, "hits": self.hits_by_day[day], "episodes": self.episodes_by_day[day]}
                for day in self.days()
            ],
            "top_users": [{"user": user, "hits": hits} for user, hits in self.top_users],
            "sample": [shown._asdict() for shown in self.sample],
            "beside": None
            if self.both is None or self.only_other is None
            else {
                "hits": self.both + self.only_other,
                "episodes": self.other_episodes,
                "both": self.both,
                "only_this": self.only_this,
                "only_other": self.only_other,
            },
            "alerts": [
                {"disposition": disposition or None, **recalled._asdict()}
                for disposition, recalled in sorted(self.alerts.items())
            ],
            "days_with_transactions": self.days_with_transactions,
            "seconds": self.seconds,
        }

    def as_json(self) -> str:
        """One JSON object."""
        return json.dumps(
            {
                "from": self.begin.isoformat(),
                "to": self.end.isoformat(),
                "timezone": self.timezone,
                **self.as_dict(),
            },
            ensure_ascii=False,
        )
