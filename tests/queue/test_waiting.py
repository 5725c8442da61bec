"""The latest accepted state of what waits: in the queue, and in batches that are being stored."""

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record, take
from transactions.queue.keys import BATCH
from transactions.queue.waiting import waiting
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
