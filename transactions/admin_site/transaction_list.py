"""The page of the list of transactions: what its URL asks, in words, and the rows that there are."""

import math
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import redis
from django.contrib import admin
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from psycopg2.errors import QueryCanceled

from .. import money
from ..models import SavedView, Status
from ..reading import narrowed as reading
from ..reading import part_indexes
from ..reading.narrow_parameters import ORDERS, STATES, STATUSES, Narrowed, NarrowParameters
from ..reading.narrowed import Rows, Sums
from ..review import links
from ..stores.standby_reads import Read, from_standby
from ..templatetags.components import status_word
from ..timezones import PageZone, on_page, zone_names
from . import bound_fields, giving_up, saved_views, typed_amounts

REDIS_AWAY = "Redis does not answer: what waits there cannot be shown now."
NO_VIEW = "There is no such view, or it is not shared with you."
# What the form narrows by, beside the view.
FILTERS = ("q", "user", "status", "state", "amount_min", "amount_max", "from", "to", "timezone", "order")
# Of these each has a field; what is wrong with any other is told below the form.
FIELDS = FILTERS[:8]
# What is sent by a field that nobody has touched, where that is not empty.
NARROWS_NOTHING = {"state": "stored"}
# What the form calls parameters that a fault of another one names, as in: This is before `from`.
PARAMETER = re.compile("`([a-z_]+)`")
# What is called otherwise on the page than in the address, and has no field.
WITHOUT_FIELD = {
    "cursor": "Page", "before": "Page before", "order": "Order", "timezone": "Time zone", "view": "View",
    "non_field_errors": "Others",
}  # fmt: skip
CALLED = {"from": "Since", "amount_min": "the least"}
# In this order their sums are told, each apart.
SUMMED = (Status.SUCCESS, Status.FAILED, Status.PENDING)
# Where a page begins or ends: of no list that is asked anew.
PLACES = ("cursor", "before")
# The other order that a click on a column's head leads to.
TURNED = {"newest": "oldest", "largest": "smallest"}


class ShownRow(NamedTuple):
    row: dict[str, Any]
    link: str
    customer: str
    theirs: str
    amount: str
    status: str
    moment: str


class Words(NamedTuple):
    """What the list is narrowed by, and where it is not."""

    text: str
    without: str


class Elsewhere(NamedTuple):
    """How many of those asked for are in another state, in words, and the list of them; "" where none is."""

    text: str
    link: str


class AskedList(NamedTuple):
    """What a URL asks: the query with that of its view in it, what is wrong with it, and what it means."""

    query: QueryDict
    view: SavedView | None
    errors: dict[str, str]
    narrowed: Narrowed | None


def asked_by(request: HttpRequest) -> AskedList:
    """What the URL asks. A view's query holds where the URL itself says nothing else."""
    query, view, errors = request.GET.copy(), None, {}
    if "customer" in query and "user" not in query:
        # As the page calls it, and whoever writes the URL by hand.
        query.setlist("user", query.pop("customer"))
    if key := query.get("view", ""):
        view = saved_views.find(request.user, key)
        if view is None:
            errors["view"] = NO_VIEW
        else:
            saved = QueryDict(view.query, mutable=True)
            for name, values in query.lists():
                saved.setlist(name, values)
            query = saved
    query.pop("view", None)
    query = bound_fields.in_parameters(query)
    if typed_amounts.is_typed(query):
        query, wrong = typed_amounts.in_parameters(query)
        errors |= wrong
    parameters = NarrowParameters(data=_parameters_of(query))
    if not parameters.is_valid():
        errors |= {name: _of_form(str(told[0])) for name, told in parameters.errors.items()}
    return AskedList(query, view, errors, None if errors else parameters.narrowed())


def _of_form(told: str) -> str:
    """What is wrong, with the parameters that it names called as the form calls them."""
    return PARAMETER.sub(lambda found: CALLED.get(found[1], found[1]), told)


def _parameters_of(query: QueryDict) -> QueryDict:
    """The query without amounts that were typed and are none, which is told already."""
    if not typed_amounts.is_typed(query):
        return query
    query = query.copy()
    for name in typed_amounts.PARAMETERS:
        query.pop(name, None)
    return query


def show(request: HttpRequest, *, may_delete: bool) -> HttpResponse:
    """The page; 400 where it has to say what is wrong with its URL, 503 where a store does not answer."""
    asked = asked_by(request)
    if _is_sent_by_form(request.GET) and not asked.errors:
        # The address that somebody copies has amounts in the smallest unit, times as they were asked for, and
        # nothing of fields that were left empty.
        return HttpResponseRedirect(links.list_of("transaction", _in_url(request).urlencode()))
    zone = _zone(asked)
    # The whole page is in the zone of a saved view, as it is in that of a link.
    timezone.activate(PageZone(zone))
    context = {
        **admin.site.each_context(request),
        **_form(request, asked, zone),
        "title": "Transactions",
        "may_delete": may_delete,
        **_told(asked.errors),
    }
    if asked.narrowed is None:
        return _page(request, context, HTTPStatus.BAD_REQUEST)
    try:
        (rows, totals), behind_s = _read(asked.narrowed)
    except redis.RedisError:
        return _page(request, {**context, **_told({"state": REDIS_AWAY})}, HTTPStatus.SERVICE_UNAVAILABLE)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return giving_up.too_slow(request)
    context |= {
        "rows": list(_shown(rows, asked.narrowed)),
        "totals": _said(totals),
        "words": list(_words(asked)),
        "state": STATES[asked.narrowed.state],
        "elsewhere_found": [] if rows.rows else list(_elsewhere(asked, asked.narrowed)),
        "next": _with(asked, cursor=rows.cursor) if rows.cursor else "",
        "previous": _with(asked, before=rows.before) if rows.before else "",
        "first": _with(asked) if not asked.query.keys().isdisjoint(PLACES) else "",
        "more": totals.count - len(rows.rows) if rows.totals else 0,
        "export_url": _export(asked),
        "behind": _behind(behind_s),
    }
    return _page(request, context, HTTPStatus.OK)


def _is_sent_by_form(query: QueryDict) -> bool:
    typed = typed_amounts.is_typed(query) or bound_fields.is_typed(query)
    return typed or bool(_left_out(query))


def _left_out(query: QueryDict) -> list[str]:
    """The fields of the form that narrow nothing. Beside a view they do: they take away what it says."""
    if "view" in query:
        return []
    return [name for name in FIELDS if name in query and query[name] in ("", NARROWS_NOTHING.get(name))]


def _read(narrowed: Narrowed) -> Read[tuple[Rows, Sums]]:
    def ask() -> tuple[Rows, Sums]:
        rows = reading.page(narrowed)
        return rows, reading.totals(narrowed, rows)

    # What waits or was rejected goes to the table of stored ones meanwhile: it is read where it is written.
    return from_standby(ask) if narrowed.state == "stored" else Read(ask(), None)


def _behind(seconds: float | None) -> str:
    """What may be missing of a list that a standby told."""
    if seconds is None:
        return ""
    return (
        f"Read from a standby that is up to {math.ceil(seconds)} s behind: "
        "what was stored, settled or deleted since is not shown yet."
    )


def _in_url(request: HttpRequest) -> QueryDict:
    query, _ = typed_amounts.in_parameters(bound_fields.in_parameters(request.GET))
    for name in _left_out(query):
        del query[name]
    return query


def _page(request: HttpRequest, context: dict[str, Any], status: HTTPStatus) -> HttpResponse:
    return TemplateResponse(request, "admin/transactions/list.html", context, status=status)


def _told(errors: dict[str, str]) -> dict[str, Any]:
    """What is wrong, and of that what has no field beside which it could be told."""
    elsewhere = [(name, WITHOUT_FIELD.get(name, name), errors[name]) for name in errors if name not in FIELDS]
    return {"errors": errors, "elsewhere": elsewhere}


def _zone(asked: AskedList) -> str:
    """The zone of the page: that which is asked for, where there is such a one."""
    if asked.narrowed:
        return asked.narrowed.zone
    named = asked.query.get("timezone", "")
    return named if named in zone_names() else timezone.get_current_timezone_name()


def _form(request: HttpRequest, asked: AskedList, zone: str) -> dict[str, Any]:
    filters = {name: asked.query.get(name, "") for name in FILTERS}
    order = filters["order"] if filters["order"] in ORDERS else "newest"
    query = _without_place(asked)
    if query.get("from") or query.get("to"):
        # Whoever opens the saved view elsewhere is to see the same.
        query["timezone"] = query.get("timezone") or zone
    return {
        "filters": filters,
        "narrowed_by": sum(
            bool(filters[name]) and (name, filters[name]) != ("state", "stored") for name in FIELDS
        ),
        "since": bound_fields.field("from", asked.query.get("from", ""), PageZone(zone)),
        "until": bound_fields.field("to", asked.query.get("to", ""), PageZone(zone)),
        "amounts": typed_amounts.fields(asked.query),
        "statuses": STATUSES.items(),
        "states": STATES.items(),
        "order": order,
        "by_time": _with(asked, order=TURNED.get(order, "newest") if order == "newest" else "newest"),
        "by_amount": _with(asked, order=TURNED[order] if order == "largest" else "largest"),
        "view": asked.view,
        "may_delete_view": asked.view is not None and saved_views.may_delete(request.user, asked.view),
        "views": saved_views.offered(request.user),
        "query": query.urlencode(),
        "here": request.get_full_path(),
        "zone": zone,
        "same_moments": bound_fields.in_any_zone(query, PageZone(zone)),
        "zone_of_view": asked.view is not None
        and not request.GET.get("timezone")
        and bool(filters["timezone"]),
        "everything": reverse("admin:transactions_transaction_changelist"),
        "any_part": part_indexes.present(),
    }


def _shown(rows: Rows, narrowed: Narrowed) -> Iterator[ShownRow]:
    names, zone = links.names(row["user"] for row in rows.rows), PageZone(narrowed.zone)
    for row in rows.rows:
        yield ShownRow(
            row,
            links.story(row["transaction_id"]) if row["id"] is None else links.transaction(row["id"]),
            names[row["user"]],
            links.customer(row["user"]),
            money.text(row["amount"]),
            status_word(row["status"]),
            on_page(row["created_at"].astimezone(zone)),
        )


def _elsewhere(asked: AskedList, narrowed: Narrowed) -> Iterator[Elsewhere]:
    """Of a list in which nobody is: where those asked for may be, and are not looked for."""
    for state, word in STATES.items():
        if state == narrowed.state:
            continue
        count = reading.count_in(state, narrowed)
        link = _with(asked, state=state)
        yield Elsewhere(f"{word}: {_counted(count)}", link if count != 0 else "")


def _counted(count: int | None) -> str:
    if count is None:
        return "not known now"
    most = reading.COUNTED_MAX
    return f"more than {most:,}" if count > most else f"{count:,}"


def _said(totals: Sums) -> str:
    about = "" if totals.exact else "about "
    count = totals.count if totals.exact else _about(totals.count)
    amount = money.text if totals.exact else money.about
    what = "transaction" if totals.count == 1 else "transactions"
    amounts = totals.amounts or {}
    each = "".join(
        f" · {status_word(status).lower()} {about}{amount(amounts[status])}"
        for status in SUMMED
        if status in amounts
    )
    return f"{about}{count:,} {what}{each}{_looked_through(totals)}"


def _looked_through(totals: Sums) -> str:
    """Of what is not stored: which records are told of, where that is not all of them."""
    newest, left_out = "", ""
    if totals.newest:
        newest = f", of the newest {totals.newest:,} records: older ones are neither counted nor sorted"
    if totals.unreadable:
        one = totals.unreadable == 1
        records = "record that cannot be read is" if one else "records that cannot be read are"
        left_out = f"; {totals.unreadable:,} {records} left out"
    return newest + left_out


def _about(figure: int) -> int:
    """In three digits: more of them would say that it was counted."""
    return round(figure, 3 - len(str(figure))) if figure >= 1000 else figure


def _words(asked: AskedList) -> Iterator[Words]:
    """What the list is narrowed by, each with the list that is not."""
    narrowed = asked.narrowed
    assert narrowed is not None
    wanted, zone = narrowed.wanted, PageZone(narrowed.zone)
    if narrowed.state != "stored":
        yield Words(f"state: {STATES[narrowed.state]}", _with(asked, state=None))
    if narrowed.part:
        anywhere = narrowed.state != "stored" or reading.finds_any(narrowed.part)
        how = "has the part" if anywhere else "begins with"
        yield Words(f"id {how} “{narrowed.part}”", _with(asked, q=None))
    if wanted.user is not None:
        yield Words(f"customer: {links.names([wanted.user])[wanted.user]}", _with(asked, user=None))
    if wanted.status is not None:
        yield Words(f"status: {_status_said(wanted.status)}", _with(asked, status=None))
    yield from _amounts(wanted.amount_min, wanted.amount_max, asked)
    if wanted.since is not None:
        yield Words(
            f"since {bound_fields.in_words(wanted.since, zone)}",
            _with(asked, **{"from": None}),
        )
    if wanted.until is not None:
        yield Words(
            f"before {bound_fields.in_words(wanted.until, zone)}",
            _with(asked, to=None),
        )


def _status_said(status: str) -> str:
    return status_word(status) if status in Status else STATUSES[status].lower()


def _amounts(least: int | None, most: int | None, asked: AskedList) -> Iterator[Words]:
    unit = money.unit_note()
    if least is not None and least == most:
        either = _with(asked, amount_min=None, amount_max=None)
        yield Words(f"amount: {money.text(least)}{unit}", either)
        return
    if least is not None:
        yield Words(f"amount: {money.text(least)} or more{unit}", _with(asked, amount_min=None))
    if most is not None:
        yield Words(f"amount: {money.text(most)} or less{unit}", _with(asked, amount_max=None))


def _export(asked: AskedList) -> str:
    if asked.narrowed is None or asked.narrowed.state != "stored":
        return ""
    query = _without_place(asked)
    return f"{reverse('admin:transactions_transaction_export')}?{query.urlencode()}"


def _with(asked: AskedList, **changed: str | None) -> str:
    """The list with other parameters, from its beginning where they name no place."""
    query = _without_place(asked)
    for name, value in changed.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return links.list_of("transaction", query.urlencode())


def _without_place(asked: AskedList) -> QueryDict:
    query = asked.query.copy()
    for name in PLACES:
        query.pop(name, None)
    return query
