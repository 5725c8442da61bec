"""Posting, as clients of the REST API see it: one record, and many."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.support.accepting import body
from transactions.fields import AmountField
from transactions.intake import parsers
from transactions.intake.parsers import NO_BATCH, BatchParser
from transactions.models import AMOUNT_MAX, Transaction
from transactions.queue.keys import QUEUE
from transactions.stores import redis_connection
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
OBTAINED = {"message": "Transaction detail was obtained successfully."}


def test_the_example_of_the_readme_is_taken(api: APIClient, people: list[User]) -> None:
    answer = api.post(ADD, body(people[0]), format="json")
    assert (answer.status_code, answer.json()) == (200, OBTAINED)
    assert "Idempotent-Replayed" not in answer


@pytest.mark.parametrize("spelling", ["/api/add-transaction", "/api/add-transaction/"])
@pytest.mark.parametrize("format", ["json", "multipart", "form"])
def test_numbers_may_be_strings_in_json_and_forms(
    api: APIClient, people: list[User], spelling: str, format: str
) -> None:
    sent = body(people[0], user=str(people[0].pk), amount="1000")
    if format == "form":
        text = "&".join(f"{key}={value}" for key, value in sent.items())
        answer = api.post(spelling, text, content_type="application/x-www-form-urlencoded")
    else:
        answer = api.post(spelling, sent, format=format)
    assert answer.status_code == 200, answer.content
    flush()
    assert Transaction.objects.get().amount == 1000


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        ({"transaction_id": ""}, "transaction_id", "blank"),
        ({"transaction_id": None}, "transaction_id", "null"),
        ({"transaction_id": "x" * 101}, "transaction_id", "100"),
        ({"transaction_id": " x"}, "transaction_id", "White space"),
        ({"transaction_id": "x\u2003"}, "transaction_id", "White space"),
        ({"transaction_id": "a\tb"}, "transaction_id", "Control"),
        ({"transaction_id": "a\x00b"}, "transaction_id", "Null characters"),
        ({"transaction_id": "a\x85b"}, "transaction_id", "Control"),
        ({"transaction_id": "\ud800"}, "transaction_id", "Surrogate"),
        ({"transaction_id": ["a"]}, "transaction_id", "string"),
        ({"user": None}, "user", "null"),
        ({"user": "alice"}, "user", "key of a user"),
        ({"user": True}, "user", "key of a user"),
        ({"user": 1.5}, "user", "key of a user"),
        ({"user": 999_999}, "user", "does not exist"),
        ({"user": 0}, "user", "does not exist"),
        ({"user": -1}, "user", "does not exist"),
        ({"user": 2**70}, "user", "does not exist"),
        ({"amount": None}, "amount", "null"),
        ({"amount": -1}, "amount", "greater than or equal to 0"),
        ({"amount": AMOUNT_MAX + 1}, "amount", str(AMOUNT_MAX)),
        ({"amount": 10**400}, "amount", str(AMOUNT_MAX)),
        ({"amount": 1.5}, "amount", "integer"),
        ({"amount": True}, "amount", "integer"),
        ({"amount": "1_000"}, "amount", "integer"),
        ({"amount": " 7"}, "amount", "integer"),
        ({"amount": "١٢"}, "amount", "integer"),
        ({"amount": {}}, "amount", "integer"),
        ({"status": "success"}, "status", "not a valid choice"),
        ({"status": ["SUCCESS"]}, "status", "not a valid choice"),
        ({"status": None}, "status", "null"),
        ({"created_at": "2026-01-31T10:00:00"}, "created_at", "offset"),
        ({"created_at": "2026-01-31"}, "created_at", "offset"),
        ({"created_at": "yesterday"}, "created_at", "format"),
        ({"created_at": 1700000000}, "created_at", "wrong format"),
        ({"created_at": "2999-01-01T00:00:00Z"}, "created_at", "ahead"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "created_at", "out of range"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_queued(
    api: APIClient, people: list[User], change: dict[str, Any], field: str, word: str
) -> None:
    answer = api.post(ADD, json.dumps(body(people[0], **change)), content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == [field]
    assert word in str(answer.json()[field])
    assert not connection().exists(QUEUE)


def test_half_a_character_is_repeated_as_it_was_sent(api: APIClient, people: list[User]) -> None:
    """JSON writes it, and no encoding has it."""
    answer = api.post(ADD, json.dumps(body(people[0], status="\ud800")), content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"status": ['"\ud800" is not a valid choice.']})
    (error,) = many(api, [body(people[0], transaction_id="\ud800")]).json()["errors"]
    assert (error["code"], error["transaction_id"]) == ("invalid", "\ud800")


@pytest.mark.parametrize("missing", ["transaction_id", "user", "amount"])
def test_a_missing_field_is_named(api: APIClient, people: list[User], missing: str) -> None:
    sent = body(people[0])
    del sent[missing]
    answer = api.post(ADD, sent, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [missing])


REQUIRED = ["This field is required."]
WHOLE = AmountField.default_error_messages["invalid"]
# What is said of each text below, by how it begins.
SAID: dict[bytes, dict[str, Any]] = {
    b"{": {
        "detail": "JSON parse error - Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)"
    },
    b"nothing": {"detail": "JSON parse error - Expecting value: line 1 column 1 (char 0)"},
    b"[1]": {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]},
    b'"text"': {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]},
    b"7": {"non_field_errors": ["Invalid data. Expected a dictionary, but got int."]},
    b"null": {"non_field_errors": ["No data provided"]},
    b"NaN": {"detail": "JSON parse error - NaN is not JSON"},
    b'{"amount": NaN}': {"detail": "JSON parse error - NaN is not JSON"},
    b'{"amount": 1e400}': {"transaction_id": REQUIRED, "user": REQUIRED, "amount": [WHOLE]},
    b"\xff\xfe": {"detail": "The body is in UTF-16: send UTF-8."},
    b"[[": {"detail": "JSON parse error - nested too deep"},
    b'{"a":{': {"detail": "JSON parse error - nested too deep"},
    b'{"amount": 9999': {"detail": "JSON parse error - a number is too long"},
}


def said_of(text: bytes) -> dict[str, Any]:
    if not text:
        return dict.fromkeys(("transaction_id", "user", "amount"), REQUIRED)
    return SAID[max((start for start in SAID if text.startswith(start)), key=len)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"nothing",
        b"[1]",
        b'"text"',
        b"7",
        b"null",
        b"NaN",
        b'{"amount": NaN}',
        b'{"amount": 1e400}',
        b"\xff\xfe",
        b"[" * 1100 + b"]" * 1100,
        b"[" * 60_000,
        b'{"a":' * 1100 + b"1" + b"}" * 1100,
        b'{"amount": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda text: text[:12].decode(errors="replace"),
)
@pytest.mark.parametrize("path", [ADD, MANY])
def test_what_is_no_record_is_the_clients_error(api: APIClient, text: bytes, path: str) -> None:
    answer = api.post(path, text, content_type="application/json")
    told = answer.json()
    if path == ADD:
        assert (answer.status_code, told) == (400, said_of(text))
    elif text == b"[1]":
        refused = {"non_field_errors": ["Invalid data. Expected a dictionary, but got int."]}
        assert (answer.status_code, told["invalid"], told["errors"][0]["errors"]) == (200, 1, refused)
    else:
        # Told before it is looked whether it is a batch.
        anyway = text.startswith((b"[[", b"\xff\xfe"))
        assert (answer.status_code, told) == (400, said_of(text) if anyway else {"detail": NO_BATCH})


def test_a_body_over_the_limit_is_413(api: APIClient, people: list[User], settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024
    for type in ("application/json", "application/x-www-form-urlencoded"):
        answer = api.post(ADD, b"x" * 1025, content_type=type)
        assert answer.status_code == 413, type
    answer = api.post(MANY, b"x" * 1025, content_type="application/x-ndjson")
    assert answer.status_code == 413


def test_another_content_type_is_415_and_another_verb_405(api: APIClient) -> None:
    answer = api.post(ADD, b"<a/>", content_type="text/xml")
    assert answer.status_code == 415
    assert answer.json()["detail"] == (
        'Unsupported media type "text/xml" in request. Send application/json, '
        "application/x-www-form-urlencoded or multipart/form-data."
    )
    answer = api.post(MANY, b"<a/>", content_type="text/xml")
    assert answer.status_code == 415
    assert answer.json()["detail"].endswith("Send application/json or application/x-ndjson.")
    assert api.get(ADD).status_code == 405


def test_a_large_batch_beside_a_large_one_waits_and_then_comes_again(
    api: APIClient, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsers, "WAIT_S", 0.05)
    padding = b" " * parsers.LARGE_BYTES
    record = json.dumps(body(people[0])).encode()
    with BatchParser().read(b"[" + padding + b"]").turn():
        answer = api.post(MANY, b"[" + record + padding + b"]", content_type="application/json")
        assert answer.status_code == 503
        assert answer["Retry-After"] == "2"
        assert answer.json()["detail"].startswith("Too many large batches at once. Send the same again")
        assert connection().llen(QUEUE) == 0
        assert api.post(MANY, b"[" + record + b"]", content_type="application/json").status_code == 200
    answer = api.post(MANY, b"[" + record + padding + b"]", content_type="application/json")
    assert answer.status_code == 200
    assert connection().llen(QUEUE) == 1


@pytest.mark.parametrize("stored", [False, True])
def test_a_retry_is_a_replay_and_another_payload_a_conflict(
    api: APIClient, people: list[User], stored: bool
) -> None:
    api.post(ADD, body(people[0]), format="json")
    if stored:
        flush()
    retry = api.post(ADD, body(people[0]), format="json")
    assert (retry.status_code, retry.json(), retry["Idempotent-Replayed"]) == (200, OBTAINED, "true")
    other = api.post(ADD, body(people[1], amount=7), format="json")
    assert (other.status_code, sorted(other.json())) == (409, ["amount", "user"])


def test_everything_under_api_is_json(api: APIClient, people: list[User]) -> None:
    for answer in (
        api.get("/api/nothing/"),
        api.get("/api/pipeline/", headers={"host": "evil.example"}),
        api.get("/api/pipeline/", headers={"accept": "text/html"}),
    ):
        assert answer["Content-Type"] == "application/json"
        assert isinstance(answer.json(), dict)


def many(api: APIClient, documents: Any, query: str = "", **more: Any) -> Any:
    return api.post(MANY + query, json.dumps(documents), content_type="application/json", **more)


def test_a_batch_lists_only_what_was_not_accepted(api: APIClient, people: list[User]) -> None:
    alice, bob, _ = people
    answer = many(
        api,
        [
            body(alice, transaction_id="T1"),
            body(alice, transaction_id="T1"),
            body(bob, transaction_id="T1"),
            body(bob, transaction_id="T2", amount="x"),
            body(bob, transaction_id="T3", user=999_999),
            "text",
            body(bob, transaction_id="T4"),
        ],
    )
    assert answer.status_code == 200
    report = answer.json()
    errors = report.pop("errors")
    assert report == {"accepted": 2, "duplicates": 1, "conflicts": 1, "invalid": 3}
    assert [(error["index"], error["transaction_id"], error["code"]) for error in errors] == [
        (2, "T1", "conflict"),
        (3, "T2", "invalid"),
        (4, "T3", "invalid"),
        (5, None, "invalid"),
    ]
    assert all(isinstance(error["errors"], dict) and error["errors"] for error in errors)


def test_a_batch_may_be_lines(api: APIClient, people: list[User]) -> None:
    lines = [
        json.dumps(body(people[0], transaction_id="T1")),
        "",
        "{",
        json.dumps(body(people[0], transaction_id="T2")),
    ]
    answer = api.post(MANY, "\n".join(lines), content_type="application/x-ndjson")
    assert answer.json()["accepted"] == 2
    assert [error["index"] for error in answer.json()["errors"]] == [1]


def test_a_batch_may_be_all_or_nothing(api: APIClient, people: list[User]) -> None:
    api.post(ADD, body(people[0], transaction_id="T1"), format="json")
    good, replay = body(people[0], transaction_id="T2"), body(people[0], transaction_id="T1")
    conflict, wrong = body(people[1], transaction_id="T1"), body(people[1], transaction_id="T3", amount=-1)
    ghost = body(people[0], transaction_id="T4", user=999_999)
    assert many(api, [good, conflict], "?atomic=true").status_code == 409
    assert many(api, [good, wrong], "?atomic=true").status_code == 400
    assert many(api, [good, ghost], "?atomic=true").status_code == 400
    assert connection().llen(QUEUE) == 1
    answer = many(api, [good, replay], "?atomic=true")
    assert (answer.status_code, answer.json()["accepted"], answer.json()["duplicates"]) == (200, 1, 1)


def test_a_batch_has_a_limit(api: APIClient, people: list[User], settings: Any) -> None:
    settings.MAX_BATCH_RECORDS = 3
    assert many(api, [{}] * 3).status_code == 200
    assert many(api, [{}] * 4).status_code == 400
    assert many(api, [{}] * 1001, "?atomic=true").status_code == 400
    assert many(api, [], "?atomic=perhaps").status_code == 400
    assert many(api, []).json() == {
        "accepted": 0,
        "duplicates": 0,
        "conflicts": 0,
        "invalid": 0,
        "errors": [],
    }


def test_a_batch_that_is_all_or_none_is_no_longer_than_others(api: APIClient, settings: Any) -> None:
    settings.MAX_BATCH_RECORDS = 3
    answer = many(api, [{}] * 4, "?atomic=true")
    assert answer.json() == {"detail": "Too many records: 4. At most 3 at once."}
    # Those few are looked at, and none is a record.
    assert many(api, [{}] * 3, "?atomic=true").json()["invalid"] == 3


def test_without_redis_stored_reads_work_and_posts_are_503(
    api: APIClient, people: list[User], settings: Any
) -> None:
    api.post(ADD, body(people[0]), format="json")
    flush()
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    redis_connection.connection.cache_clear()
    try:
        answer = api.post(ADD, body(people[0]), format="json")
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        assert api.get("/api/transactions/TRX123456/").status_code == 200
        answer = api.get("/api/pipeline/")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    finally:
        redis_connection.connection.cache_clear()
