"""The latest accepted state of what waits: in the queue, and in batches that are being stored."""

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import NOW, push, queued, record, take
from transactions.books import balance
from transactions.intake.outcomes import Code, Outcome, Refusal, Verdict, refusal_of
from transactions.queue.keys import BATCH, INDEX
from transactions.queue.waiting import newest_waiting, waiting
from transactions.stores.redis_connection import connection
from transactions.storing import flush as flushing

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_shows_the_latest_accepted_state_while_it_waits(people: list[User]) -> None:
    take(record("T1", people[0]))
    take(record("T1", people[0], status="FAILED"))
    state = waiting("T1")
    assert state is not None
    assert (state.status, state.user, state.amount, state.request_id) == (
        "FAILED",
        people[0].pk,
        1000,
        "test",
    )


def test_it_knows_what_is_being_stored(people: list[User]) -> None:
    """Batches have left the queue, and are not in PostgreSQL yet; the newest has the last word."""
    take(record("T1", people[0]), record("T2", people[0]))
    flushing.take_queue(f"{BATCH}one")
    assert take(record("T1", people[0])) == ["R"]
    assert take(record("T1", people[0], amount=5)) == ["C"]
    assert take(record("T1", people[0], status="SUCCESS")) == ["S"]
    flushing.take_queue(f"{BATCH}two")
    assert take(record("T1", people[0], status="FAILED"), record("T2", people[0], status="FAILED")) == [
        "C",
        "S",
    ]
    found = [waiting(id) for id in ("T1", "T2", "T3")]
    assert [state and state.status for state in found] == ["SUCCESS", "FAILED", None]


NAIVE = NOW.removesuffix(".000000Z")
NO_STATES = {
    "a word": b"garbage",
    "too few fields": b"PENDING\t1\t5",
    "a status that there is not": f"LOST\t1\t5\t\\N\t{NOW}\tx".encode(),
    "no UTF-8": b"\xff",
    "no number": f"PENDING\t1\tfive\t\\N\t{NOW}\tx".encode(),
    "no date": f"PENDING\t1\t5\t\\N\t{NOW.replace('-01-', '-13-')}\tx".encode(),
    "a date without an offset": f"PENDING\t1\t5\t\\N\t{NAIVE}\tx".encode(),
}


@pytest.mark.parametrize("state", NO_STATES.values(), ids=NO_STATES)
def test_what_stands_in_the_index_and_is_no_state_is_passed_over(state: bytes) -> None:
    connection().hset(INDEX, "T1", state)
    assert waiting("T1") is None


@pytest.mark.parametrize("state", NO_STATES.values(), ids=NO_STATES)
def test_who_posts_such_an_id_again_is_refused_and_nobody_else(people: list[User], state: bytes) -> None:
    connection().hset(INDEX, "T1", state)
    assert take(record("T1", people[0]), record("T2", people[0])) == ["C", "N"]
    assert refusal_of(record("T1", people[0]), Outcome(Verdict.CONFLICT)) == Refusal(
        Code.CONFLICT,
        {"transaction_id": ["What was accepted with this transaction_id before cannot be read."]},
    )


def test_a_line_that_cannot_be_read_has_no_age() -> None:
    push(queued("T1", 1, at=NAIVE))
    assert balance.read().oldest_buffered_seconds is None


@pytest.mark.parametrize("id", ["w\0nul", "bell\a", "x" * 101])
def test_a_line_with_what_is_no_id_is_no_record(id: str) -> None:
    push(queued("T1", 1), queued(id, 1))
    found = newest_waiting(10)
    assert ([each for each, _ in found.states], found.unreadable) == (["T1"], 1)
