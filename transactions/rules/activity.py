"""What rules found lately, by rule: for those who look whether a rule is worth its alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from ..alerts.models import Alert
from ..stores.bounded_queries import bounded
from .models import ClockCursor, Debt, Hit, Rule, Version

VERSION, HIT, DEBT = Version._meta.db_table, Hit._meta.db_table, Debt._meta.db_table
ALERT, CURSOR = Alert._meta.db_table, ClockCursor._meta.db_table

LATEST_MAX = 20

# Whether a hit was raised in shadow: any other joins an alert, or says why it does not.
IN_SHADOW = "{hit}.alert_id IS NULL AND {hit}.suppressed = ''"
# Beyond it nothing is counted: a rule that everything hits costs its reader no more than another.
COUNTED_MAX = 10_000
# How late a hit of a time in shadow may come and be counted. Without a bound all that was raised since would
# be read for those.
SHADOW_LATE = "interval '1 day'"
# Purpose: hits of versions since each of some moments, by the index hit_by_version, and then those in shadow;
# each by itself, for a version may have very many of either. None is raised before a version raises alerts,
# from the minute on that follows its approval.
COUNT_HITS = f"""
    SELECT v.id, array_agg(raised.hits ORDER BY m.place), array_agg(in_shadow.hits ORDER BY m.place)
      FROM (SELECT id, alerts_from FROM {VERSION} WHERE id = ANY(%(versions)s::bigint[])) v
     CROSS JOIN unnest(%(moments)s::timestamptz[]) WITH ORDINALITY m (since, place)
     CROSS JOIN LATERAL (
        SELECT count(*) AS hits
          FROM (SELECT FROM {HIT} h
                 WHERE h.version_id = v.id AND h.raised_at >= m.since
                   AND h.raised_at >= v.alerts_from - interval '1 minute'
                   AND NOT ({IN_SHADOW.format(hit="h")})
                 LIMIT %(most)s) counted) raised
     CROSS JOIN LATERAL (
        SELECT count(*) AS hits
          FROM (SELECT FROM {HIT} h
                 WHERE h.version_id = v.id AND h.raised_at >= m.since
                   AND h.raised_at < coalesce(v.alerts_from, 'infinity') + {SHADOW_LATE}
                   AND {IN_SHADOW.format(hit="h")}
                 LIMIT %(most)s) counted) in_shadow
     GROUP BY v.id
"""
# Purpose: alerts that rules opened since a moment.
COUNT_OPENED = f"SELECT rule, count(*) FROM {ALERT} WHERE opened_at >= %s GROUP BY rule"
# Purpose: alerts that are not closed, by the index that keeps them one of each rule and user.
COUNT_ALERTS = f"""
    SELECT rule, count(*) FROM {ALERT} WHERE state <> 'CLOSED' AND rule = ANY(%s) GROUP BY rule
"""
# Purpose: the latest hits of each version, by the same index.
_LATEST_OF_VERSION = f"""
    CROSS JOIN LATERAL (
        SELECT id, raised_at FROM {HIT} WHERE version_id = v.id ORDER BY raised_at DESC, id DESC LIMIT %s) h
"""
SELECT_LAST = f"""
    SELECT v.rule_id, max(h.raised_at) FROM {VERSION} v {_LATEST_OF_VERSION}
     WHERE v.rule_id = ANY(%s) AND v.effective_from IS NOT NULL GROUP BY v.rule_id
"""
SELECT_LATEST = f"""
    SELECT h.id FROM {VERSION} v {_LATEST_OF_VERSION}
     WHERE v.rule_id = %s AND v.effective_from IS NOT NULL ORDER BY h.raised_at DESC, h.id DESC LIMIT %s
"""
# Purpose: what is owed by version, and why versions failed when they were tried last.
SELECT_OWED = f"""
    SELECT v.rule_id, coalesce(sum(o.records), 0)::bigint, max(o.error)
      FROM (SELECT version_id, records, error FROM {DEBT}
             UNION ALL SELECT version_id, 0, error FROM {CURSOR} WHERE error <> '') o
      JOIN {VERSION} v ON v.id = o.version_id
     WHERE v.rule_id = ANY(%s) GROUP BY v.rule_id
"""


@dataclass(slots=True)
class Activity:
    """Of one rule: hits by when they were raised, alerts that are open, and what it has not judged yet.

    Hits are counted up to COUNTED_MAX.
    """

    hits_7_days: int = 0
    hits_30_days: int = 0
    # Hits without alerts, which the others leave out.
    shadow_7_days: int = 0
    shadow_30_days: int = 0
    open_alerts: int = 0
    # None for a rule that never fired.
    last_hit: datetime | None = None
    debt_records: int = 0
    # Why it failed when it was tried last; "" where it did not.
    error: str = ""


def hits_lately(versions: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """By rule the hits that were raised in 7 and in 30 days, then those in shadow; each up to COUNTED_MAX.

    `versions` are rules and versions of theirs, by their keys. Raises django.db.Error.
    """
    now = timezone.now()
    return _hits_since(versions, [now - timedelta(days=days) for days in (7, 30)], COUNTED_MAX)


def _hits_since(
    versions: Iterable[tuple[int, int]], moments: list[datetime], most: int | None
) -> dict[int, list[int]]:
    """By rule the hits since each of the moments, then those in shadow; each counted up to `most`."""
    rules = {version: rule for rule, version in versions}
    found = {rule: [0] * 2 * len(moments) for rule in rules.values()}
    with connection.cursor() as cursor:
        cursor.execute(COUNT_HITS, {"versions": list(rules), "moments": moments, "most": most})
        for version, hits, in_shadow in cursor.fetchall():
            both = zip(found[rules[version]], [*hits, *in_shadow], strict=True)
            found[rules[version]] = [sum(each) if most is None else min(sum(each), most) for each in both]
    return found


class RuleFindings(NamedTuple):
    """What a rule raised in a time: hits, but for those in shadow, and the alerts that it opened."""

    name: str
    hits: int
    alerts: int


def found_since(moment: datetime) -> list[RuleFindings]:
    """By name the rules that have hit something since. Raises django.db.Error."""
    judged = list(Version.objects.exclude(effective_from=None).values_list("rule_id", "pk"))
    with bounded() as cursor:
        hits = {rule: counts[0] for rule, counts in _hits_since(judged, [moment], None).items()}
        cursor.execute(COUNT_OPENED, [moment])
        opened = dict(cursor.fetchall())
    rules = Rule.objects.filter(pk__in=[rule for rule in hits if hits[rule]]).order_by("name")
    return [RuleFindings(rule.name, hits[rule.pk], opened.get(rule.pk, 0)) for rule in rules]


def counted_in_words(counted: int) -> str:
    """A number that was counted up to COUNTED_MAX, as a person reads it."""
    return f"{counted:,} or more" if counted >= COUNTED_MAX else f"{counted:,}"


def of_rules(rules: Sequence[int]) -> dict[int, Activity]:
    """By rule. Raises django.db.Error."""
    found = {rule: Activity() for rule in rules}
    keys = list(rules)
    judged = Version.objects.filter(rule__in=keys).exclude(effective_from=None)
    for rule, counts in hits_lately(judged.values_list("rule_id", "pk")).items():
        found[rule].hits_7_days, found[rule].hits_30_days = counts[:2]
        found[rule].shadow_7_days, found[rule].shadow_30_days = counts[2:]
    with connection.cursor() as cursor:
        cursor.execute(COUNT_ALERTS, [keys])
        for rule, alerts in cursor.fetchall():
            found[rule].open_alerts = alerts
        cursor.execute(SELECT_LAST, [1, keys])
        for rule, last in cursor.fetchall():
            found[rule].last_hit = last
        cursor.execute(SELECT_OWED, [keys])
        for rule, records, error in cursor.fetchall():
            found[rule].debt_records, found[rule].error = records, error
    return found


def latest_hits(rule: Rule, most: int = LATEST_MAX) -> list[Hit]:
    """The hits of a rule, of all its versions, that were raised last; the last first."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_LATEST, [most, rule.pk, most])
        keys = [key for (key,) in cursor.fetchall()]
    hits = Hit.objects.select_related("version", "alert").in_bulk(keys)
    return [hits[key] for key in keys if key in hits]
