"""The queue of alerts, and the paths of its pages."""

import re
from typing import Any, NamedTuple

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from ... import names
from ...alerts.models import Alert, Disposition
from ...encodings import is_text
from ...review import queue
from ...review.parameters import QueueParameters
from ...rules.models import Rule
from ...severity import Severity
from .. import form_faults
from ..giving_up import View, gives_up
from ..own_pages import OwnPages
from ..viewer_zone import NAME
from . import evidence_file, kept_text, page, rights, shown, snoozes, steps

ROWS = 50
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# So many rules at the most a part of a name stands for.
RULES_MAX = 100
# What a tab stands for, as parameters of the API, and its order, the first of those there are; the first tab
# is where the page opens.
TABS: dict[str, tuple[str, dict[str, str]]] = {
    "open": ("All open", {"closed": "false"}),
    "mine": ("Mine", {"mine": "true", "closed": "false"}),
    "unassigned": ("Unassigned", {"unassigned": "true", "closed": "false"}),
    "overdue": ("Overdue", {"overdue": "true"}),
    "closed": ("Closed", {"closed": "true"}),
}
ORDERS_OF_TAB = {"overdue": ("due", "urgent", "newest"), "closed": ("newest",)}
ORDERS = ("urgent", "due", "newest")
# Which column stands for an order, and which way it goes.
ARIA_SORT = {"urgent": "descending", "due": "ascending", "newest": "ascending"}
COUNT_OF_TAB = {"open": "not_closed", "mine": "mine", "unassigned": "unassigned", "overdue": "overdue"}
# What the page narrows by, beside the tab.
FILTERS = ("severity", "rule", "user", "assignee", "disposition", "from", "to")
WHOSE_TWICE = "The tab “{tab}” says whose they are already. Leave this out, or choose another tab."
# What they are called on the page, where it is not by their names.
CALLED = {
    "user": "Customer", "assignee": "Whose", "disposition": "It was", "cursor": "Page",
    "before": "Page before", names.OTHERS: "Others",
}  # fmt: skip
# Where a page begins or ends: of no queue that is asked anew.
PLACES = ("cursor", "before")
# All that the page's URL may say.
KNOWN = ("tab", "sort", *PLACES, NAME, *FILTERS)
# Tabs that say whose alerts they are.
TABS_OF_WHOM = ("mine", "unassigned")


class Tab(NamedTuple):
    name: str
    title: str
    how_many: str
    link: str


@admin.register(Alert)
class AlertAdmin(OwnPages[Alert]):
    def has_view_permission(self, request: HttpRequest, obj: Alert | None = None) -> bool:
        return rights.may_view(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return rights.may_view(request.user)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return show(request)

    def show_one(self, request: HttpRequest, key: str) -> HttpResponse:
        return page.show(request, key)

    def own_paths(self) -> list[tuple[str, View, str]]:
        return [
            ("bulk/", steps.take_many, "bulk"),
            ("<int:alert>/steps/<slug:step>/", steps.take, "step"),
            ("<int:alert>/transactions.csv", evidence_file.show, "transactions"),
            ("snoozes/", snoozes.show, "snoozes"),
            ("snoozes/<int:snooze>/end/", steps.end_snooze, "end_snooze"),
        ]


@gives_up
def show(request: HttpRequest) -> HttpResponse:
    """One page of the queue, of the tab and the filters that the URL names."""
    rights.demand(rights.may_view(request.user))
    tab = request.GET.get("tab", "open")
    tab = tab if tab in TABS else "open"
    orders = ORDERS_OF_TAB.get(tab, ORDERS)
    sort = request.GET.get("sort", "")
    sort = sort if sort in orders else orders[0]
    asked, errors = _asked(request, tab, sort)
    context = {
        **admin.site.each_context(request),
        "title": "Alerts",
        "tab": tab,
        "errors": [(CALLED.get(name, name.capitalize()), told) for name, told in errors.items()],
        "sort": sort,
        "sorts": {order: _with(request, sort=order) for order in orders},
        "aria_sort": ARIA_SORT[sort],
        "as_of": timezone.now(),
        "severities": Severity.choices,
        "dispositions": Disposition.choices,
        "filters": {name: request.GET.get(name, "") for name in FILTERS},
        # A browser's field of a day is empty where a link has a moment.
        "kind_of_day": {name: _kind_of_day(request.GET.get(name, "")) for name in ("from", "to")},
        "has_assignee": tab not in TABS_OF_WHOM,
        "narrowed_by": sum(bool(request.GET.get(name)) for name in FILTERS),
        "may_change": rights.may_change(request.user),
        "analysts": rights.analysts(),
        "snooze_days": steps.SNOOZE_DAYS,
        "back": request.get_full_path(),
        "typed": kept_text.of(request, "many"),
        "undo": request.session.pop(steps.UNDO_KEY, None),
    }
    counts = queue.counts(request.user)
    rows, cursor, before = (
        queue.PageOfQueue([], None, None) if errors else queue.rows_of_page(asked, request.user)
    )
    context |= {
        "tabs": [_tab(request, name, counts) for name in TABS],
        "rows": shown.rows(rows),
        "next": _with(request, cursor=cursor) if cursor else "",
        "previous": _with(request, before=before) if before else "",
        "is_first": request.GET.keys().isdisjoint(PLACES),
        "first": _with(request),
    }
    return TemplateResponse(request, "admin/alerts/queue.html", context)


def _asked(request: HttpRequest, tab: str, sort: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The query as the API has it, and what is wrong with it, by name."""
    query = QueryDict(mutable=True)
    query.update(TABS[tab][1])
    query["limit"], query["order"] = str(ROWS), sort
    unknown = {name: told[0] for name, told in names.faults("parameter", request.GET, KNOWN).items()}
    rules: list[int] = []
    for name in (*FILTERS, *PLACES):
        value = request.GET.get(name, "").strip()
        if value and name == "rule" and not value.isdecimal():
            rules, value = _rules_named(value), ""
            unknown |= {} if rules else {name: "No rule has this in its name."}
        elif value and name == "assignee" and tab in TABS_OF_WHOM:
            unknown, value = {**unknown, name: WHOSE_TWICE.format(tab=TABS[tab][0])}, ""
        if value:
            query[name] = value
    parameters = QueueParameters(data=query)
    if parameters.is_valid() and not unknown:
        return {**parameters.validated_data, **({"rules": rules} if rules else {})}, {}
    return {}, {**{name: form_faults.of_api(told[0]) for name, told in parameters.errors.items()}, **unknown}


def _rules_named(part: str) -> list[int]:
    """Those with this part in their names, in any letter case."""
    known = Rule.objects.filter(name__icontains=part) if is_text(part) else Rule.objects.none()
    return list(known.order_by("pk").values_list("pk", flat=True)[:RULES_MAX])


def _tab(request: HttpRequest, name: str, counts: dict[str, Any]) -> Tab:
    count = counts.get(COUNT_OF_TAB.get(name, ""), "")
    more = "+" if count and not counts["complete"] else ""
    dropped: dict[str, str | None] = {"assignee": None} if name in TABS_OF_WHOM else {}
    link = _with(request, tab=name, **dropped)
    return Tab(name, TABS[name][0], f"{count:,}{more}" if count != "" else "", link)


def _with(request: HttpRequest, **changed: str | None) -> str:
    """The queue with other parameters, from its beginning where they name no place."""
    query = request.GET.copy()
    for name in PLACES:
        query.pop(name, None)
    for name, value in changed.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return f"{reverse('admin:alerts_alert_changelist')}?{query.urlencode()}"


def _kind_of_day(text: str) -> str:
    return "date" if not text or DAY.fullmatch(text) else "text"
