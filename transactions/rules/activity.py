"""What rules found lately, by rule: for those who look whether a rule is worth its alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ..alerts.models import Alert
from .figures import IN_SHADOW
from .models import ClockCursor, Debt, Hit, Rule, Version

VERSION, HIT, DEBT = Version._meta.db_table, Hit._meta.db_table, Debt._meta.db_table
ALERT, CURSOR = Alert._meta.db_table, ClockCursor._meta.db_table

LATEST_MAX = 20

# Purpose: hits of 7 and of 30 days, by the index on a version's hits and the time they were raised; those
# that were raised in shadow apart.
COUNT_HITS = f"""
    SELECT v.rule_id,
           count(*) FILTER (WHERE h.raised_at > now() - interval '7 days' AND NOT {{shadow}}),
           count(*) FILTER (WHERE NOT {{shadow}}),
           count(*) FILTER (WHERE h.raised_at > now() - interval '7 days' AND {{shadow}}),
           count(*) FILTER (WHERE {{shadow}})
      FROM {VERSION} v JOIN {HIT} h ON h.version_id = v.id AND h.raised_at > now() - interval '30 days'
     WHERE v.rule_id = ANY(%s)
     GROUP BY v.rule_id
""".format(shadow=f"({IN_SHADOW.format(hit='h')})")
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
    """Of one rule: hits by when they were raised, alerts that are open, and what it has not judged yet."""

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


def of_rules(rules: Sequence[int]) -> dict[int, Activity]:
    """By rule. Raises django.db.Error."""
    found = {rule: Activity() for rule in rules}
    keys = list(rules)
    with connection.cursor() as cursor:
        cursor.execute(COUNT_HITS, [keys])
        for rule, *counts in cursor.fetchall():
            found[rule].hits_7_days, found[rule].hits_30_days = counts[:2]
            found[rule].shadow_7_days, found[rule].shadow_30_days = counts[2:]
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
