"""An alert explained: the rule's sentence with its figures, what made it, and what happened since."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet, prefetch_related_objects

from ..alerts import story
from ..alerts.models import Alert, AlertEvent, Step
from ..rules.evidence import Evidence, behind, explained, form_of, headline
from ..rules.models import Hit, Version
from ..stores import bounded_queries
from . import customer, queue, snoozes

# Hits that are shown, the latest; all of an alert are counted.
HITS_MAX = 100
# Those of which all transactions are listed.
LISTED_HITS_MAX, LISTED_COUNTED_MAX = 10_000, 20_000
SUPPRESSED_MAX = 50
EVENTS_MAX = 200

# Purpose: the latest hit of each of some alerts, by the index on an alert's hits.
SELECT_LATEST = f"""
    SELECT h.* FROM unnest(%(alerts)s::bigint[]) a (id)
     CROSS JOIN LATERAL (
        SELECT * FROM {Hit._meta.db_table} WHERE alert_id = a.id AND suppressed = ''
         ORDER BY alert_id DESC, id DESC LIMIT 1) h
"""


@dataclass(slots=True)
class Explanation:
    """What made an alert."""

    alert: Alert
    # The version that opened it; None where no hit of it is left.
    version: Version | None = None
    first: Hit | None = None
    # The latest hit: its figures are the largest of a window that fills.
    last: Hit | None = None
    evidence: list[Evidence] = field(default_factory=list)
    suppressed: list[Hit] = field(default_factory=list)

    @property
    def sentence(self) -> str | None:
        return None if self.version is None else form_of(self.version).sentence()

    @property
    def hits_left_out(self) -> int:
        """Hits of the alert that are older than those in `evidence`."""
        return max(0, self.alert.hits - sum(each.hit is not None for each in self.evidence))

    @property
    def figures(self) -> str:
        """The numbers that made it, in words; "" where the sentence says all."""
        return "" if self.last is None else explained(self.last)

    @property
    def headline(self) -> str:
        """What matters of the latest hit, in a few words."""
        return "" if self.last is None else headline(self.last)


def explain(alert: Alert) -> Explanation:
    """What made an alert, in bounded statements. Raises django.db.Error."""
    found = Explanation(alert)
    rows = Hit.objects.select_related("version").filter(alert=alert, suppressed="")
    with bounded_queries.bounded():
        found.first = rows.order_by("id").first()
        hits = list(rows.order_by("-id")[:HITS_MAX])
        found.suppressed = list(_suppressed(alert)[:SUPPRESSED_MAX])
    if found.first is not None:
        found.version, found.last = found.first.version, hits[0]
    found.evidence = behind(hits)
    return found


def everything(alert: Alert) -> list[Evidence]:
    """All transactions behind an alert, the latest first: of its latest LISTED_HITS_MAX hits.

    Raises django.db.Error.
    """
    rows = Hit.objects.select_related("version").filter(alert=alert, suppressed="")
    with bounded_queries.bounded():
        hits = list(rows.order_by("-id")[:LISTED_HITS_MAX])
    return behind(hits, LISTED_COUNTED_MAX) if hits else []


def _suppressed(alert: Alert) -> QuerySet[Hit]:
    """Hits that opened no alert, the latest first: since this one was closed, or by a snooze of the same.

    Those have no alert: they are found by the user and the versions of the rule.
    """
    quiet = Q(alert=alert, suppressed=Hit.Suppressed.QUIET)
    versions = (
        Version.objects.filter(rule=alert.rule).exclude(effective_from=None).values_list("pk", flat=True)
    )
    same = Q(user=alert.user) if alert.user is not None else Q(user=None)
    snoozed = Q(suppressed=Hit.Suppressed.SNOOZED, version__in=list(versions)) & same
    rows = Hit.objects.select_related("version")
    kept = rows.filter(quiet).order_by("-id")[:SUPPRESSED_MAX] if alert.suppressed else ()
    keys = [hit.pk for hit in kept] + [
        hit.pk for hit in rows.filter(snoozed).order_by("-id")[:SUPPRESSED_MAX]
    ]
    return rows.filter(pk__in=keys).order_by("-id")


def one(key: int) -> dict[str, Any]:
    """An alert with all of it, for the API. Raises Alert.DoesNotExist, django.db.Error."""
    alert = Alert.objects.select_related("assignee", "closed_by").get(pk=key)
    found = explain(alert)
    snooze = customer.snooze_in_force(alert)
    return {
        **queue.as_dict(alert),
        "rule_version": None if found.version is None else found.version.number,
        "sentence": found.sentence,
        "explanation": found.figures or None,
        "what_to_do": None if found.version is None else found.version.description,
        "transactions": [_evidence(each) for each in found.evidence],
        "hits_left_out": found.hits_left_out,
        "suppressed_hits": [_hit(hit) for hit in found.suppressed],
        "snooze": None if snooze is None else snoozes.as_dict(snooze, {snooze.rule: alert.rule_name}),
        "totals": None if alert.user is None else customer.totals(alert.user),
        "others": customer.others_as_dicts(alert),
        "events": events_as_dicts(alert),
    }


def events(alert: Alert) -> list[AlertEvent]:
    """Its latest steps and notes, the first of them first."""
    return list(reversed(AlertEvent.objects.filter(alert=alert).order_by("-id")[:EVENTS_MAX]))


def events_as_dicts(alert: Alert) -> list[dict[str, Any]]:
    found = events(alert)
    closed_as = story.dispositions(alert, found)
    return [
        {
            "step": event.step,
            "by": event.by_name,
            "at": event.at,
            "text": event.text or None,
            "until": event.until,
            "disposition": closed_as.get(event.pk) if event.step == Step.CLOSED else None,
            "version": event.version,
        }
        for event in found
    ]


def _evidence(each: Evidence) -> dict[str, Any]:
    return {
        "transaction": each.key,
        "transaction_id": each.transaction_id or None,
        "amount": each.amount,
        "status": each.status or None,
        "happened_at": each.happened_at,
        "status_now": each.status_now or None,
        "gone": each.is_gone,
        "hit": None if each.hit is None else _hit(each.hit),
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.pk,
        "version": hit.version.number,
        "transaction": hit.transaction,
        "transaction_id": hit.transaction_id or None,
        "happened_at": hit.happened_at,
        "raised_at": hit.raised_at,
        "figures": hit.figures,
        "explanation": explained(hit) or None,
        "suppressed": hit.suppressed or None,
    }


def headlines(alerts: Iterable[int]) -> dict[int, str]:
    """What matters of the latest hit of each alert, in a few words, by one statement and a few versions."""
    keys = list(alerts)
    hits = Hit.objects.raw(SELECT_LATEST, {"alerts": keys})
    rows = list(hits) if keys else []
    prefetch_related_objects(rows, "version")
    return {hit.alert_id: headline(hit) for hit in rows if hit.alert_id is not None}
