"""The page of a rule: what it says, whether it judges, what it found, and its versions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ...alerts.models import AlertState
from ...review import links
from ...rules import activity
from ...rules.evidence import explained
from ...rules.models import Hit, Rule, Version, VersionState
from ...rules.standing import said_by
from ...stores import bounded_queries
from ..lists import whole_number
from . import backtests, rights
from .links import NUMBER_MAX
from .sentences import Difference, differences, of_version, title_of

# Versions that are listed; a rule with more has its older ones by their numbers, in a comparison.
VERSIONS_MAX = 50
WAITING_MAX = 5


@dataclass(slots=True)
class ShownVersion:
    """A version as the page has it, with what the user may do with it."""

    version: Version
    sentence: Any
    kind: str
    why_not_approve: str = ""
    may_submit: bool = False
    may_approve: bool = False
    # Whether the user wrote it.
    is_own: bool = False
    may_end: bool = False
    # What it says otherwise than the one in force, of one that waits to be.
    changes: list[Difference] = field(default_factory=list)
    # Whether it has a card of its own, beside its row in the table.
    is_card: bool = False

    @property
    def state(self) -> VersionState:
        return VersionState(self.version.state)

    @property
    def name(self) -> str:
        return f"Version {self.version.number}"

    @property
    def waits(self) -> bool:
        return self.state in (VersionState.DRAFT, VersionState.SUBMITTED, VersionState.SHADOW)


@dataclass(slots=True)
class ShownHit:
    hit: Hit
    user: str
    explanation: str
    links: dict[str, str]
    alert: str


@dataclass(slots=True)
class TypedApproval:
    """What was typed to approve a version, where it could not be done, and why not."""

    number: int
    shadow: bool
    days: str
    error: str


def rule_or_404(key: int | str) -> Rule:
    try:
        found = Rule.objects.filter(pk=key).first()
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise Http404("There is no such rule.")
    return found


def show(
    request: HttpRequest,
    key: int | str,
    *,
    approval: TypedApproval | None = None,
    asked: backtests.AskedRange | None = None,
) -> HttpResponse:
    """The page; with what was typed to approve a version, or to test one, if that could not be done."""
    rights.demand(rights.may_view(request.user))
    rule = rule_or_404(key)
    versions = list(rule.versions.select_related("author", "approver").order_by("-number")[:VERSIONS_MAX])
    main = said_by(rule)
    shown = [_shown(version, main, request) for version in versions]
    may_look = request.user.has_perm("transactions.view_transaction")
    context = {
        **admin.site.each_context(request),
        "title": rule.name,
        "rule": rule,
        "main": None if main is None else _shown(main, None, request),
        "versions": shown,
        "waiting": _waiting(shown, whole_number(request.GET.get("version"), NUMBER_MAX) or 0),
        "may_change": rights.may_change(request.user),
        "approval": approval,
        "asked": asked or backtests.AskedRange.usual(versions[0].number if versions else 0),
        "backtests": backtests.latest(rule),
        "comparison": _comparison(request, rule, versions, main),
        **_found(rule, may_look),
    }
    return TemplateResponse(request, "admin/rules/rule.html", context)


def _waiting(shown: Sequence[ShownVersion], chosen: int) -> list[ShownVersion]:
    """What gets a card: what waits for approval or runs in shadow, the newest draft, and a chosen one."""
    drafts = [each.version.number for each in shown if each.state == VersionState.DRAFT]
    cards = [each for each in shown if each.waits and each.state != VersionState.DRAFT][:WAITING_MAX]
    cards += [each for each in shown if each.version.number in {*drafts[:1], *({chosen} & set(drafts))}]
    for each in cards:
        each.is_card = True
    return sorted(cards, key=lambda each: -each.version.number)


def _shown(version: Version, main: Version | None, request: HttpRequest) -> ShownVersion:
    shown = ShownVersion(version, of_version(version), title_of(version.kind))
    state = version.state
    shown.may_submit = rights.may_change(request.user) and state == VersionState.DRAFT
    if state in (VersionState.SUBMITTED, VersionState.SHADOW):
        shown.why_not_approve = rights.why_not_approve(version, request)
        shown.may_approve = not shown.why_not_approve
        shown.is_own = version.author_id == request.user.pk
    shown.may_end = rights.may_end(request.user, version) and state != VersionState.RETIRED
    if main is not None and shown.waits and main.pk != version.pk:
        shown.changes = differences(main, version)
    return shown


def _comparison(
    request: HttpRequest, rule: Rule, versions: Sequence[Version], main: Version | None
) -> dict[str, Any] | None:
    """Two versions of the query string, else the newest one and that in force, or the one before."""
    if len(versions) < 2:
        return None
    asked = [whole_number(request.GET.get(name), NUMBER_MAX) or 0 for name in ("old", "new")]
    listed = {version.number for version in versions}
    by_number = {version.number: version for version in versions}
    by_number.update({each.number: each for each in rule.versions.filter(number__in=set(asked) - listed)})
    newest = versions[0]
    before = main if main is not None and main.pk != newest.pk else versions[1]
    old, new = by_number.get(asked[0], before), by_number.get(asked[1], newest)
    numbers = sorted(by_number, reverse=True)
    return {"old": old.number, "new": new.number, "numbers": numbers, "differences": differences(old, new)}


def _found(rule: Rule, may_look: bool) -> dict[str, Any]:
    """What the rule found lately; where there is too much to be counted in time the page says so."""
    found = bounded_queries.in_time(lambda: activity.of_rules([rule.pk])[rule.pk])
    hits = bounded_queries.in_time(lambda: activity.latest_hits(rule)) or []
    names = links.names(hit.user for hit in hits)
    return {"activity": found, "hits": [_hit(hit, names, may_look) for hit in hits]}


def _hit(hit: Hit, names: dict[int, str], may_look: bool) -> ShownHit:
    there = {}
    if may_look and hit.transaction is not None:
        there["transaction"] = links.transaction(hit.transaction)
    if may_look and hit.user is not None:
        there["user"] = links.transactions_of(hit.user)
    return ShownHit(hit, names.get(hit.user or 0, ""), explained(hit), there, _alert(hit))


def _alert(hit: Hit) -> str:
    """What became of the hit."""
    if hit.alert is not None:
        return f"Alert {hit.alert.pk}, {AlertState(hit.alert.state).label.lower()}"
    if hit.suppressed:
        return "None: " + Hit.Suppressed(hit.suppressed).label.lower()
    return "None: in shadow"
