"""Exports: a list of rows as a CSV file, streamed, however long it is.

Rows are read in portions, each beginning where the one before ended, so that nothing is held open
between two portions and a reader who goes away costs nothing more.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from channels.db import database_sync_to_async
from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils.text import slugify

PORTION_ROWS = 2_000
# With one of these in front a spreadsheet takes a text for a formula and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def download(rows: QuerySet[Any], columns: Sequence[str], name: str) -> StreamingHttpResponse:
    """An answer that streams the `columns` of `rows`, in their order, which ends in a unique field."""
    response = StreamingHttpResponse(_lines(rows, columns), content_type="text/csv; charset=utf-8")
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    response["Content-Disposition"] = f'attachment; filename="{slugify(name)}-{stamp}.csv"'
    return response


def cell(value: object) -> str:
    """A value as CSV has it: moments in ISO 8601, and texts that no spreadsheet runs."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


async def _lines(rows: QuerySet[Any], columns: Sequence[str]) -> AsyncIterator[bytes]:
    order = [str(name) for name in rows.query.order_by]
    read = database_sync_to_async(_portion, thread_sensitive=False)
    yield _text([columns])
    after: Sequence[Any] | None = None
    while found := await read(rows, order, columns, after):
        yield _text(row[: len(columns)] for row in found)
        after = found[-1][len(columns) :]


def _portion(
    rows: QuerySet[Any], order: Sequence[str], columns: Sequence[str], after: Sequence[Any] | None
) -> list[Sequence[Any]]:
    """Some rows: their columns, and then the values by which they are ordered."""
    names = [name.removeprefix("-") for name in order]
    if after is not None:
        rows = rows.filter(_beyond(order, after))
    # A column that is in both is asked for once, and stands in both places.
    values = rows.prefetch_related(None).values(*{*columns, *names})[:PORTION_ROWS]
    return [[row[name] for name in (*columns, *names)] for row in values]


def _beyond(order: Sequence[str], after: Sequence[Any]) -> Q:
    """The rows after one: later in the first field, or the same there and later in the next, and so on.

    An index does not begin at an OR, so the first field's bound is stated once more, by itself.
    """
    beyond, same = Q(), Q()
    for place, (name, value) in enumerate(zip(order, after, strict=True)):
        field, way = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
        beyond |= same & Q(**{f"{field}__{way}": value})
        same &= Q(**{field: value})
        if place == 0:
            begins = Q(**{f"{field}__{way}e": value})
    return begins & beyond


def _text(rows: Iterable[Iterable[object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue().encode()
