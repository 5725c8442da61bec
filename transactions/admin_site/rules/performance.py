"""How rules perform, side by side: what is worth its alerts, and what finds the same."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ...review import performance
from ...review.parameters import RULES_MAX, SPANS
from ...review.performance import Performance, RuleFigures
from ...rules.models import Rule, Version
from ...severity import Severity
from ...templatetags.components import percent
from ..giving_up import gives_up
from . import rights

DAYS = 30
# Of each rule, others that find the same; the largest shares.
OVERLAPS_MAX = 3


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule, or one of its versions, and its figures."""

    rule: Rule
    version: Version | None
    figures: RuleFigures
    overlaps: list[tuple[str, str]]

    @property
    def severity(self) -> str:
        return Severity(self.rule.severity).label

    @property
    def precision(self) -> str:
        found = self.figures.precision
        return "" if found is None else percent(found)

    @property
    def hits(self) -> str:
        more = "+" if self.figures.hits >= performance.HITS_MAX else ""
        return f"{self.figures.hits:,}{more}"

    @property
    def alerts(self) -> str:
        more = "+" if self.figures.alerts >= performance.ALERTS_MAX else ""
        return f"{self.figures.alerts:,}{more}"

    @property
    def median(self) -> str:
        """How long it takes until an alert is closed, in words."""
        seconds = self.figures.median_s
        if seconds is None:
            return ""
        if seconds < 7200:
            return f"{seconds / 60:,.0f} min"
        return f"{seconds / 3600:,.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:,.0f} d"


@gives_up
def show(request: HttpRequest) -> HttpResponse:
    """A table of rules with their versions, those with most alerts first."""
    rights.demand(rights.may_view(request.user))
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(span) for span in SPANS} else DAYS
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "How rules perform",
        "days": days,
        "spans": SPANS,
    }
    rules = list(Rule.objects.order_by("name", "pk")[: RULES_MAX + 1])
    found = performance.of_rules([rule.pk for rule in rules[:RULES_MAX]], days)
    context["rows"] = _rows(rules[:RULES_MAX], found)
    context["more"] = RULES_MAX if len(rules) > RULES_MAX else 0
    return TemplateResponse(request, "admin/rules/performance.html", context)


def _rows(rules: list[Rule], found: dict[int, Performance]) -> list[RuleRow]:
    names = dict(
        Rule.objects.filter(
            pk__in={other for each in found.values() for other in each.overlaps or {}}
        ).values_list("pk", "name")
    )
    versions = Version.objects.in_bulk([key for each in found.values() for key in each.versions])
    rows = []
    for rule in sorted(rules, key=lambda rule: (-found[rule.pk].all.alerts, -found[rule.pk].all.hits)):
        of_rule = found[rule.pk]
        rows.append(RuleRow(rule, None, of_rule.all, _overlaps(of_rule, names)))
        if len(of_rule.versions) > 1:
            by_number = sorted(of_rule.versions, key=lambda key: -versions[key].number)
            rows += [RuleRow(rule, versions[key], of_rule.versions[key], []) for key in by_number]
    return rows


def _overlaps(found: Performance, names: dict[int, str]) -> list[tuple[str, str]]:
    """The names of rules that find the same, and of what part of the hits."""
    shares = sorted((found.overlaps or {}).items(), key=lambda each: -each[1])
    return [
        (names[other], percent(both / found.sampled))
        for other, both in shares[:OVERLAPS_MAX]
        if other in names and found.sampled
    ]
