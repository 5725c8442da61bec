"""What stands in the admin site's sidebar, for those who may see it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse

from ..review import queue


class SidebarLink(NamedTuple):
    """A link: the name of its URL, and the permission without which it is not shown (none for all staff)."""

    title: str
    url: str
    permission: str = ""
    # Those that are tabs of its page, itself the first.
    tabs: tuple["SidebarLink", ...] = ()


def _list(title: str, model: str, permission: str, *tabs: SidebarLink) -> SidebarLink:
    return SidebarLink(title, f"admin:{model}_changelist", permission, tabs)


_RULES, _PEOPLE = ("rules_rule", "rules.view_rule"), ("auth_user", "auth.view_user")
_GROUPS = (
    (
        "",
        (
            SidebarLink("Overview", "admin:index", "transactions.view_transaction"),
            _list("Alerts", "alerts_alert", "alerts.view_alert"),
            _list("Transactions", "transactions_transaction", "transactions.view_transaction"),
            _list("Customers", "transactions_customer", "transactions.view_transaction"),
            _list("Imports", "uploads_upload", "uploads.import_upload"),
            _list(
                "Rules",
                *_RULES,
                _list("Rules", *_RULES),
                SidebarLink("How they perform", "admin:rules_rule_performance", "rules.view_rule"),
                _list("Lists of customers", "rules_userlist", "rules.view_rule"),
            ),
        ),
    ),
    (
        "System",
        (
            SidebarLink("Health", "system", "transactions.view_transaction"),
            _list("Pipeline", "transactions_flushbatch", "transactions.view_flushbatch"),
            _list("Rejected records", "transactions_rejectedrecord", "transactions.view_rejectedrecord"),
            _list("Books", "transactions_epoch", "transactions.view_epoch"),
            _list("Audit", "audit_entry", "audit.view_entry"),
        ),
    ),
    (
        "Settings",
        (
            _list("API tokens", "transactions_apitoken", "transactions.view_apitoken"),
            _list("Webhooks", "notifications_endpoint", "notifications.change_endpoint"),
            _list("Mail", "notifications_recipient", "notifications.change_endpoint"),
            _list(
                "People",
                *_PEOPLE,
                _list("People", *_PEOPLE),
                _list("Groups", "auth_group", "auth.view_group"),
            ),
            SidebarLink("API docs", "api-docs"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of links, as the theme wants them; `tabs` of the one that is open are shown on its page."""
    return [
        {"title": title, "items": [_item(request, place) for place in places]} for title, places in _GROUPS
    ]


def pages(request: HttpRequest) -> Iterator[tuple[str, str, str]]:
    """The group, title and URL of each page in the sidebar that may be seen; nothing is counted."""
    for group, places in _GROUPS:
        yield from ((group, place.title, reverse(place.url)) for place in places if _may(request, place))


def _item(request: HttpRequest, place: SidebarLink) -> dict[str, Any]:
    link = reverse(place.url)
    tabs = [each for each in place.tabs if _may(request, each)]
    links = [reverse(each.url) for each in tabs] or [link]
    is_first_page = place.url == "admin:index"
    here = request.path == link if is_first_page else any(request.path.startswith(each) for each in links)
    return {
        "title": place.title,
        "link": link,
        "active": here,
        "permission": lambda request: _may(request, place),
        # None where nothing is counted.
        "how_many": queue.badge(request.user) if place.title == "Alerts" else None,
        # On the pages below a list its way back is enough.
        "tabs": [
            {"title": each.title, "link": to, "here": request.path == to}
            for each, to in zip(tabs, links, strict=False)
        ]
        if request.path in links and len(tabs) > 1
        else [],
    }


def _may(request: HttpRequest, place: SidebarLink) -> bool:
    return not place.permission or request.user.has_perm(place.permission)
