"""How rules perform: what their alerts turned out to be, how long these took, what two rules find both.

Every statement looks at a bounded number of rows of each rule, whatever there is of hits and alerts.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ..alerts.models import Alert
from ..reading.paging import Page, cursor_of, one_page
from ..rules.models import Hit, Rule, Version
from ..stores import bounded_queries

ALERT, HIT, VERSION = Alert._meta.db_table, Hit._meta.db_table, Version._meta.db_table

# Of each rule the latest alerts of the span, of each version its hits, and hits that are held against those
# of other rules: no more than these are looked at.
ALERTS_MAX = 2_000
HITS_MAX = 10_000
SAMPLE = 200
# The days over which a rule's precision is told where it is told alone.
PRECISION_DAYS = 90

# Purpose: the latest alerts of each rule, by their index.
LATEST_ALERTS = f"""
           unnest(%(rules)s::bigint[]) r (id)
     CROSS JOIN LATERAL (
        SELECT id, rule, state, disposition, opened_at, closed_at FROM {ALERT}
         WHERE rule = r.id AND opened_at > %(since)s ORDER BY opened_at DESC, id DESC LIMIT %(alerts)s) a
"""
# Purpose: how many of them were told true and false.
SELECT_DISPOSITIONS = f"""
    SELECT a.rule, count(*) FILTER (WHERE a.disposition = 'TRUE_POSITIVE'),
           count(*) FILTER (WHERE a.disposition = 'FALSE_POSITIVE')
      FROM {LATEST_ALERTS} GROUP BY a.rule
"""
# Purpose: what became of the alerts of each rule, and of each version that opened them.
SELECT_ALERTS = f"""
    SELECT a.rule, f.version_id, grouping(f.version_id), count(*), count(*) FILTER (WHERE a.state = 'CLOSED'),
           count(*) FILTER (WHERE a.disposition = 'TRUE_POSITIVE'),
           count(*) FILTER (WHERE a.disposition = 'FALSE_POSITIVE'),
           count(*) FILTER (WHERE a.disposition = 'EXPECTED'),
           count(*) FILTER (WHERE a.disposition = 'DUPLICATE'),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.closed_at - a.opened_at))
      FROM {LATEST_ALERTS}
      LEFT JOIN LATERAL (
        SELECT version_id FROM {HIT} WHERE alert_id = a.id ORDER BY id LIMIT 1) f ON true
     GROUP BY GROUPING SETS ((a.rule), (a.rule, f.version_id))
"""
# Purpose: hits of each version in the span, and the last one of all.
SELECT_HITS = f"""
    SELECT v.id, h.hits, last.raised_at FROM {VERSION} v
     CROSS JOIN LATERAL (
        SELECT count(*) AS hits FROM (
            SELECT FROM {HIT} WHERE version_id = v.id AND raised_at > %(since)s LIMIT %(hits)s) counted) h
      LEFT JOIN LATERAL (
        SELECT raised_at FROM {HIT} WHERE version_id = v.id ORDER BY raised_at DESC, id DESC LIMIT 1) last
        ON true
     WHERE v.rule_id = ANY(%(rules)s) AND v.effective_from IS NOT NULL
"""
# Purpose: of the latest hits of each rule, how many another rule found too, by the index that keeps hits
# once. LIMIT keeps the look at each from becoming one at all hits.
SELECT_OVERLAPS = f"""
    WITH sample AS MATERIALIZED (
        SELECT DISTINCT v.rule_id AS rule, h.transaction FROM {VERSION} v
         CROSS JOIN LATERAL (
            SELECT transaction FROM {HIT} WHERE version_id = v.id AND raised_at > %(since)s
             ORDER BY raised_at DESC, id DESC LIMIT %(sample)s) h
         WHERE v.rule_id = ANY(%(rules)s) AND v.effective_from IS NOT NULL AND h.transaction IS NOT NULL)
    SELECT s.rule, NULL::bigint, count(*) FROM sample s GROUP BY s.rule
     UNION ALL
    SELECT s.rule, o.rule_id, count(DISTINCT s.transaction) FROM sample s
      JOIN {VERSION} o ON o.rule_id <> s.rule AND o.effective_from IS NOT NULL
       AND coalesce(o.effective_until > %(since)s, true)
     CROSS JOIN LATERAL (
        SELECT FROM {HIT} WHERE version_id = o.id AND transaction = s.transaction LIMIT 1) both_found
     GROUP BY s.rule, o.rule_id
"""


@dataclass(slots=True)
class Dispositions:
    """Of a rule or a version: the alerts opened in the span that were told true, and those told false."""

    true_positive: int = 0
    false_positive: int = 0

    @property
    def told(self) -> int:
        """Alerts that were told true or false: what precision is of."""
        return self.true_positive + self.false_positive

    @property
    def precision(self) -> float | None:
        """True positives of all positives that are told apart; None where there are none."""
        return self.true_positive / self.told if self.told else None


@dataclass(slots=True)
class RuleFigures(Dispositions):
    """Of a rule or a version: hits in the span, the alerts opened in it, and what these turned out to be."""

    hits: int = 0
    alerts: int = 0
    closed: int = 0
    expected: int = 0
    duplicate: int = 0
    median_s: float | None = None
    last_hit: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "hits": self.hits,
            "alerts": self.alerts,
            "closed": self.closed,
            "true_positive": self.true_positive,
            "false_positive": self.false_positive,
            "expected": self.expected,
            "duplicate": self.duplicate,
            "precision": None if self.precision is None else round(self.precision, 4),
            "median_seconds_to_close": None if self.median_s is None else round(self.median_s),
            "last_hit_at": self.last_hit,
        }


@dataclass(slots=True)
class Performance:
    """Of a rule: in all, by version (its key), and how many of `sampled` hits each other rule found too."""

    all: RuleFigures = field(default_factory=RuleFigures)
    versions: dict[int, RuleFigures] = field(default_factory=lambda: defaultdict(RuleFigures))
    sampled: int = 0
    # None where it took too long to look.
    overlaps: dict[int, int] | None = field(default_factory=dict)


def precision_of(rules: Sequence[int]) -> dict[int, Dispositions]:
    """By rule, of its alerts of the last PRECISION_DAYS. Raises django.db.Error."""
    since = timezone.now() - timedelta(days=PRECISION_DAYS)
    asked = {"rules": list(rules), "since": since, "alerts": ALERTS_MAX}
    rows = bounded_queries.query(SELECT_DISPOSITIONS, asked)
    return {rule: Dispositions() for rule in rules} | {rule: Dispositions(*told) for rule, *told in rows}


def of_rules(rules: Sequence[int], days: int) -> dict[int, Performance]:
    """By rule, of what happened to it in the last `days`. Raises django.db.Error."""
    found = {rule: Performance() for rule in rules}
    asked = {
        "rules": list(rules),
        "since": timezone.now() - timedelta(days=days),
        "alerts": ALERTS_MAX,
        "hits": HITS_MAX,
        "sample": SAMPLE,
    }
    rule_of = dict(Version.objects.filter(rule__in=found).values_list("pk", "rule"))
    for version, hits, last in bounded_queries.query(SELECT_HITS, asked):
        performance = found[rule_of[version]]
        of_version = performance.versions[version]
        of_version.hits, of_version.last_hit = hits, last
        whole = performance.all
        whole.hits = min(HITS_MAX, whole.hits + hits)
        whole.last_hit = max(filter(None, (whole.last_hit, last)), default=None)
    for rule, version, is_all, *figures in bounded_queries.query(SELECT_ALERTS, asked):
        of = found[rule].all if is_all else found[rule].versions[version] if version else None
        if of is not None:
            of.alerts, of.closed, of.true_positive, of.false_positive = figures[:4]
            of.expected, of.duplicate, of.median_s = figures[4:]
    _overlaps(found, asked)
    return found


def _overlaps(found: dict[int, Performance], asked: dict[str, Any]) -> None:
    rows = bounded_queries.in_time(lambda: bounded_queries.query(SELECT_OVERLAPS, asked))
    if rows is None:
        for performance in found.values():
            performance.overlaps = None
        return
    for rule, other, count in rows:
        performance = found[rule]
        if other is None:
            performance.sampled = count
        elif performance.overlaps is not None:
            performance.overlaps[other] = count


def page(asked: dict[str, Any]) -> Page:
    """One page of rules, in the order in which they were made."""
    rules = Rule.objects.order_by("pk")
    if "rule" in asked:
        rules = rules.filter(pk=asked["rule"])
    if "cursor" in asked:
        rules = rules.filter(pk__gt=asked["cursor"][0])
    limit = asked["limit"]
    rows, cursor = one_page(list(rules[: limit + 1]), limit, lambda rule: cursor_of("performance", [rule.pk]))
    found = of_rules([rule.pk for rule in rows], int(asked["days"]))
    others = {other for each in found.values() for other in each.overlaps or {}}
    names = dict(Rule.objects.filter(pk__in=others).values_list("pk", "name"))
    versions = defaultdict(list)
    for version in Version.objects.filter(rule__in=found).order_by("-number"):
        versions[version.rule_id].append(version)
    results = [_as_dict(rule, found[rule.pk], versions[rule.pk], names) for rule in rows]
    return Page(results, cursor)


def _as_dict(
    rule: Rule, found: Performance, versions: list[Version], names: dict[int, str]
) -> dict[str, Any]:
    return {
        "rule": rule.pk,
        "name": rule.name,
        "severity": rule.severity,
        **found.all.as_dict(),
        "versions": [
            {"number": each.number, "state": each.state, **found.versions[each.pk].as_dict()}
            for each in versions
            if each.pk in found.versions
        ],
        "sampled": found.sampled,
        "overlaps": None
        if found.overlaps is None
        else [
            {"rule": other, "name": names[other], "both": count}
            for other, count in sorted(found.overlaps.items(), key=lambda each: -each[1])
            if other in names
        ],
    }
