"""What stands in the admin site's sidebar, for those who may see it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse

from ..access.rights import Right, permission_of
from ..review import queue


class SidebarLink(NamedTuple):
    """A link: the name of its URL, and the permission without which it is not shown, or those of which one is
    enough (none for all staff).
    """

    title: str
    url: str
    permission: str | tuple[str, ...] = ()
    # Those that are tabs of its page, itself the first.
    tabs: tuple["SidebarLink", ...] = ()


def _list(title: str, model: str, permission: str | tuple[str, ...], *tabs: SidebarLink) -> SidebarLink:
    return SidebarLink(title, f"admin:{model}_changelist", permission, tabs)


def _viewed_or_changed(application: str, model: str) -> tuple[str, str]:
    """What opens a list of Django's: whoever changes its rows looks at them too."""
    return f"{application}.view_{model}", f"{application}.change_{model}"


_RULES = ("rules_rule", "rules.view_rule")
_PEOPLE = ("auth_user", _viewed_or_changed("auth", "user"))
_GROUPS: tuple[tuple[str, tuple[SidebarLink, ...]], ...] = (
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
            _list("Pipeline", "transactions_flushbatch", _viewed_or_changed("transactions", "flushbatch")),
            _list(
                "Rejected records",
                "transactions_rejectedrecord",
                _viewed_or_changed("transactions", "rejectedrecord"),
            ),
            _list("Books", "transactions_epoch", _viewed_or_changed("transactions", "epoch")),
            _list("Audit", "audit_entry", "audit.view_entry"),
        ),
    ),
    (
        "Settings",
        (
            _list("API tokens", "transactions_apitoken", _viewed_or_changed("transactions", "apitoken")),
            _list("Webhooks", "notifications_endpoint", "notifications.change_endpoint"),
            _list("Mail", "notifications_recipient", "notifications.change_endpoint"),
            _list(
                "People",
                *_PEOPLE,
                _list("People", *_PEOPLE),
                _list("Groups", "auth_group", _viewed_or_changed("auth", "group")),
            ),
            # Whoever may call it.
            SidebarLink("API docs", "api-docs", tuple(permission_of(right) for right in Right)),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of links, as the theme wants them; `tabs` of the one that is open are shown on its page."""
    return [
        {"title": title, "items": [_item(request, place) for place in places]} for title, places in _GROUPS
    ]


def pages(request: HttpRequest) -> Iterator[tuple[str, str, str]]:
    """The group, title and URL of each page in the sidebar that may be seen, tabs too; nothing is counted."""
    for group, places in _GROUPS:
        for place in places:
            yield from ((group, each.title, reverse(each.url)) for each in _seen(request, place))


def _item(request: HttpRequest, place: SidebarLink) -> dict[str, Any]:
    # Of one with tabs the first that may be seen stands for it.
    tabs = _seen(request, place)
    shown = tabs[0] if tabs else place
    links = [reverse(each.url) for each in tabs]
    is_first_page = place.url == "admin:index"
    here = request.path in links if is_first_page else any(request.path.startswith(each) for each in links)
    return {
        "title": shown.title,
        "link": reverse(shown.url),
        "active": here,
        "permission": lambda request: bool(_seen(request, place)),
        # None where nothing is counted.
        "badge": queue.badge(request.user) if place.title == "Alerts" else None,
        # On the pages below a list its way back is enough.
        "tabs": [
            {"title": each.title, "link": to, "here": request.path == to}
            for each, to in zip(tabs, links, strict=True)
        ]
        if request.path in links and len(tabs) > 1
        else [],
    }


def _seen(request: HttpRequest, place: SidebarLink) -> list[SidebarLink]:
    """Those of its tabs that may be seen, or itself where it has none."""
    return [each for each in place.tabs or (place,) if _may(request, each)]


def _may(request: HttpRequest, place: SidebarLink) -> bool:
    enough = (place.permission,) if isinstance(place.permission, str) else place.permission
    return not enough or any(request.user.has_perm(each) for each in enough)
