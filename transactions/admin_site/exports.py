"""Exports: a list of rows as a CSV file, streamed, however long it is.

Rows are read in portions, each beginning where the one before ended, so that nothing is held open
between two portions and a reader who goes away costs nothing more. The server asks for a portion once
the one before has been read (see `transaction_monitoring.serving.django_pool`). A process makes two
exports at once: each portion takes a thread for a tenth of a second. A slow reader may take for ever, as long
as nobody waits; who has taken LONGEST_S gives way to the next who asks.
"""

import csv
import io
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.text import slugify

from .. import money
from ..spreadsheets import guarded
from ..stores import bounded_queries

PORTION_ROWS = 2_000
AT_ONCE_MAX = 2
# Of an export that others have to wait for. Most take seconds.
LONGEST_S = 600.0
RETRY_AFTER_S = 30
BUSY = "Two exports are being read already. Try again when one of them has ended, or in half a minute."


class Export:
    """The lines of an export, in portions; holds one of the places until it is closed, or gives way."""

    def __init__(self, rows: QuerySet[Any], columns: Sequence[str], zone: tzinfo) -> None:
        self.began = time.monotonic()
        self.gave_way = False
        self._portions = _lines(rows, columns, zone)
        self._first: list[bytes] = []

    def begin(self) -> bool:
        """Reads the first rows before an answer is begun; False where they take too long."""
        first = bounded_queries.in_time(lambda: [next(self._portions), *itertools.islice(self._portions, 1)])
        self._first = first or []
        return first is not None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.gave_way:
            raise TimeoutError(f"others wait for an export, and this one has taken over {LONGEST_S:.0f} s")
        if self._first:
            return self._first.pop(0)
        portion = bounded_queries.in_time(lambda: next(self._portions, b""))
        if portion is None:
            raise TimeoutError("an export's next rows take too long")
        if not portion:
            raise StopIteration
        return portion

    def close(self) -> None:
        """Called by Django with the answer, once it is sent or given up."""
        with _places:
            if self in _under_way:
                _under_way.remove(self)


_places = threading.Lock()
# Those that hold a place, the oldest first.
_under_way: list[Export] = []


def _has_place(export: Export) -> bool:
    """Whether there is a place for it, be it that of one which gives way."""
    with _places:
        if len(_under_way) >= AT_ONCE_MAX:
            oldest = _under_way[0]
            if export.began < oldest.began + LONGEST_S:
                return False
            oldest.gave_way = True
            _under_way.remove(oldest)
        _under_way.append(export)
        return True


def download(rows: QuerySet[Any], columns: Sequence[str], name: str, zone: tzinfo) -> HttpResponseBase | None:
    """An answer that streams the `columns` of `rows`, in their order, which ends in a unique field.

    Moments are in `zone`, with its offset. 503 where as many exports as may are being read. The statement of
    each portion is bounded: None where the first takes too long; the file is cut at another. Whoever does not
    hand the answer on closes it. Raises django.db.Error.
    """
    export = Export(rows, columns, zone)
    if not _has_place(export):
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return HttpResponse(BUSY, status=503, content_type="text/plain; charset=utf-8", headers=headers)
    begun = False
    try:
        begun = export.begin()
    finally:
        if not begun:
            export.close()
    if not begun:
        return None
    response = StreamingHttpResponse(export, content_type="text/csv; charset=utf-8")
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    response["Content-Disposition"] = f'attachment; filename="{slugify(name)}-{stamp}.csv"'
    return response


def file_of(rows: Iterable[Iterable[object]], name: str) -> HttpResponse:
    """A CSV file of rows that are at hand, the first its columns' names; moments in the viewer's zone."""
    response = HttpResponse(
        _text(rows, timezone.get_current_timezone()), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{slugify(name)}.csv"'
    return response


def header(columns: Sequence[str]) -> list[str]:
    """The names of a file's columns: where an `amount` is in a currency, that is told in one more."""
    return [*columns, "currency"] if money.code() and "amount" in columns else list(columns)


def in_currency(columns: Sequence[str], row: Sequence[object]) -> Sequence[object]:
    """A row of `columns` as a file has it: its amount in the unit of the currency, 12.50, and that last.

    Without a currency as it is.
    """
    code = money.code()
    if code is None or "amount" not in columns:
        return row
    place = columns.index("amount")
    smallest = row[place]
    amount = None if smallest is None else money.plain(int(str(smallest)))
    return [*row[:place], amount, *row[place + 1 :], None if amount is None else code]


def cell(value: object, zone: tzinfo = UTC) -> str:
    """A value as CSV has it: moments in ISO 8601, and texts that no spreadsheet runs.

    `zone` has a local time for every moment, as UTC and each zone of a page.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    return guarded(value) if isinstance(value, str) else str(value)


def _lines(rows: QuerySet[Any], columns: Sequence[str], zone: tzinfo) -> Iterator[bytes]:
    order = [str(name) for name in rows.query.order_by]
    yield _text([header(columns)], zone)
    after: Sequence[Any] | None = None
    while found := _portion(rows, order, columns, after):
        yield _text((in_currency(columns, row[: len(columns)]) for row in found), zone)
        after = found[-1][len(columns) :]


def _portion(
    rows: QuerySet[Any], order: Sequence[str], columns: Sequence[str], after: Sequence[Any] | None
) -> list[Sequence[Any]]:
    """Some rows: their columns, and then the values by which they are ordered."""
    names = [name.removeprefix("-") for name in order]
    if after is not None:
        rows = rows.filter(_rows_after(order, after))
    # A column that is in both is asked for once, and stands in both places.
    values = rows.prefetch_related(None).values(*{*columns, *names})[:PORTION_ROWS]
    return [[row[name] for name in (*columns, *names)] for row in values]


def _rows_after(order: Sequence[str], after: Sequence[Any]) -> Q:
    """The rows after one: later in the first field, or the same there and later in the next, and so on.

    An index does not begin at an OR, so the first field's bound is stated once more, by itself.
    """
    later, same = Q(), Q()
    for place, (name, value) in enumerate(zip(order, after, strict=True)):
        field, way = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
        later |= same & Q(**{f"{field}__{way}": value})
        same &= Q(**{field: value})
        if place == 0:
            begins = Q(**{f"{field}__{way}e": value})
    return begins & later


def _text(rows: Iterable[Iterable[object]], zone: tzinfo) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([cell(value, zone) for value in row] for row in rows)
    return out.getvalue().encode()
