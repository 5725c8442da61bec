"""The fast look takes nothing that the serializer would not, and reads the same values."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from transactions.intake import decoder
from transactions.intake.parsers import BatchParser, decode
from transactions.models import AMOUNT_MAX
from transactions.serializers import RecordSerializer

TEXT = st.text(max_size=101) | st.text(alphabet=" \t\x00\x85\xa0a\u2028", max_size=4)
NUMBERS = st.integers() | st.integers(AMOUNT_MAX - 2, AMOUNT_MAX + 2) | st.floats() | st.booleans()
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat())
OFFSETS = st.sampled_from(["", "Z", "+00:00", "-03:30", "+14:00", "+0330", "z", " ", "+24:00", "+00:00:30"])
DATES = st.tuples(MOMENTS, OFFSETS).map("".join) | st.sampled_from(
    [
        "2026-01-31T23:59:59.1234567Z",
        "2026-01-31T23:59:59,5Z",
        "2026-01-31 23:59:59Z",
        "20260131T235959Z",
        "2026-W05-6T23:59:59Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:59:60Z",
        "2026-01-31T23:59:59.Z",
        "2026-01-31T23:59:59 Z",
        "2026-01-31T23:59Z0000",
        "2026-01-31T23+00:00:00",
        "2026-01-31T23:59:59Z\n",
        "2026-01-31T23:59:59 +00:00",
        "2026-01-31T23:59:59+00:00\n",
        "2026-01-31T235959Z",
        "2026-01-31t23:59:59z",
    ]
)
ANYTHING: st.SearchStrategy[Any] = st.none() | TEXT | NUMBERS | st.just([]) | st.just({})
RECORDS = st.fixed_dictionaries(
    {"transaction_id": TEXT | ANYTHING, "user": st.integers(-1, 2**31) | ANYTHING, "amount": ANYTHING},
    optional={
        "status": st.sampled_from(["PENDING", "SUCCESS", "FAILED", "success"]) | ANYTHING,
        "created_at": DATES | ANYTHING,
        "currency": st.sampled_from(["EUR", "USD", "eur", "EUR ", ""]) | ANYTHING,
        "more": ANYTHING,
    },
)


@given(RECORDS)
@example({"transaction_id": "T1", "user": 1, "amount": 1, "created_at": "2026-01-31T23:59:59+03:30"})
@example({"transaction_id": "T1", "user": 1, "amount": 1.0})
@example({"transaction_id": "T1", "user": 1, "amount": 1e18})
def test_what_the_decoder_takes_the_serializer_takes_alike(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    fast = decoder.record(body)
    if fast is not None:
        serializer = RecordSerializer(data=decode(body))
        assert serializer.is_valid(), serializer.errors
        assert serializer.record() == fast


COMMON = st.fixed_dictionaries(
    {
        "transaction_id": TEXT,
        "user": st.integers(1, 2**31 - 1),
        "amount": st.integers(0, 2**63 - 1),
        "status": st.sampled_from(["PENDING", "SUCCESS", "FAILED"]),
    }
)


@given(st.lists(COMMON | RECORDS, max_size=4))
def test_a_batch_is_taken_as_its_records_are_one_by_one(documents: list[dict[str, Any]]) -> None:
    bodies = [json.dumps(document).encode() for document in documents]
    records = [decoder.record(body) for body in bodies]
    assert decoder.records(b"[" + b",".join(bodies) + b"]") == (None if None in records else records)


def test_a_batch_in_which_a_name_stands_twice_is_left_to_the_serializer() -> None:
    once = b'{"transaction_id": "A", "user": 1, "amount": 1, "status": "SUCCESS"}'
    twice = b'{"transaction_id": "A", "user": 1, "user": 2, "amount": 1, "status": "SUCCESS"}'
    assert decoder.records(b"[" + once + b"]") is not None
    assert decoder.records(b"[" + once + b"," + twice + b"]") is None


@given(DATES)
def test_dates_are_read_alike(given: str) -> None:
    body = json.dumps({"transaction_id": "T1", "user": 1, "amount": 1, "created_at": given}).encode()
    fast = decoder.record(body)
    if fast is not None:
        serializer = RecordSerializer(data=decode(body))
        assert serializer.is_valid(), serializer.errors
        assert serializer.record() == fast


def test_the_common_record_is_taken_at_the_first_look() -> None:
    body = b'{"transaction_id": "TRX1", "user": 1, "amount": 1000, "status": "SUCCESS"}'
    assert decoder.record(body) is not None
    items = decoder.records(b"[" + body + b"," + body + b"]")
    assert items is not None
    assert [type(item).__name__ for item in items] == ["Record", "Record"]


def test_one_odd_item_keeps_its_place_among_plain_ones() -> None:
    body = (
        b'[{"transaction_id": "A", "user": 1, "amount": 1}, {"amount": "7"}, 5,'
        b' {"transaction_id": "B", "user": 1, "amount": 1}]'
    )
    assert decoder.records(body) is None
    items = BatchParser().read(body).items()
    assert [getattr(item, "transaction_id", item) for item in items] == ["A", {"amount": "7"}, 5, "B"]
