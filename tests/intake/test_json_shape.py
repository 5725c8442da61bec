"""How deep a text is and how many items it has: right for JSON, and quick whatever a client sends."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import TooManyFieldsSent
from hypothesis import example, given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient

from transactions.intake import decoder
from transactions.intake.json_shape import Shape, shape
from transactions.intake.parsers import BatchParser, BoundedFormParser, NDJSONParser, decode

MANY, ADD = "/api/add-transactions/", "/api/add-transaction/"
SIZE = 5_000_000
# Where it takes a day, it is not 3 seconds either; a busy machine is no reason to fail.
QUICK_S = 15.0

LEAVES = st.none() | st.booleans() | st.integers() | st.text() | st.text(alphabet='"\\[]{},')
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='a"[,\\'), inner), max_leaves=30
)


def depth_of(document: Any) -> int:
    inside = document.values() if isinstance(document, dict) else document
    return 1 + max(map(depth_of, inside), default=0) if isinstance(document, dict | list) else 0


@given(st.lists(DOCUMENTS), st.sampled_from([None, 1]), st.booleans())
@example([["[", '"'], {"a]": "}"}, "\\", '\\"'], None, True)
def test_it_is_that_of_the_document(items: list[Any], indent: int | None, ascii: bool) -> None:
    text = json.dumps(items, indent=indent, ensure_ascii=ascii).encode()
    assert shape(text) == Shape(depth_of(items), max(1, len(items)))


@given(st.lists(LEAVES | st.just({"amount": [1, 2]}), min_size=1))
def test_lines_are_counted_as_they_are_read(items: list[Any]) -> None:
    body = b" \n\r\n" + b"\n \n".join(json.dumps(item).encode() for item in items) + b"\r\n\t\n"
    batch = NDJSONParser().read(body)
    assert batch.count() == len(items) == len(list(batch.items()))


# What stands before, what is repeated up to SIZE, and what stands behind: strings without an end, brackets,
# what opens and closes, long numbers, names, lines.
WORST = {
    "an open string after 65 brackets": (b"[]" * 65 + b'"', b'\\"', b""),
    "an open string of backslashes": (b"[]" * 65 + b'"', b"\\", b""),
    "an open string": (b"[]" * 65 + b'"', b"x", b""),
    "open strings, one after the other": (b"[]" * 65, b'"\\', b""),
    "strings": (b"[" * 65, b'"",', b""),
    "quotation marks": (b"", b'"', b""),
    "brackets": (b"", b"[]", b""),
    "braces": (b"", b"{},", b""),
    "opening brackets": (b"", b"[", b""),
    "opening braces": (b"", b'{"a":', b""),
    "closing brackets": (b"[" * 65, b"]", b""),
    "digits": (b'[{"amount":', b"9", b""),
    "a long fraction": (b'[{"amount":0.', b"9", b"}]"),
    "zeros": (b"[", b"0,", b"0]"),
    "white space": (b"[", b" ", b""),
    "lines": (b"", b"0\n", b""),
    "empty lines": (b"", b" \n", b""),
    "escapes": (b'["', b"\\u0041", b""),
    "no UTF-8": (b"", b"\xff", b""),
    "a repeated name": (b'[{"a":1', b',"a":1', b"}]"),
    "many names": (b'[{"a":1', b',"%d":1', b"}]"),
    "a long name": (b'[{"', b"x", b'":1}]'),
    "a long status": (b'[{"transaction_id":"T","user":1,"amount":1,"status":"', b"x", b'"}]'),
    "percent signs": (b"", b"%", b""),
    "ampersands": (b"", b"&", b""),
    "equals signs": (b"", b"a=&", b""),
}


def body_of(what: str) -> bytes:
    """Made for the test that sends it: all of them are a hundred megabytes."""
    before, piece, behind = WORST[what]
    if what == "many names":
        return before + b"".join(piece % number for number in range(400_000)) + behind
    return before + (piece * (SIZE // len(piece) + 1))[:SIZE] + behind


def read(parse: Callable[[bytes], Any], body: bytes) -> None:
    with contextlib.suppress(ParseError, TooManyFieldsSent):
        parse(body)


@pytest.mark.parametrize("what", WORST)
def test_the_worst_bodies_of_five_megabytes_are_read_quickly(what: str) -> None:
    body = body_of(what)
    for parse in (decode, decoder.record, decoder.records, shape, BoundedFormParser().read):
        began = time.monotonic()
        read(parse, body)
        assert time.monotonic() - began < QUICK_S, parse
    for parser in (BatchParser(), NDJSONParser()):
        began = time.monotonic()
        read(lambda body, parser=parser: parser.read(body).count(), body)  # type: ignore[misc]
        assert time.monotonic() - began < QUICK_S, parser


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", WORST)
def test_the_worst_bodies_are_refused_in_few_words(api: APIClient, what: str) -> None:
    body = body_of(what)
    for path, type in (
        (ADD, "application/json"),
        (MANY, "application/json"),
        (MANY, "application/x-ndjson"),
        (ADD, "application/x-www-form-urlencoded"),
    ):
        answer = api.generic("POST", path, body, content_type=type)  # type: ignore[arg-type]
        assert (answer.status_code == 400) or answer.json()["accepted"] == 0, (path, type)
        assert len(answer.content) < 50_000


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"[" + b",".join([b"{}"] * 10_000) + b"]", "application/json"),
        (b"\n".join([b"{}"] * 10_000), "application/x-ndjson"),
    ],
)
def test_ten_thousand_wrong_records_are_told_in_a_hundred(
    api: APIClient, people: list[User], body: bytes, type: str
) -> None:
    began = time.monotonic()
    answer = api.generic("POST", MANY, body, content_type=type)  # type: ignore[arg-type]
    assert time.monotonic() - began < 10
    told = answer.json()
    assert (answer.status_code, told["invalid"], told["errors_left_out"]) == (200, 10_000, 9_900)
    assert [error["index"] for error in told["errors"]] == list(range(100))
    assert len(answer.content) < 50_000


@pytest.mark.django_db(transaction=True)
def test_the_first_hundred_are_told_whatever_they_are(api: APIClient, people: list[User]) -> None:
    """Conflicts are found after what is invalid, and stand before it here."""

    def record(number: int, **more: Any) -> dict[str, Any]:
        return {"transaction_id": f"T{number}", "user": people[0].pk, "amount": 1, **more}

    api.post(MANY, [record(number) for number in range(60)], format="json")
    batch = [record(number, amount=2) for number in range(60)] + [record(n, amount="x") for n in range(60)]
    told = api.post(MANY, batch, format="json").json()
    assert (told["conflicts"], told["invalid"], told["errors_left_out"]) == (60, 60, 20)
    assert [error["index"] for error in told["errors"]] == list(range(100))
    assert [error["code"] for error in told["errors"]] == ["conflict"] * 60 + ["invalid"] * 40


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"[" + b"0," * 2_600_000 + b"0]", "application/json"),
        (b"0\n" * 2_600_000, "application/x-ndjson"),
    ],
)
def test_millions_of_items_are_counted_and_not_decoded(
    api: APIClient, people: list[User], settings: Any, body: bytes, type: str
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000_000
    began = time.monotonic()
    answer = api.generic("POST", MANY, body, content_type=type)  # type: ignore[arg-type]
    assert time.monotonic() - began < QUICK_S
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Too many records: 26")
