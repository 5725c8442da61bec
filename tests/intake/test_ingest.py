"""Accepting: what the script decides, alone and in groups."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from tests.support.accepting import outcomes, record, serve, take
from transactions.intake import ingest
from transactions.intake.ingest import CALL_RECORDS_MAX
from transactions.intake.lookups import lookups
from transactions.intake.outcomes import IntakeUnavailable, Outcome, Verdict
from transactions.queue.keys import BOOKS, FEED, INDEX, QUEUE
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


WHERE = pytest.mark.parametrize("stored", [False, True], ids=["while it waits", "once it is stored"])


@WHERE
@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("PENDING", "PENDING", "R"),
        ("SUCCESS", "SUCCESS", "R"),
        ("FAILED", "FAILED", "R"),
        ("PENDING", "SUCCESS", "S"),
        ("PENDING", "FAILED", "S"),
        ("SUCCESS", "PENDING", "R"),
        ("FAILED", "PENDING", "R"),
        ("SUCCESS", "FAILED", "C"),
        ("FAILED", "SUCCESS", "C"),
    ],
)
def test_it_decides_a_second_status_alike(
    people: list[User], stored: bool, first: str, second: str, verdict: str
) -> None:
    assert take(record("T1", people[0], status=first)) == ["N"]
    if stored:
        flush()
    assert take(record("T1", people[0], status=second)) == [verdict]


@WHERE
def test_it_refuses_another_user_or_amount_and_says_what_was_there(people: list[User], stored: bool) -> None:
    take(record("T1", people[0]))
    if stored:
        flush()
    assert take(record("T1", people[1])) == ["C"]
    (outcome,) = outcomes(record("T1", people[0], amount=1001))
    assert outcome.verdict is Verdict.CONFLICT
    assert outcome.known is not None
    assert (outcome.known.user, outcome.known.amount) == (people[0].pk, 1000)


@WHERE
def test_it_takes_created_at_as_part_of_the_transaction(people: list[User], stored: bool) -> None:
    then, later = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
    take(record("T1", people[0], created_at=then), record("T2", people[0]))
    if stored:
        flush()
    assert take(record("T1", people[0])) == ["R"]
    assert take(record("T1", people[0], created_at=then)) == ["R"]
    assert take(record("T1", people[0], created_at=later)) == ["C"]
    assert take(record("T2", people[0], created_at=then)) == ["C"]
    assert take(record("T1", people[0], status="SUCCESS")) == ["S"]
    assert take(record("T1", people[0], created_at=later)) == ["R"], "a late one, whatever it states"
    assert take(record("T1", people[0], status="SUCCESS", created_at=later)) == ["C"]


def test_it_decides_repeats_within_one_call(people: list[User]) -> None:
    verdicts = take(
        record("T1", people[0]),
        record("T1", people[0]),
        record("T1", people[0], status="SUCCESS"),
        record("T1", people[0], status="FAILED"),
        record("T1", people[1]),
    )
    assert verdicts == ["N", "R", "S", "C", "C"]
    assert connection().llen(QUEUE) == 2


def test_it_takes_all_or_nothing_when_asked(people: list[User]) -> None:
    take(record("T1", people[0]))
    assert take(record("T2", people[0]), record("T1", people[1]), atomic=True) == ["H", "C"]
    assert connection().llen(QUEUE) == 1
    assert take(record("T2", people[0]), record("T1", people[0]), atomic=True) == ["N", "R"]
    assert connection().llen(QUEUE) == 2


def test_it_refuses_a_user_that_does_not_exist(people: list[User]) -> None:
    ghost = User(pk=999_999)
    assert take(record("T1", ghost), record("T2", people[0])) == ["U", "N"]
    assert take(record("T3", ghost), record("T4", people[0]), atomic=True) == ["U", "H"]
    assert connection().llen(QUEUE) == 1


def test_it_keeps_ids_whole_whatever_they_are_made_of(people: list[User]) -> None:
    ids = [
        "a\\b",
        "\\N",
        "\\.",
        "a/b",
        "ü",
        "{}",
        "1\\t2",
        "'",
        '"',
        "\u202eabc",
        "😀" * 100,
        "中" * 100,
        "\\" * 100,
    ]
    assert set(take(*(record(id, people[0]) for id in ids))) == {"N"}
    flush()
    assert set(take(*(record(id, people[0]) for id in ids))) == {"R"}
    assert connection().hlen(INDEX) == 0


def test_it_answers_503_when_the_queue_is_full(people: list[User], settings: Any) -> None:
    settings.MAX_QUEUE_LENGTH = 2
    take(record("T1", people[0]), record("T2", people[0]))
    with pytest.raises(IntakeUnavailable):
        take(record("T3", people[0]))
    assert take(record("T1", people[0])) == ["R"], "a replay needs no room"


def test_a_record_that_waits_costs_at_most_600_bytes_of_redis(people: list[User]) -> None:
    """Queue and index; the feed, which is bounded, is left out."""
    count = 20_000
    # Ids of transactions and of requests as long as a UUID.
    records = [record(f"{n:036}", people[0], amount=10**9 + n) for n in range(count)]
    before = connection().info("memory")["used_memory"]
    for at in range(0, count, 1000):
        async_to_sync(ingest.accept)(records[at : at + 1000], str(uuid.uuid4()))
    connection().delete(FEED)
    used = connection().info("memory")["used_memory"] - before
    assert connection().llen(QUEUE) == connection().hlen(INDEX) == count
    assert used / count <= 600


def test_it_answers_503_near_the_memory_limit(people: list[User], settings: Any) -> None:
    settings.REDIS_RESERVE_BYTES = 2**40
    with pytest.raises(IntakeUnavailable):
        take(record("T1", people[0]))
    assert connection().llen(QUEUE) == 0


def test_it_writes_nothing_beside_a_key_of_another_type(people: list[User]) -> None:
    connection().set(INDEX, "not a hash")
    with pytest.raises(IntakeUnavailable):
        take(record("T1", people[0]))
    assert not connection().exists(QUEUE)
    assert not connection().exists(BOOKS)


def test_it_survives_the_loss_of_its_script(people: list[User]) -> None:
    take(record("T1", people[0]))
    connection().script_flush()
    assert take(record("T2", people[0])) == ["N"]


def test_it_carries_concurrent_requests_in_few_calls(people: list[User]) -> None:
    async def many() -> list[list[Outcome]]:
        return await asyncio.gather(
            *(ingest.accept([record(f"T{n}", people[n % 3])], "test") for n in range(500))
        )

    connection().config_resetstat()
    answers = serve(many())
    assert all(answer[0].verdict is Verdict.NEW for answer in answers)
    calls = connection().info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    assert calls <= 5


def test_it_lets_a_client_go_without_harm_to_the_others(people: list[User]) -> None:
    async def cut() -> list[Any]:
        tasks = [asyncio.create_task(ingest.accept([record(f"T{n}", people[0])], "test")) for n in range(300)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = serve(cut())
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert [answer[0].verdict for answer in answers[1::2]] == [Verdict.NEW] * 150


def test_it_splits_what_one_call_cannot_carry(people: list[User]) -> None:
    records = [record(f"T{n}", people[0]) for n in range(2 * CALL_RECORDS_MAX + 1)]
    assert take(*records) == ["N"] * len(records)
    assert connection().llen(QUEUE) == len(records)


def test_it_asks_again_when_a_flush_overtakes_the_look_up(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absent in PostgreSQL, then a flush commits and lets go, then the script: it must not accept."""
    take(record("T1", people[0]))
    asked = lookups.ask
    overtaken: list[bool] = []

    async def ask_then_flush(*arguments: Any) -> Any:
        answer = await asked(*arguments) if overtaken else ({}, set())
        if not overtaken:
            overtaken.append(True)
            await asyncio.to_thread(flush)
        return answer

    monkeypatch.setattr(lookups, "ask", ask_then_flush)
    assert take(record("T1", people[1])) == ["C"]
