"""When something happened is taken as clients write it, and as the refusal says, in no other way."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from rest_framework.test import APIClient

from tests.intake.ways import ADD, MANY, WAYS, Way, written
from transactions.intake import decoder

pytestmark = pytest.mark.django_db(transaction=True)


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
