"""The search of every page: what a few typed characters lead to, as JSON for the box and as a page."""

import logging
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import money
from ..access.rights import Right, rights_of
from ..reading.search import FOUND_MAX, NEWEST_ROWS, TERM_CHARACTERS_MAX, Matches, Search, term_of
from ..review import links
from ..templatetags.components import status_word
from ..timezones import to_the_minute
from . import sidebar

log = logging.getLogger(__name__)

AWAY = "PostgreSQL does not answer in time. Try again."
SLOW = "Too many {what} were to be looked through; there may be more of them. Type more, or ask again."
MORE_CUSTOMERS = "More customers fit: type more of the name."
REDIS_AWAY = "Redis does not answer: transactions that wait there are not among these."
SHORT = (
    "Ids are searched from their beginning, and in any part among the newest {rows:,}. Three letters or "
    "digits in a row (A to Z, 0 to 9) are found anywhere."
)
BEGINNINGS = (
    "Ids are searched from their beginning, and in any part among the newest {rows:,}: there is no index "
    "of parts (SEARCH_PARTS)."
)
UNTOLD = (
    "Ids were searched from their beginning, and in any part among the newest {rows:,}: whether there is an "
    "index of parts was not told in time. Ask again."
)
NEWEST = "A part of an id is sought in the newest {newest:,} of those that {what}; its whole id finds each."
LONG = f"No id and no name has more than {TERM_CHARACTERS_MAX} characters, or a NUL."


class NotStored(NamedTuple):
    """What those in a state are called as a group, and in a sentence."""

    name: str
    what: str


NOT_STORED = {
    "waiting": NotStored("Waiting to be stored", "wait to be stored"),
    "rejected": NotStored("Rejected", "were rejected"),
}


@dataclass(frozen=True, slots=True)
class Lead:
    """One thing that was found: what it is called, what there is to say of it, and where it is."""

    title: str
    detail: str
    link: str


@dataclass(frozen=True, slots=True)
class LeadGroup:
    """Things of one kind. `all`: where there are more of them, or ""."""

    name: str
    items: list[Lead]
    all: str = ""


@require_safe
@never_cache
def show_found(request: HttpRequest) -> HttpResponse:
    """What `q` finds, grouped, for the box: `{"groups": [{"name", "items", "all"}], "notes"}`."""
    try:
        if not admin.site.has_permission(request):
            return JsonResponse({"detail": "Log in again: you may not search."}, status=403)
        groups, notes = _found(request)
    except DatabaseError as error:
        log.warning("The search needs PostgreSQL (%s)", type(error).__name__)
        return JsonResponse({"detail": AWAY}, status=503)
    return JsonResponse({"groups": [asdict(group) for group in groups], "notes": notes})


def show_page(request: HttpRequest) -> HttpResponse:
    """The same as a page."""
    text = request.GET.get("q", "")
    try:
        groups, notes = _found(request)
    except DatabaseError as error:
        log.warning("The search needs PostgreSQL (%s)", type(error).__name__)
        groups, notes = [], [AWAY]
    context = {"title": "Search", "sought": text, "groups": groups, "notes": notes}
    return TemplateResponse(request, "admin/search.html", {**admin.site.each_context(request), **context})


def _found(request: HttpRequest) -> tuple[list[LeadGroup], list[str]]:
    """What is found for who asks, without empty groups, and what is to be said of it."""
    text, rights = request.GET.get("q", "").strip(), rights_of(request.user)
    if not term_of(text):
        return [], []
    search = Search(text)
    pages = _pages(request, text)
    if not search.text:
        return [pages] if pages.items else [], [LONG]
    groups: list[LeadGroup] = []
    notes: list[str] = []
    # What takes longest comes last, and is shown first.
    if Right.VIEW_ALERTS in rights:
        groups.append(_alerts(search.alerts()))
    if Right.READ in rights:
        amounts, customers, transactions = search.amounts(), search.customers(), search.transactions()
        unstored = {
            state: _without(found, transactions)
            for state, found in (("waiting", search.waiting()), ("rejected", search.rejected()))
        }
        users = {row["user"] for found in (transactions, amounts, *unstored.values()) for row in found.rows}
        names = search.in_time(lambda: links.names(users)) or {}
        groups = [
            _transactions(search.text, transactions, names),
            *(_unstored(search.text, state, found, names) for state, found in unstored.items()),
            _customers(customers), *groups, _amounts(search.amount, amounts, names),
        ]  # fmt: skip
        slow = {
            "transactions": transactions, "rejected records": unstored["rejected"], "customers": customers,
            "amounts": amounts,
        }  # fmt: skip
        notes = [SLOW.format(what=what) for what, found in slow.items() if found.slow]
        notes += [MORE_CUSTOMERS] if customers.more else []
        notes += [
            NEWEST.format(newest=found.newest, what=NOT_STORED[state].what)
            for state, found in unstored.items()
            if found.newest
        ]
        notes += _coverage(search)
    return [group for group in (*groups, pages) if group.items], notes


def _coverage(search: Search) -> list[str]:
    """What was not looked at."""
    told = [REDIS_AWAY] if search.redis_away else []
    if not search.any_part:
        of_parts = {True: SHORT, False: BEGINNINGS, None: UNTOLD}[search.parts_indexed]
        told.append(of_parts.format(rows=NEWEST_ROWS))
    return told


def _pages(request: HttpRequest, text: str) -> LeadGroup:
    """Pages by a part of their name, for who may see them."""
    wanted = text.casefold()
    items = [
        Lead(title, section, link)
        for section, title, link in sidebar.pages(request)
        if wanted in title.casefold()
    ]
    return LeadGroup("Pages", items[:FOUND_MAX])


def _transactions(text: str, found: Matches, names: dict[int, str]) -> LeadGroup:
    everything = links.list_of("transaction", urlencode({"q": text})) if found.more else ""
    return LeadGroup("Transactions", _items(found, names), everything)


def _without(found: Matches, others: Matches) -> Matches:
    """The same without what is among the others already."""
    told = {row["transaction_id"] for row in others.rows}
    return replace(found, rows=[row for row in found.rows if row["transaction_id"] not in told])


def _unstored(text: str, state: str, found: Matches, names: dict[int, str]) -> LeadGroup:
    everything = links.list_of("transaction", urlencode({"q": text, "state": state})) if found.more else ""
    return LeadGroup(NOT_STORED[state].name, _items(found, names), everything)


def _amounts(amount: int | None, found: Matches, names: dict[int, str]) -> LeadGroup:
    of_amount = urlencode({"amount_min": amount, "amount_max": amount})
    name = "" if amount is None else f"Of the amount {money.text(amount)}"
    return LeadGroup(
        name, _items(found, names), links.list_of("transaction", of_amount) if found.more else ""
    )


def _items(found: Matches, names: dict[int, str]) -> list[Lead]:
    return [Lead(row["transaction_id"], _said(row, names), _link(row)) for row in found.rows]


def _customers(found: Matches) -> LeadGroup:
    items = [Lead(row["name"], f"Customer {row['id']}", links.customer(row["id"])) for row in found.rows]
    return LeadGroup("Customers", items)


def _alerts(found: Matches) -> LeadGroup:
    items = [
        Lead(
            f"Alert {row['id']}",
            f"{row['rule']} · {row['state']}",
            links.alert(row["id"]),
        )
        for row in found.rows
    ]
    return LeadGroup("Alerts", items)


def _said(row: dict[str, Any], names: dict[int, str]) -> str:
    state = "rejected" if "rejected" in row else "waiting to be stored" if row["id"] is None else ""
    user = row["user"]
    name, moment = names.get(user, f"Customer {user}"), to_the_minute(row["created_at"])
    said = [money.text(row["amount"]), status_word(row["status"]), name, moment, state]
    return " · ".join(each for each in said if each)


def _link(row: dict[str, Any]) -> str:
    """The page of a transaction, be it stored or not."""
    return links.story(row["transaction_id"]) if row["id"] is None else links.transaction(row["id"])
