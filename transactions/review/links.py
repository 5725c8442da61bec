"""Where transactions, customers and alerts are shown, and how customers are called there.

These are pages of the admin site, above. The overview leads there too, and knows nothing of them but this.
"""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.urls import reverse


def list_of(model: str, query: str) -> str:
    """The URL of the list of a model of ours, narrowed by a query string."""
    return f"{reverse(f'admin:transactions_{model}_changelist')}?{query}"


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


def alert(key: int) -> str:
    return reverse("admin:alerts_alert_change", args=[key])


def rule(key: int) -> str:
    return reverse("admin:rules_rule_change", args=[key])


def names(users: Iterable[int | None]) -> dict[int, str]:
    """The names of customers by their keys; one that is gone is called by its key."""
    keys = {user for user in users if user is not None}
    found = get_user_model()._default_manager.in_bulk(keys)
    return {key: found[key].get_username() if key in found else f"customer {key} (deleted)" for key in keys}
