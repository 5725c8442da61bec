"""A 200 means: on the disk of every replica that counts, a replay's too. With one Redis nobody is asked."""

import time
from collections import Counter

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from dev.trio import Trio
from dev.waiting import wait_until
from tests.support.accepting import body, record, take
from transactions.intake import ingest
from transactions.intake.outcomes import UNCONFIRMED, IntakeUnavailable, Outcome, Verdict
from transactions.metrics import counters
from transactions.queue.keys import BOOKS, QUEUE
from transactions.queue.records import Record
from transactions.stores import confirmation
from transactions.stores.confirmation import WRITTEN
from transactions.stores.redis_connection import connection

SLOW = pytest.mark.slow
pytestmark = pytest.mark.django_db(transaction=True)
ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"


def takes(*records: Record) -> list[str]:
    """The verdicts, however long it takes until somebody confirms them."""

    def taken() -> list[str]:
        try:
            return take(*records)
        except IntakeUnavailable:
            return []

    found: list[str] = []

    def holds() -> bool:
        found[:] = taken()
        return bool(found)

    wait_until(holds, 60, "something is acknowledged")
    return found


def failed() -> int:
    """How often the figures say that a confirmation failed."""
    return counters.read()[0].get(counters.UNCONFIRMED, 0)


@SLOW
def test_what_is_acknowledged_is_on_all_three(three: Trio, people: list[User]) -> None:
    assert take(record("T1", people[0]), record("T2", people[0])) == ["N", "N"]
    for server in three.servers:
        with server.client() as client:
            assert client.llen(QUEUE) == 2


@SLOW
@pytest.mark.parametrize("path", [ADD, MANY])
def test_a_primary_cut_from_a_replica_answers_503_and_the_retry_is_a_replay(
    three: Trio, people: list[User], api: APIClient, path: str
) -> None:
    posted = body(people[0]) if path == ADD else [body(people[0])]
    three.replicas[0].freeze()
    answer = api.post(path, posted, format="json")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer.json() == {"detail": f"{UNCONFIRMED} Send the same again, which is safe."}
    # The primary has it, and nobody was told so.
    assert connection().llen(QUEUE) == 1
    three.replicas[0].wake()
    wait_until(
        lambda: api.post(path, posted, format="json").status_code == 200, 60, "something is acknowledged"
    )
    assert connection().llen(QUEUE) == 1
    assert takes(record("TRX123456", people[0])) == ["R"]


@SLOW
def test_a_primary_cut_from_both_answers_503(three: Trio, people: list[User], api: APIClient) -> None:
    for replica in three.replicas:
        replica.freeze()
    assert api.post(ADD, body(people[0]), format="json").status_code == 503


@SLOW
def test_a_replay_is_confirmed_by_a_write_of_its_own(three: Trio, people: list[User]) -> None:
    """By an earlier request's, or by none, it would be confirmed at once, whoever has the record."""
    take(record("T1", people[0]))

    async def replay() -> list[Outcome]:
        """Over a connection that has written before."""
        intake = ingest.Intake()
        try:
            await intake.submit([record("T2", people[0])], "test", atomic=False)
            three.replicas[0].freeze()
            return await intake.submit([record("T1", people[0])], "test", atomic=False)
        finally:
            await intake.close()

    with pytest.raises(IntakeUnavailable):
        async_to_sync(replay)()
    three.replicas[0].wake()
    assert takes(record("T1", people[0])) == ["R"]


@SLOW
def test_a_batch_of_new_and_known_records_is_confirmed_as_a_whole(three: Trio, people: list[User]) -> None:
    take(record("T1", people[0]))
    assert take(record("T1", people[0]), record("T2", people[0])) == ["R", "N"]
    assert take(record("T1", people[0], amount=2), record("T3", people[0])) == ["C", "N"]


@SLOW
def test_a_script_that_the_primary_does_not_know_is_sent(three: Trio, people: list[User]) -> None:
    """As after each failover: a replica does not learn the scripts of its primary."""
    connection().script_flush()
    assert take(record("T1", people[0])) == ["N"]
    assert take(record("T2", people[0])) == ["N"]


@SLOW
def test_where_a_replica_is_known_to_be_missing_nothing_is_written(three: Trio, people: list[User]) -> None:
    take(record("T1", people[0]))
    three.replicas[0].kill()
    wait_until(confirmation.lacking, 60, "it is noticed that a replica is gone")
    before = failed()
    began = time.monotonic()
    with pytest.raises(IntakeUnavailable):
        take(record("T2", people[0]))
    # Without waiting for REPLICA_TIMEOUT_MS.
    assert time.monotonic() - began < 0.4
    assert connection().llen(QUEUE) == 1
    assert failed() == before + 1


@SLOW
def test_intake_goes_on_with_the_next_primary(three: Trio, people: list[User]) -> None:
    assert takes(record("T1", people[0])) == ["N"]
    three.primary.kill()
    began = time.monotonic()
    assert takes(record("T1", people[0])) == ["R"]
    assert takes(record("T2", people[0])) == ["N"]
    assert time.monotonic() - began < 40


def test_with_one_redis_a_record_and_its_replay_ask_as_much_as_ever(people: list[User]) -> None:
    """The look for memory, the generation, the script; and a replay writes nothing."""

    async def accept() -> list[str]:
        intake = ingest.Intake()
        try:
            first = await intake.submit([record("T1", people[0])], "test", atomic=False)
            again = await intake.submit([record("T1", people[0])], "test", atomic=False)
        finally:
            await intake.close()
        return [outcome.verdict for outcome in first + again]

    take(record("T0", people[0]))  # Redis knows the script, and PostgreSQL the user.
    with connection().monitor() as monitor:  # type: ignore[no-untyped-call]
        assert async_to_sync(accept)() == [Verdict.NEW, Verdict.REPLAYED]
        connection().echo("end")
        seen: list[list[str]] = []
        for heard in monitor.listen():
            words = [heard["client_type"], *heard["command"].split()]
            if words[1] == "ECHO":
                break
            seen.append(words)
    sent = [words[1] for words in seen if words[0] != "lua"]
    written = Counter(words[1] for words in seen if words[0] == "lua")
    greetings = {"CLIENT", "HELLO", "SELECT", "AUTH", "PUBLISH", "EVAL", "ZREMRANGEBYSCORE", "ZRANGE"}
    assert [name for name in sent if name not in greetings] == ["HGET", "INFO", "EVALSHA", "EVALSHA"]
    # Of the one that is new alone.
    assert {name: written[name] for name in ("HSET", "RPUSH", "HINCRBY")} == {
        "HSET": 1,
        "RPUSH": 2,
        "HINCRBY": 1,
    }
    assert not connection().hexists(BOOKS, "replayed")
    assert not connection().exists(WRITTEN)
