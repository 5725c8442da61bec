"""The search of every page: what a few typed characters lead to, as JSON for the box and as a page."""

import logging
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import money
from ..access.rights import Right, Rights, rights_of
from ..reading.search import (
    FOUND_MAX,
    NEWEST_ROWS,
    TERM_CHARACTERS_MAX,
    Matches,
    Search,
    names_in_time,
    term_of,
)
from ..review import links
from ..templatetags.components import status_word
from ..timezones import to_the_minute
from . import sidebar

log = logging.getLogger(__name__)

AWAY = "PostgreSQL does not answer in time. Try again."
SLOW = "It took too long to look through all {what}: there may be more of them. Type more, or ask again."
# Of a kind of which the very one is found that was typed, or where another kind has it.
BESIDE = "Beside what is called so, others may have it as a part of their name."
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


# The kinds, as a sentence calls them, and those that tell of customers.
WHAT = {
    "transactions": "transactions", "waiting": "waiting transactions", "rejected": "rejected records",
    "customers": "customers", "rules": "rules", "alerts": "alerts", "amounts": "amounts",
}  # fmt: skip
OF_CUSTOMERS = ("transactions", "waiting", "rejected", "alerts", "amounts")


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
    sees_rejected = _sees_rejected(request)
    found = _matches(search, rights, sees_unreadable=sees_rejected)
    users = {row["user"] for name in OF_CUSTOMERS for row in found[name].rows if row["user"] is not None}
    names = (names_in_time(lambda: links.names(users)) or {}) if Right.READ in rights else {}
    groups = [
        # Who types a customer's name or number means the customer, whatever else is called so.
        (found["customers"].exact, _customers(search.text, found["customers"])),
        (found["transactions"].exact, _transactions(search.text, found["transactions"], names)),
        (False, _waiting(search.text, found["waiting"], names)),
        (False, _rejected(search.text, found["rejected"], names, has_list=sees_rejected)),
        (found["rules"].exact, _rules(search.text, found["rules"])),
        (found["alerts"].exact, _alerts(found["alerts"], names)),
        (found["amounts"].exact, _amounts(search.amount, found["amounts"], names)),
    ]
    # What the whole text names comes before what has it as a part.
    groups.sort(key=lambda each: not each[0])
    notes = _given_up(found)
    notes += [
        NEWEST.format(newest=found[state].newest, what=NOT_STORED[state].what)
        for state in NOT_STORED
        if found[state].newest
    ]
    notes += _coverage(search) if Right.READ in rights else []
    return [group for group in (*(each for _, each in groups), pages) if group.items], notes


def _given_up(found: dict[str, Matches]) -> list[str]:
    """What was not looked through to its end; it is no failure where the very thing is found."""
    slow = [name for name, each in found.items() if each.slow]
    if slow and any(each.exact for each in found.values()):
        return [BESIDE]
    return [SLOW.format(what=WHAT[name]) for name in slow]


def _sees_rejected(request: HttpRequest) -> bool:
    """Whether the list of rejected records opens for who asks."""
    return any(request.user.has_perm(f"transactions.{step}_rejectedrecord") for step in ("view", "change"))


def _matches(search: Search, rights: Rights, *, sees_unreadable: bool) -> dict[str, Matches]:
    """What is found of each kind, for who may see it; what takes longest is asked for last."""
    found = dict.fromkeys(WHAT, Matches())
    if Right.READ in rights:
        found |= {"amounts": search.amounts(), "customers": search.customers()}
    if Right.VIEW_RULES in rights or Right.VIEW_ALERTS in rights:
        found["rules"] = search.rules()
    if Right.VIEW_ALERTS in rights:
        # Of customers whose name has a number as a part, nobody who types one means the alerts.
        named = [row["id"] for row in found["customers"].rows[: 1 if found["customers"].exact else None]]
        users = named if found["customers"].exact or not search.text.isdigit() else []
        found["alerts"] = search.alerts([row["id"] for row in found["rules"].rows], users)
    if Right.VIEW_RULES not in rights:
        found["rules"] = Matches()
    if Right.READ in rights:
        found["transactions"] = search.transactions()
        for state, ask in (("waiting", search.waiting), ("rejected", search.rejected)):
            found[state] = _without(ask(), found["transactions"])
        if not sees_unreadable:
            # They have a page among rejected records alone.
            rows = [row for row in found["rejected"].rows if "record" not in row]
            found["rejected"] = replace(found["rejected"], rows=rows)
    return found


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


def _waiting(text: str, found: Matches, names: dict[int, str]) -> LeadGroup:
    everything = (
        links.list_of("transaction", urlencode({"q": text, "state": "waiting"})) if found.more else ""
    )
    return LeadGroup(NOT_STORED["waiting"].name, _items(found, names), everything)


def _rejected(text: str, found: Matches, names: dict[int, str], *, has_list: bool) -> LeadGroup:
    """All of them are in the list of rejected records; transactions have those that can be read."""
    everything = ""
    if found.more and has_list:
        everything = links.list_of("rejectedrecord", urlencode({"q": text, "resolution": "all"}))
    elif found.more:
        everything = links.list_of("transaction", urlencode({"q": text, "state": "rejected"}))
    items = [
        _unreadable(row) if "record" in row else Lead(row["transaction_id"], _said(row, names), _link(row))
        for row in found.rows
    ]
    return LeadGroup(NOT_STORED["rejected"].name, items, everything)


def _unreadable(row: dict[str, Any]) -> Lead:
    title = row["transaction_id"] or f"Unreadable record {row['record']}"
    said = f"rejected, and cannot be read · {to_the_minute(row['rejected_at'])}"
    return Lead(title, said, reverse("admin:transactions_rejectedrecord_change", args=[row["record"]]))


def _amounts(amount: int | None, found: Matches, names: dict[int, str]) -> LeadGroup:
    of_amount = urlencode({"amount_min": amount, "amount_max": amount})
    name = "" if amount is None else f"Of the amount {money.text(amount)}"
    return LeadGroup(
        name, _items(found, names), links.list_of("transaction", of_amount) if found.more else ""
    )


def _items(found: Matches, names: dict[int, str]) -> list[Lead]:
    return [Lead(row["transaction_id"], _said(row, names), _link(row)) for row in found.rows]


def _customers(text: str, found: Matches) -> LeadGroup:
    items = [
        Lead(row["name"], f"Customer number {row['id']}", links.customer(row["id"])) for row in found.rows
    ]
    return LeadGroup(
        "Customers", items, links.list_of("customer", urlencode({"q": text})) if found.more else ""
    )


def _rules(text: str, found: Matches) -> LeadGroup:
    items = [Lead(row["name"], f"Rule · {row['severity']}", links.rule(row["id"])) for row in found.rows]
    everything = f"{reverse('admin:rules_rule_changelist')}?{urlencode({'q': text})}" if found.more else ""
    return LeadGroup("Rules", items, everything)


def _alerts(found: Matches, names: dict[int, str]) -> LeadGroup:
    items = []
    for row in found.rows:
        said = [row["rule"], row["state"], names.get(row["user"], "")]
        items.append(
            Lead(f"Alert {row['id']}", " · ".join(each for each in said if each), links.alert(row["id"]))
        )
    return LeadGroup("Alerts", items)


def _said(row: dict[str, Any], names: dict[int, str]) -> str:
    state = "rejected" if "rejected" in row else "waiting to be stored" if row["id"] is None else ""
    user = row["user"]
    name, moment = names.get(user, f"Customer {user}"), to_the_minute(row["created_at"])
    amount = money.text(row["amount"]) + money.unit_note()
    said = [amount, status_word(row["status"]), name, moment, state]
    return " · ".join(each for each in said if each)


def _link(row: dict[str, Any]) -> str:
    """The page of a transaction, be it stored or not."""
    return links.story(row["transaction_id"]) if row["id"] is None else links.transaction(row["id"])
