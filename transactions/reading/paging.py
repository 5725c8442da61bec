"""Pages: some rows as the API shows them, and the place at which the next page begins.

A page begins where the one before ended, at a row's place and not at a count of rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.signing import BadSignature, Signer
from django.http import QueryDict
from rest_framework import serializers

from ..fields import WholeField

LIMIT_DEFAULT, LIMIT_MAX = 100, 1_000
CURSOR_CHARACTERS_MAX = 200

Paged = TypeVar("Paged")
Cursor = TypeVar("Cursor")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows as the API shows them, and the cursor of the next page, None on the last."""

    results: Sequence[dict[str, Any]]
    cursor: str | None = None


def one_page(
    rows: list[Paged], limit: int, cursor: Callable[[Paged], Cursor]
) -> tuple[list[Paged], Cursor | None]:
    """Rows of which one more than `limit` was asked for: those of the page, and the cursor of its last row.

    None where no more follow.
    """
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], cursor(rows[limit - 1])


def turned(
    rows: list[Paged], limit: int, cursor: Callable[[Paged], Cursor], *, from_place: bool, backwards: bool
) -> tuple[list[Paged], Cursor | None, Cursor | None]:
    """The page of such rows with the cursors of the pages after and before it, each None where there is none.

    `from_place`: it begins at the end of another page. `backwards`: the rows are those before another page,
    the nearest first.
    """
    more, shown = len(rows) > limit, rows[:limit]
    if backwards:
        shown.reverse()
    follows, precedes = (True, more) if backwards else (more, from_place)
    return (
        shown,
        cursor(shown[-1]) if shown and follows else None,
        cursor(shown[0]) if shown and precedes else None,
    )


def page_of(
    rows: list[Paged], limit: int, shown: Callable[[Paged], dict[str, Any]], cursor: Callable[[Paged], str]
) -> Page:
    """The page that `one_page` makes of rows, each as it is `shown`."""
    on_page, following = one_page(rows, limit, cursor)
    return Page([shown(row) for row in on_page], following)


def next_address(address: str, asked: QueryDict, cursor: str | None) -> str | None:
    """The address of the same call, asked as before, that begins at `cursor`; None without one."""
    if cursor is None:
        return None
    query = asked.copy()
    query["cursor"] = cursor
    return f"{address}?{query.urlencode()}"


def cursor_of(pages: str, place: list[Any]) -> str:
    """A place as clients hand it back to us: signed for these pages, so that nothing else is ever read."""
    return Signer(salt=pages).sign_object(place)


def place_of(pages: str, cursor: str) -> list[Any]:
    """The place that a cursor of these pages stands for. Raises BadSignature."""
    place: list[Any] = Signer(salt=pages).unsign_object(cursor)
    return place


class PlaceField(serializers.CharField):
    """A cursor that the pages of this name have given out, as the place that it stands for."""

    default_error_messages = {"cursor": "This is no cursor of this list."}

    def __init__(self, pages: str) -> None:
        super().__init__(max_length=CURSOR_CHARACTERS_MAX, required=False)
        self._pages = pages

    def to_internal_value(self, data: Any) -> Any:
        try:
            return place_of(self._pages, super().to_internal_value(data))
        except BadSignature:
            self.fail("cursor")


def limit() -> WholeField:
    """How many rows a page has at most."""
    return WholeField(min_value=1, max_value=LIMIT_MAX, default=LIMIT_DEFAULT)
