"""What is not understood is refused, never guessed: fields, numbers, dates and characters of a record."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from rest_framework.test import APIClient

from transactions import names
from transactions.intake import decoder, parsers
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection, text

pytestmark = pytest.mark.django_db(transaction=True)

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
WHOLE = (
    "Expected an integer, or a string of digits: the amount in the smallest unit, without a decimal point."
)
KEY = "Incorrect type. Expected the key of a user, an integer or a string of digits."


def written(payer: User, /, **more: Any) -> str:
    """A record as JSON; of a value that is bytes, those bytes as they are."""
    fields = {"transaction_id": "T1", "user": payer.pk, "amount": 1000, **more}
    pairs = (
        f"{json.dumps(name)}: {value.decode() if isinstance(value, bytes) else json.dumps(value)}"
        for name, value in fields.items()
    )
    return f"{{{', '.join(pairs)}}}"


def alone(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", ADD, record, content_type="application/json")
    assert answer.status_code == 400, answer.content
    return dict(answer.json())


def in_a_batch(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", MANY, f"[{record}]", content_type="application/json")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["errors"][0]["errors"])


def in_lines(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", MANY, f"\n{record}\n", content_type="application/x-ndjson")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["errors"][0]["errors"])


def all_or_none(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", f"{MANY}?atomic=true", f"[{record}]", content_type="application/json")
    assert answer.status_code == 400, answer.content
    return dict(answer.json()["errors"][0]["errors"])


Way = Callable[[APIClient, str], dict[str, Any]]
WAYS = pytest.mark.parametrize("way", [alone, in_a_batch, in_lines, all_or_none])


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
@pytest.mark.parametrize("name", ["currency", "", "é", "\ud800", "__proto__", "\x00"])
def test_a_field_that_means_nothing_is_named_beside_those_there_are(
    api: APIClient, people: list[User], way: Way, name: str
) -> None:
    known = "transaction_id, user, amount, status, created_at"
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


@pytest.mark.parametrize("format", ["multipart", "form"])
def test_a_form_s_fields_are_known_and_given_once(api: APIClient, people: list[User], format: str) -> None:
    def post(*pairs: tuple[str, str]) -> tuple[int, Any]:
        fields = [("transaction_id", "T1"), ("user", str(people[0].pk)), ("amount", "1"), *pairs]
        if format == "form":
            body = "&".join(f"{name}={value}" for name, value in fields)
            answer = api.generic("POST", ADD, body, content_type="application/x-www-form-urlencoded")
        else:
            parts = (
                f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in fields
            )
            body = "".join([*parts, "--b--\r\n"])
            answer = api.generic("POST", ADD, body, content_type="multipart/form-data; boundary=b")
        return answer.status_code, answer.json()

    assert post(("Status", "FAILED")) == (400, {"Status": ['Unknown field. Did you mean "status"?']})
    assert post(("amount", "2")) == (400, {"amount": ["Give this once."]})
    assert post(("amount", "1")) == (400, {"amount": ["Give this once."]})
    assert post(("status", "x"), ("currency", "EUR"))[1].keys() == {"currency"}
    assert not connection().exists(QUEUE)
    # What Django's own forms add says nothing of the transaction.
    assert post(("csrfmiddlewaretoken", "x"))[0] == 200


@pytest.mark.parametrize("format", ["multipart", "form"])
def test_a_form_that_is_no_utf_8_is_refused(api: APIClient, people: list[User], format: str) -> None:
    """Read as something else, two ids would become one."""

    def post(body: Any, content_type: str) -> tuple[int, Any]:
        answer = api.generic("POST", ADD, body, content_type=content_type)
        return answer.status_code, answer.json()

    if format == "form":
        for id in (b"T%ff", b"T\xff"):
            body = b"transaction_id=%s&user=%d&amount=1" % (id, people[0].pk)
            status, told = post(body, "application/x-www-form-urlencoded")
            assert (status, "UTF-8" in str(told)) == (400, True)
    else:
        fields = {"transaction_id": b"T\xff", "user": b"%d" % people[0].pk, "amount": b"1"}
        parts = (
            b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
            for name, value in fields.items()
        )
        told = {"transaction_id": ["This is not UTF-8."]}
        assert post(b"".join([*parts, b"--b--\r\n"]), "multipart/form-data; boundary=b") == (400, told)


def test_a_form_of_a_thousand_fields_is_told_so(api: APIClient) -> None:
    body = "&".join(f"f{number}=1" for number in range(1001))
    answer = api.generic("POST", ADD, body, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "There are too many fields or parameters."},
    )


@pytest.mark.parametrize("format", ["multipart", "form"])
@pytest.mark.parametrize("name", ["transaction_id", "user", "amount", "status", "created_at"])
def test_a_form_s_empty_field_is_no_field_left_out(
    api: APIClient, people: list[User], format: str, name: str
) -> None:
    """A template whose variable is empty would make a FAILED PENDING, and a date of last week today's."""
    fields = {"transaction_id": "T1", "user": people[0].pk, "amount": 1, "status": "FAILED", name: ""}
    said = api.post(ADD, fields, format="json")
    for pairs in (f"{name}=", name):
        if format == "form":
            others = "&".join(f"{key}={value}" for key, value in fields.items() if key != name)
            answer = api.generic(
                "POST", ADD, f"{others}&{pairs}", content_type="application/x-www-form-urlencoded"
            )
        else:
            answer = api.post(ADD, fields, format="multipart")
        assert (answer.status_code, answer.json()) == (400, said.json())
        assert list(answer.json()) == [name]
    assert not connection().exists(QUEUE)


# --- Moments ----------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize(
    "moment",
    [
        "٢٠٢٦-٠١-٣١T١٢:٠٠:٠٠Z",
        "2026-01-31T12:00:0٠Z",
        "２０２６-01-31T12:00:00Z",
        "2026-01-31T12:00:00＋01:00",
    ],
)
def test_a_moment_is_written_in_ascii(api: APIClient, people: list[User], way: Way, moment: str) -> None:
    told = way(api, written(people[0], created_at=moment))
    assert list(told) == ["created_at"]
    assert told["created_at"][0].startswith("Datetime has wrong format.")


@WAYS
@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T00:00:00Z\n",
        "2026-01-01T00:00:00+00:00\n",
        "\n2026-01-01T00:00:00Z",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00 Z",
        "2026-01-01T00:00:00 +00:00",
        "2026-01-01\n00:00:00Z",
        "2026-01-01x00:00:00Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T000000Z",
        "20260101T000000Z",
        "20260101T00:00:00Z",
        "2026-W01-4T00:00:00Z",
        "2026-1-1T00:00:00Z",
        "2026-01-01T00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00+0330",
        "2026-01-01T00:00:00+03",
        "2026-01-01T00:00:00+00:99",
        "2026-01-01T00:00:00z",
    ],
)
def test_a_moment_is_written_as_the_refusal_says_and_no_other_way(
    api: APIClient, people: list[User], way: Way, moment: str
) -> None:
    told = way(api, written(people[0], created_at=moment))
    assert list(told) == ["created_at"]
    assert told["created_at"] == [
        "Datetime has wrong format. Use one of these formats instead: "
        "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
    ]


@WAYS
def test_more_digits_of_a_second_than_nine_are_told(api: APIClient, people: list[User], way: Way) -> None:
    told = way(api, written(people[0], created_at="2026-01-01T00:00:00.1234567890Z"))
    assert told == {"created_at": ["A second has at most nine digits after its point."]}


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01T00:00:00.123456789+03:30",
        "2026-01-01T00:00:00-11:00",
        "2026-01-01T00:00:00+03:25:44",
    ],
)
def test_a_moment_is_taken_as_clients_write_it(api: APIClient, people: list[User], moment: str) -> None:
    body = written(people[0], created_at=moment)
    for path, posted in ((ADD, body), (MANY, f"[{body}, 5]")):
        answer = api.generic("POST", path, posted, content_type="application/json")
        assert (answer.status_code, answer.json().get("invalid", 1)) == (200, 1), answer.content
    assert decoder.record(body.encode()) is not None


@WAYS
def test_a_clock_that_is_ahead_is_told_by_how_much_and_when_to_send_again(
    api: APIClient, people: list[User], way: Way
) -> None:
    began = datetime.now(UTC)
    moment = began + timedelta(minutes=6)
    (told,) = way(api, written(people[0], created_at=moment.isoformat()))["created_at"]
    passed_s = (datetime.now(UTC) - began).total_seconds()
    found = re.fullmatch(
        r"This is (\d+) seconds ahead of the server's clock, and at most 300 are taken: "
        r"set your clock, or send the same again in (\d+) seconds\.",
        told,
    )
    assert found is not None, told
    ahead_s, wait_s = map(int, found.groups())
    assert 359 - passed_s < ahead_s <= 360
    assert wait_s - (ahead_s - 300) in (0, 1)


@WAYS
def test_a_moment_before_the_earliest_is_told_which_that_is(
    api: APIClient, people: list[User], way: Way
) -> None:
    told = way(api, written(people[0], created_at="1969-12-31T23:59:59.999999Z"))
    words = "This is before 1970-01-01, and nothing earlier is taken (EARLIEST_CREATED_AT)."
    assert told == {"created_at": [words]}
    with override_settings(EARLIEST_CREATED_AT=date(2020, 2, 2)):
        told = way(api, written(people[0], created_at="2020-02-02T00:59:59+01:00"))
        assert "before 2020-02-02" in told["created_at"][0]
        record = written(people[0], created_at="2020-02-02T01:00:00+01:00")
        answer = api.generic("POST", ADD, record, content_type="application/json")
        assert answer.status_code == 200


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


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n--b", "\r\n--b-", "\r\n--b\r\n", "\r\n--bb--\r\n", "--b--"])
def test_a_multipart_form_that_is_cut_short_is_refused(api: APIClient, people: list[User], end: str) -> None:
    fields = {"transaction_id": "T1", "user": people[0].pk, "amount": "12"}
    parts = "\r\n".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in fields.items()
    )
    for type in ("multipart/form-data; boundary=b", 'multipart/form-data; boundary="b"; charset=utf-8'):
        answer = api.generic("POST", ADD, parts + end, content_type=type)
        assert (answer.status_code, answer.json()) == (
            400,
            {"detail": parsers.CUT_SHORT},
        )
    assert not connection().exists(QUEUE)
    for whole in ("\r\n--b--\r\n", "\r\n--b--", "\r\n--b-- \t\r\nepilogue"):
        answer = api.generic("POST", ADD, parts + whole, content_type="multipart/form-data; boundary=b")
        assert answer.status_code == 200, answer.content
