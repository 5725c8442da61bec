"""Where things that the pages of rules speak of are shown."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.urls import reverse

from ...rules.models import Rule
from ..lists import list_of


def page_of(rule: Rule) -> str:
    return reverse("admin:rules_rule_change", args=[rule.pk])


def transaction(key: int) -> str:
    return reverse("admin:transactions_transaction_change", args=[key])


def transactions_of(user: int) -> str:
    return list_of("transaction", f"user={user}")


def names(users: Iterable[int | None]) -> dict[int, str]:
    """The names of users by their keys; one that is gone is called by its key."""
    keys = {user for user in users if user is not None}
    found = get_user_model()._default_manager.in_bulk(keys)
    return {key: found[key].get_username() if key in found else f"user {key} (deleted)" for key in keys}
