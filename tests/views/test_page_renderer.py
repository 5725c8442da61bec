"""Pages of rows are written by orjson, in the very bytes of the REST framework's own renderer."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer

from transactions.views.base import PageRenderer

MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("UTC"), ZoneInfo("Asia/Tehran")]))
# Any characters at all: control characters, half a character and what no terminal shows among them.
TEXTS = st.text(st.characters(), max_size=12)
FACTS = st.one_of(st.none(), st.booleans(), TEXTS, MOMENTS, st.integers(-(2**63), 2**64))
PAGES = st.fixed_dictionaries(
    {"results": st.lists(st.dictionaries(TEXTS, FACTS, max_size=4), max_size=3), "next": st.none() | TEXTS}
)


def both(data: Any, media_type: str = "application/json") -> tuple[bytes, bytes]:
    return PageRenderer().render(data, media_type), JSONRenderer().render(data, media_type)


@given(PAGES)
def test_a_page_has_the_bytes_of_the_framework_s_renderer(data: dict[str, Any]) -> None:
    ours, theirs = both(data)
    assert ours == theirs


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"results": [], "next": None},
        {"text": 'quote " backslash \\ slash / tab \t bell \a null \0 DEL \x7f'},
        {"text": "Zoë 💶 \u2028"},
        {"text": "\ud800"},
        {"whole": datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)},
        {"fraction": datetime(2026, 1, 31, 23, 59, 59, 100, tzinfo=UTC)},
        {"elsewhere": datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=3, minutes=30)))},
        {"naive": datetime(2026, 1, 31)},
        {"limit": [ErrorDetail("A valid integer is required.", code="invalid")]},
        {1: "a key that is no text"},
        {"more than 64 bits": 2**70},
    ],
)
def test_what_is_odd_is_written_as_the_framework_writes_it(data: Any) -> None:
    ours, theirs = both(data)
    assert ours == theirs


def test_an_answer_that_is_to_be_indented_is() -> None:
    ours, theirs = both({"results": [{"id": 1}], "next": None}, "application/json; indent=2")
    assert ours == theirs
    assert b"\n  " in ours
