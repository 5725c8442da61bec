"""The books as they are told, by `manage.py verify` and by the API; and the alarms."""

import json
import os
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from tests.support.accepting import push, queued, record, take
from tests.support.outages import postgres_away, redis_away, stores_moving_on
from transactions.models import Epoch
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [
    "accepted",
    "stored",
    "settled",
    "duplicates",
    "rejected",
    "buffered",
    "in_flight",
    "balanced",
    "removed",
    "pruned",
    "rows",
    "oldest_buffered_seconds",
    "last_flush",
    "rules",
]


def verify(*arguments: str) -> tuple[str, str, bool]:
    """What `manage.py verify` prints, its complaints, and whether it is content."""
    out, err = StringIO(), StringIO()
    try:
        call_command("verify", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}", error.returncode == 0
    return out.getvalue(), err.getvalue(), True


def shown(out: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in out.splitlines())


@pytest.fixture
def alarm(transactional_db: None) -> Epoch:
    return Epoch.objects.create(alarm="The Redis data vanished.")


@pytest.mark.parametrize("buffering", [-1, 1])
def test_where_nobody_reads_on_it_is_quiet_and_its_status_tells_what_it_found(
    people: list[User], buffering: int
) -> None:
    """As in `manage.py verify | head -1`."""
    err = StringIO()
    for is_balanced in (True, False):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w", buffering) as unread:
            if is_balanced:
                call_command("verify", stdout=unread, stderr=err)
                take(record("V1", people[0]), record("V2", people[0]))
                connection().lpop(QUEUE)
            else:
                with pytest.raises(CommandError, match="The books do not balance"):
                    call_command("verify", stdout=unread, stderr=err)
    assert err.getvalue() == ""


def test_it_prints_every_term_of_the_books_aligned(people: list[User]) -> None:
    take(*(record(f"V{n}", people[0]) for n in range(3)))
    flush()
    take(record("V1", people[0], status="SUCCESS"))
    push(queued("V9", 424_242))
    flush()
    take(record("V8", people[1]))
    out, err, content = verify()
    assert (err, content) == ("", True)
    assert list(shown(out)) == NAMES
    counts = {name: shown(out)[name] for name in NAMES[:8]}
    assert counts == {
        "accepted": "6",
        "stored": "3",
        "settled": "1",
        "duplicates": "0",
        "rejected": "1",
        "buffered": "1",
        "in_flight": "0",
        "balanced": "true",
    }
    assert len({line.index(line.split()[1], len(line.split()[0])) for line in out.splitlines()}) == 1


def test_empty_books_hold(transactional_db: None) -> None:
    out, _, content = verify()
    assert content
    assert shown(out)["oldest_buffered_seconds"] == "-"


def test_it_gives_the_same_as_the_api_as_json(people: list[User]) -> None:
    take(record("V1", people[0]))
    flush()
    out, _, content = verify("--json")
    assert content
    books = json.loads(out)
    assert list(books) == NAMES
    assert (books["accepted"], books["stored"], books["balanced"]) == (1, 1, True)
    assert books["last_flush"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "told", "balanced"), [([], shown, "false"), (["--json"], json.loads, False)]
)
def test_it_fails_when_a_record_was_taken_behind_the_systems_back(
    people: list[User], arguments: list[str], told: Callable[[str], dict[str, Any]], balanced: object
) -> None:
    take(record("V1", people[0]), record("V2", people[0]))
    connection().lpop(QUEUE)
    out, err, content = verify(*arguments)
    assert not content
    assert err == "The books do not balance."
    assert told(out)["balanced"] == balanced


def test_it_names_redis_when_redis_does_not_answer(transactional_db: None) -> None:
    with redis_away():
        out, err, content = verify()
    assert (out, content) == ("", False)
    assert err.startswith("Redis does not answer")


def test_it_names_postgresql_and_shows_what_redis_knows(transactional_db: None) -> None:
    push(queued("V1", 1), queued("V2", 1))
    with postgres_away():
        out, err, content = verify()
    assert not content
    assert err.startswith("PostgreSQL does not answer")
    assert (shown(out)["accepted"], shown(out)["buffered"], shown(out)["stored"]) == ("2", "2", "-")


def test_it_does_not_blame_postgresql_when_the_stores_move_on(people: list[User]) -> None:
    take(record("V1", people[0]))
    flush()
    with stores_moving_on():
        out, err, content = verify()
    assert not content
    assert err == "The stores moved on between every two readings: run this again."
    assert (shown(out)["accepted"], shown(out)["balanced"]) == ("1", "-")


def test_it_shows_open_alarms_beside_the_json(alarm: Epoch) -> None:
    out, err, _ = verify("--json")
    assert json.loads(out)["balanced"] is True
    assert "The Redis data vanished." in err
    alarm.refresh_from_db()
    assert alarm.alarm_acknowledged_at is None


def test_it_acknowledges_the_alarms_it_shows(alarm: Epoch) -> None:
    quiet = Epoch.objects.create()
    _, err, content = verify("--acknowledge")
    assert content
    assert "The Redis data vanished." in err
    assert "alarms acknowledged: 1" in err
    alarm.refresh_from_db()
    quiet.refresh_from_db()
    assert alarm.alarm_acknowledged_at is not None
    assert quiet.alarm_acknowledged_at is None
    assert "vanished" not in verify()[1]
    assert "alarms acknowledged: 0" in verify("--acknowledge")[1]


def test_the_books_are_told(api: APIClient, people: list[User]) -> None:
    take(record("V1", people[0]))
    told = api.get("/api/pipeline/").json()
    assert list(told) == NAMES
    assert (told["accepted"], told["buffered"], told["balanced"]) == (1, 1, True)
