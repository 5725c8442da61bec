"""Which of its versions stands for a rule: it is shown and exported by that, and drafted anew from it."""

from typing import Any

from django.db.models import Case, IntegerField, OuterRef, QuerySet, Subquery, Value, When

from .models import Rule, Version, VersionState

# Of a rule with several versions the first of these that there is, its newest version.
PREFERRED = (VersionState.ACTIVE, VersionState.SHADOW, VersionState.SUBMITTED, VersionState.DRAFT)


def with_said(rules: QuerySet[Rule]) -> QuerySet[Any]:
    """The rules, each with key, state and kind of what `said_by` finds: said_pk, said_state, said_kind."""
    place = Case(
        *(When(state=state, then=Value(place)) for place, state in enumerate(PREFERRED)),
        default=Value(len(PREFERRED)),
        output_field=IntegerField(),
    )
    versions = Version.objects.filter(rule=OuterRef("pk")).order_by(place, "-number")
    said = {f"said_{name}": Subquery(versions.values(name)[:1]) for name in ("pk", "state", "kind")}
    return rules.annotate(**said)


def said_by(rule: Rule) -> Version | None:
    """The version that stands for a rule: in force, else the newest that is to be, else the newest."""
    # Sorted here: those that were fetched for many rules at once are not asked for again.
    versions = sorted(rule.versions.all(), key=lambda version: -version.number)
    for state in PREFERRED:
        for version in versions:
            if version.state == state:
                return version
    return versions[0] if versions else None
