"""Where a rule is shown, and which of its versions a URL speaks of."""

from django.urls import reverse

from ...rules.models import Rule, Version
from ..lists import whole_number

# PostgreSQL counts versions no further.
NUMBER_MAX = 2**31 - 1


def page_of(rule: Rule) -> str:
    return reverse("admin:rules_rule_change", args=[rule.pk])


def version_of(rule: Rule, number: str | None) -> Version | None:
    """The version whose number a URL or a form says; None where there is none."""
    wanted = whole_number(number, NUMBER_MAX)
    found: Version | None = None if wanted is None else rule.versions.filter(number=wanted).first()
    return found
