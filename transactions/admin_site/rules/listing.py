"""The list of rules: what each is about, whether it judges, how often it fires, and what is wrong with it."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ...review.performance import PRECISION_DAYS, precision_of
from ...rules import activity
from ...rules.kinds.registry import KINDS
from ...rules.models import ClockCursor, Debt, Hit, Rule, Version, VersionState
from ...rules.standing import with_said
from ...severity import Severity
from ...stores import bounded_queries
from ...templatetags.components import drawn_pill, percent
from ..giving_up import View
from ..lists import BoundedChangeList
from . import backtests, drafting, page, performance, rights, steps
from .sentences import of_version

_OF_RULE = Version.objects.filter(rule=OuterRef("pk"))


class ShownFilter(admin.SimpleListFilter):
    """By something of the version that stands for the rule."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> QuerySet[Rule]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{f"said_{self.parameter_name}": value})


class StateFilter(ShownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return VersionState.choices


class KindFilter(ShownFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, kind.title) for name, kind in KINDS.items()]


class AttentionFilter(admin.SimpleListFilter):
    """Rules that somebody should look at."""

    title = "to look at"
    parameter_name = "look"
    conditions = {
        "waits": Exists(_OF_RULE.filter(state=VersionState.SUBMITTED)),
        "silent": Exists(_OF_RULE.filter(state=VersionState.ACTIVE))
        & ~Exists(Hit.objects.filter(version__rule=OuterRef("pk"))),
        "owed": Exists(Debt.objects.filter(version__rule=OuterRef("pk"))),
        "fails": Exists(Debt.objects.filter(version__rule=OuterRef("pk")).exclude(error=""))
        | Exists(ClockCursor.objects.filter(version__rule=OuterRef("pk")).exclude(error="")),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("waits", "Waits for approval"),
            ("silent", "Active, without a hit"),
            ("owed", "Has not judged everything"),
            ("fails", "Fails"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> QuerySet[Rule]:
        condition = self.conditions.get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)


class RuleChangeList(BoundedChangeList):
    """A page of rules, each with the version that stands for it and what it found lately."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rules: list[Any] = list(self.result_list)
        self.result_list = rules
        versions = Version.objects.in_bulk([rule.said_pk for rule in rules])
        # Where there are so many hits that it takes too long the list is shown without.
        found = bounded_queries.in_time(lambda: activity.of_rules([rule.pk for rule in rules]))
        for rule in rules:
            rule.version = versions.get(rule.said_pk)
            rule.activity = None if found is None else found[rule.pk]
        told = bounded_queries.in_time(lambda: precision_of([rule.pk for rule in rules]))
        for rule in rules:
            rule.told = None if told is None else told[rule.pk]


def _raised(hits: int, in_shadow: int) -> str:
    shadow = f" (in shadow {activity.counted_in_words(in_shadow)})" if in_shadow else ""
    return f"{activity.counted_in_words(hits)}{shadow}"


def _wrong(rule: Any) -> SafeString | None:
    if rule.activity is not None and rule.activity.error:
        return drawn_pill("Fails", "fails")
    if rule.activity is not None and rule.activity.debt_records:
        return drawn_pill(f"Owes {rule.activity.debt_records:,} records", "owes")
    return drawn_pill("Waits for approval", "waits") if rule.waits else None


@admin.register(Rule)
class RuleAdmin(rights.SeenWithRules[Rule]):
    list_display = (
        "name", "severity_shown", "state_shown", "says",
        "hits_7", "hits_30", "alerts_open", "precision", "last_hit",
    )  # fmt: skip
    list_filter = (StateFilter, "severity", KindFilter, AttentionFilter)
    lookups_allowed = frozenset({"state", "severity__exact", "kind", "look"})
    ordering = ("name", "id")
    search_fields = ("name", "description")
    search_help_text = "A word of a rule's name or description."
    change_list_template = "admin/rules/rule_list.html"
    list_filter_sheet = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RuleChangeList]:
        return RuleChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        rules = with_said(super().get_queryset(request))
        found: QuerySet[Rule] = rules.annotate(waits=Exists(_OF_RULE.filter(state=VersionState.SUBMITTED)))
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {
            "title": "Rules",
            "no_rules": not Rule.objects.exists(),
            "may_change": rights.may_change(request.user),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def show_one(self, request: HttpRequest, key: str) -> HttpResponse:
        return page.show(request, key)

    def own_paths(self) -> list[tuple[str, View, str]]:
        return [
            ("import-starter/", steps.import_starter, "import_starter"),
            ("new/", drafting.new_rule, "new"),
            ("performance/", performance.show, "performance"),
            ("read-back/", drafting.read_back, "read_back"),
            ("<int:rule>/draft/", drafting.new_draft, "draft"),
            ("<int:rule>/backtests/", steps.ask_for_backtest, "test"),
            ("<int:rule>/backtests/<int:backtest>/", backtests.show, "backtest"),
            ("<int:rule>/backtests/<int:backtest>/progress/", backtests.progress, "backtest_progress"),
            ("<int:rule>/backtests/<int:backtest>/cancel/", backtests.cancel, "backtest_cancel"),
            ("<int:rule>/<int:number>/<slug:step>/", steps.take, "step"),
        ]

    # --- Columns ----------------------------------------------------------------------------------

    @admin.display(description="severity")
    def severity_shown(self, rule: Rule) -> str:
        return drawn_pill(Severity(rule.severity).label, rule.severity)

    @admin.display(description="state", empty_value="No version")
    def state_shown(self, rule: Any) -> str | None:
        """The state, and the gravest of what somebody should look at."""
        version = rule.version
        if version is None:
            return None
        state = drawn_pill(VersionState(version.state).label, version.state)
        return format_html("<div>{} {}</div>", state, wrong) if (wrong := _wrong(rule)) else state

    @admin.display(description="what it finds")
    def says(self, rule: Any) -> SafeString | str:
        return "" if rule.version is None else format_html("<div>{}</div>", of_version(rule.version))

    @admin.display(description="hits, 7 d", empty_value="?")
    def hits_7(self, rule: Any) -> str | None:
        found = rule.activity
        return None if found is None else _raised(found.hits_7_days, found.shadow_7_days)

    @admin.display(description="hits, 30 d", empty_value="?")
    def hits_30(self, rule: Any) -> str | None:
        found = rule.activity
        return None if found is None else _raised(found.hits_30_days, found.shadow_30_days)

    @admin.display(description="open alerts", empty_value="?")
    def alerts_open(self, rule: Any) -> str | None:
        return None if rule.activity is None else activity.counted_in_words(rule.activity.open_alerts)

    @admin.display(description=f"precision, {PRECISION_DAYS} d", empty_value="?")
    def precision(self, rule: Any) -> str | None:
        """Of how many alerts, too; "–" where none was told true or false."""
        found = rule.told
        if found is None:
            return None
        return "–" if found.precision is None else f"{percent(found.precision)} of {found.told:,}"

    @admin.display(description="last hit", empty_value="?")
    def last_hit(self, rule: Any) -> str | None:
        if rule.activity is None:
            return None
        last = rule.activity.last_hit
        return "never" if last is None else f"{timezone.localtime(last):%Y-%m-%d %H:%M}"
