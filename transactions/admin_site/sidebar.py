"""What stands in the admin site's sidebar, for those who may see it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# Title, icon, model (None: the dashboard), and the permission without which it is not shown.
_PAGES = [
    ("Dashboard", "monitoring", None, "transactions.view_transaction"),
    ("Transactions", "receipt_long", "transactions_transaction", "transactions.view_transaction"),
    ("Customers", "groups", "transactions_customer", "transactions.view_transaction"),
    ("Rejected records", "block", "transactions_rejectedrecord", "transactions.view_rejectedrecord"),
    ("Flush history", "sync", "transactions_flushbatch", "transactions.view_flushbatch"),
    ("Books", "menu_book", "transactions_epoch", "transactions.view_epoch"),
]
_RULES = [
    ("Alerts", "notifications", "alerts_alert", "alerts.view_alert"),
    ("Rules", "rule", "rules_rule", "rules.view_rule"),
    ("Lists of users", "list_alt", "rules_userlist", "rules.view_rule"),
]
_TOLD = [
    ("Webhooks", "webhook", "notifications_endpoint", "notifications.change_endpoint"),
    ("Mail", "mail", "notifications_recipient", "notifications.change_endpoint"),
]
_ACCESS = [
    ("API tokens", "key", "transactions_apitoken", "transactions.view_apitoken"),
    ("People", "person", "auth_user", "auth.view_user"),
    ("Groups", "group", "auth_group", "auth.view_group"),
    ("Audit trail", "history", "audit_entry", "audit.view_entry"),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of links, as the theme wants them."""
    return [
        {"title": title, "separator": False, "items": [_item(request, *page) for page in pages]}
        for title, pages in (
            ("Pipeline", _PAGES),
            ("Alerts and rules", _RULES),
            ("Notifications", _TOLD),
            ("Access", _ACCESS),
        )
    ]


def _item(request: HttpRequest, title: str, icon: str, model: str | None, permission: str) -> dict[str, Any]:
    link = reverse("admin:index") if model is None else reverse(f"admin:{model}_changelist")
    here = request.path == link if model is None else request.path.startswith(link)
    return {
        "title": title,
        "icon": icon,
        "link": link,
        "active": here,
        "permission": lambda request: request.user.has_perm(permission),
    }
