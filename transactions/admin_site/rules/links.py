"""Where things that the pages speak of are shown, and which version a URL speaks of."""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.urls import reverse

from ...rules.models import Rule, Version
from ..lists import list_of, whole_number

# PostgreSQL counts versions no further.
NUMBER_MAX = 2**31 - 1


def page_of(rule: Rule) -> str:
    return reverse("admin:rules_rule_change", args=[rule.pk])


def version_of(rule: Rule, number: str | None) -> Version | None:
    """The version whose number a URL or a form says; None where there is none."""
    wanted = whole_number(number, NUMBER_MAX)
    found: Version | None = None if wanted is None else rule.versions.filter(number=wanted).first()
    return found


def transaction(key: int) -> str:
    return reverse("admin:transactions_transaction_change", args=[key])


def transactions_of(user: int) -> str:
    return list_of("transaction", f"user={user}")


def story(transaction_id: str) -> str:
    """The page of a transaction, be it stored or not."""
    query = urlencode({"transaction_id": transaction_id})
    return f"{reverse('admin:transactions_transaction_story')}?{query}"


def customer(user: int) -> str:
    return reverse("admin:transactions_customer_change", args=[user])


def names(users: Iterable[int | None]) -> dict[int, str]:
    """The names of customers by their keys; one that is gone is called by its key."""
    keys = {user for user in users if user is not None}
    found = get_user_model()._default_manager.in_bulk(keys)
    return {key: found[key].get_username() if key in found else f"customer {key} (deleted)" for key in keys}
