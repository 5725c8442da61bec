"""What is not understood is refused, never guessed: fields, numbers and characters of a record."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from rest_framework.test import APIClient

from tests.intake.ways import ADD, MANY, WAYS, Way, alone, written
from transactions import names
from transactions.intake import parsers
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection, text

pytestmark = pytest.mark.django_db(transaction=True)

WHOLE = (
    "Expected an integer, or a string of digits: the amount in the smallest unit, without a decimal point."
)
KEY = "Incorrect type. Expected the key of a user, an integer or a string of digits."


@WAYS
@pytest.mark.parametrize(
    "amount",
    [
        *(b"12.00", b"12.0", b"1e3", b"1E3", b"0.0", b"-0.0", b"9007199254740993.0"),
        *("12.00", "1.000", "1,000", "1e3", "+7", "-7", "0x10", "١٢", "１２", "7\n", "", "  "),
    ],
)
def test_an_amount_is_whole_as_it_is_written(
    api: APIClient, people: list[User], way: Way, amount: bytes | str
) -> None:
    assert way(api, written(people[0], amount=amount)) == {"amount": [WHOLE]}
    assert not connection().exists(QUEUE)


@WAYS
@pytest.mark.parametrize("user", [b"1.0", b"1e0", "1.0", "1e0", "-1", "+1", "١"])
def test_a_user_s_key_is_whole_as_it_is_written(
    api: APIClient, people: list[User], way: Way, user: bytes | str
) -> None:
    assert way(api, written(people[0], user=user)) == {"user": [KEY]}


@WAYS
@pytest.mark.parametrize(
    "id", ["\u200b", "\u202e", "\u2066\u2069", "\u200b \u200b", "\u3164", "\ufe0f", "\u2800", "\U000e0101"]
)
def test_an_id_of_which_nothing_is_visible_is_refused(
    api: APIClient, people: list[User], way: Way, id: str
) -> None:
    assert way(api, written(people[0], transaction_id=id)) == {
        "transaction_id": ["Nothing of this is visible."]
    }
    assert not connection().exists(QUEUE)


@pytest.mark.parametrize(
    "id", ["a\u200b", "\u202eabc", "👩\u200d👩\u200d👧", "é", "\u0301", "عمر", "¤", "\ue000"]
)
def test_an_id_that_shows_something_is_taken(api: APIClient, people: list[User], id: str) -> None:
    for body in (written(people[0], transaction_id=id), written(people[0], transaction_id=id, user=b'"1"')):
        answer = api.generic(
            "POST", ADD, body.replace('"1"', str(people[0].pk)), content_type="application/json"
        )
        assert answer.status_code == 200, answer.content


@WAYS
@pytest.mark.parametrize("id", [b"1.0", b"1e3", b"true", b"-0", b"-0.0", b"[]", b"{}"])
def test_an_id_is_a_string_or_an_integer(api: APIClient, people: list[User], way: Way, id: bytes) -> None:
    assert way(api, written(people[0], transaction_id=id)) == {"transaction_id": ["Not a valid string."]}


def test_whole_numbers_are_taken_as_integers_and_as_digits(api: APIClient, people: list[User]) -> None:
    for number, amount in enumerate([12, "12", "007", 2**63 - 1, str(2**63 - 1)]):
        record = written(people[0], transaction_id=f"T{number}", amount=amount, user=str(people[0].pk))
        answer = api.generic("POST", ADD, record, content_type="application/json")
        assert answer.status_code == 200, answer.content
    queued = [text(line).split("\t")[4] for line in connection().lrange(QUEUE, 0, -1)]
    assert queued == ["12", "12", "7", "9223372036854775807", "9223372036854775807"]


# --- Names ------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Status", "status"),
        ("STATUS", "status"),
        ("createdAt", "created_at"),
        ("CreatedAt", "created_at"),
        ("created-at", "created_at"),
        ("transactionId", "transaction_id"),
        ("Transaction ID", "transaction_id"),
        ("ammount", "amount"),
        ("user_id", "user"),
        ("state", "status"),
        (" status", "status"),
    ],
)
def test_an_unknown_field_is_named_with_what_it_may_have_meant(
    api: APIClient, people: list[User], way: Way, name: str, meant: str
) -> None:
    told = way(api, written(people[0], **{name: "x"}))
    assert told == {name: [f'Unknown field. Did you mean "{meant}"?']}
    assert not connection().exists(QUEUE)


@WAYS
@pytest.mark.parametrize("name", ["colour", "", "é", "\ud800", "__proto__", "\x00"])
def test_a_field_that_means_nothing_is_named_beside_those_there_are(
    api: APIClient, people: list[User], way: Way, name: str
) -> None:
    known = "transaction_id, user, amount, status, created_at, currency"
    assert way(api, written(people[0], **{name: "EUR"})) == {name: [f"Unknown field. Known are: {known}."]}


@WAYS
@pytest.mark.parametrize(
    ("repeated", "name"),
    [
        ('"amount": 1, "amount": 2', "amount"),
        ('"amount": 1, "amount": 1', "amount"),
        ('"amount": 1, "am\\u006funt": 2', "amount"),
        ('"amount": 1, "status": "FAILED", "status": "SUCCESS"', "status"),
        ('"amount": 1, "created_at": null, "created_at": null', "created_at"),
        ('"amount": 1, "user": 2', "user"),
        ('"amount": 1, "transaction_id": "T2"', "transaction_id"),
    ],
)
def test_a_field_that_stands_there_twice_is_named(
    api: APIClient, people: list[User], way: Way, repeated: str, name: str
) -> None:
    record = f'{{"transaction_id": "T1", "user": {people[0].pk}, {repeated}}}'
    assert way(api, record) == {name: ["Give this once."]}
    assert not connection().exists(QUEUE)


def test_what_is_told_of_names_is_bounded(api: APIClient, people: list[User]) -> None:
    told = alone(api, written(people[0], **{f"{number}{'x' * 150}": 1 for number in range(300)}))
    assert len(told) == names.TOLD_MAX + 1
    assert told["non_field_errors"] == ["… and 290 more unknown fields."]
    assert max(map(len, told)) <= names.CHARACTERS_MAX + 1
    told = alone(api, written(people[0], status="x" * 10_000, user=10**4000))
    assert len(json.dumps(told)) < 400


# --- Paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/nothing/", "/api/add-transaction/x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("debug", [False, True])
def test_a_path_that_is_not_there_is_json(debug: bool, method: str, path: str) -> None:
    with override_settings(DEBUG=debug):
        answer = APIClient(enforce_csrf_checks=True).generic(method, path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert method == "HEAD" or answer.json() == {"detail": "Not found."}


# --- What costs much and says little ----------------------------------------------------------


def test_names_are_compared_for_those_records_alone_that_are_told(
    api: APIClient, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def compared(name: str, *more: Any) -> list[str]:
        asked.append(name)
        return []

    monkeypatch.setattr(names, "get_close_matches", compared)
    names._unknown.cache_clear()
    records = [{f"{n}x{i}" + "y" * 200: 1 for i in range(11)} for n in range(1000)]
    for type, body in (
        ("application/json", json.dumps(records)),
        ("application/x-ndjson", "\n".join(map(json.dumps, records))),
    ):
        names._unknown.cache_clear()
        asked.clear()
        answer = api.generic("POST", MANY, body, content_type=type).json()
        assert (answer["invalid"], len(answer["errors"]), answer["errors_left_out"]) == (1000, 100, 900)
        assert len(asked) == 100 * names.TOLD_MAX
        assert max(map(len, asked)) <= names.CHARACTERS_MAX
    names._unknown.cache_clear()


@pytest.mark.parametrize(
    "more", [{"f": "x" * 17_000}, {f"n{n}": n for n in range(2000)}, {"transaction_id": "T" * 17_000}]
)
def test_an_item_of_a_batch_that_is_too_long_is_refused_undecoded(
    api: APIClient, people: list[User], more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []
    decode = parsers.decode

    def noted(text: bytes) -> Any:
        decoded.append(text)
        return decode(text)

    monkeypatch.setattr(parsers, "decode", noted)
    good, odd, long = written(people[0]), '{"amount": "x"}', written(people[0], **more)
    for type, body in (
        ("application/json", f"[{odd}, {long}, {good}]"),
        ("application/x-ndjson", f"{odd}\n{long}\n{good}"),
    ):
        decoded.clear()
        answer = api.generic("POST", MANY, body, content_type=type)
        assert (answer.status_code, answer.json()["invalid"]) == (200, 2)
        assert answer.json()["errors"][1]["errors"] == {
            "non_field_errors": ["Too long: a transaction has at most 16,384 bytes."]
        }
        assert decoded == [odd.encode()]


@pytest.mark.parametrize("type", ["application/json", "application/x-www-form-urlencoded", "multipart"])
def test_a_single_record_is_no_longer_than_one_can_be(api: APIClient, people: list[User], type: str) -> None:
    record = written(people[0])
    said, body = {
        "application/json": ("JSON", [record, " " * (65_536 - len(record))]),
        "application/x-www-form-urlencoded": ("form", ["f=", "x" * 65_534]),
        "multipart": ("form", ["--b--", " " * 65_531]),
    }[type]
    type = "multipart/form-data; boundary=b" if type == "multipart" else type
    told = {"detail": f"The {said} of a transaction has at most 65,536 bytes."}
    fits = api.generic("POST", ADD, "".join(body), content_type=type)
    assert fits.json() != told
    answer = api.generic("POST", ADD, "".join([*body, " "]), content_type=type)
    assert (answer.status_code, answer.json()) == (400, told)
