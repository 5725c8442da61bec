"""Safeguards of accepting one by one, also those behind which another one stands."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record, serve, take
from transactions.intake import ingest, outcomes
from transactions.intake.lookups import lookups
from transactions.queue.keys import BOOKS, FEED, INDEX, QUEUE
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_knows_the_time_of_a_transaction_that_settled_while_nobody_could_be_asked(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has the settlement alone, without a time; PostgreSQL, back again, has the time stated first."""
    stated = datetime(2026, 1, 31, 12, tzinfo=UTC)
    take(record("T1", people[0], created_at=stated))
    flush()
    with monkeypatch.context() as away:
        away.setattr(lookups, "_paused_until", float("inf"))
        assert take(record("T1", people[0], status="SUCCESS")) == ["N"]
    assert take(record("T1", people[0], status="SUCCESS", created_at=stated)) == ["R"]
    assert take(record("T1", people[0], status="SUCCESS", created_at=stated + timedelta(days=1))) == ["C"]


@pytest.mark.parametrize("key", [QUEUE, INDEX, BOOKS, FEED])
def test_it_accepts_nothing_by_half_beside_a_key_of_another_type(people: list[User], key: str) -> None:
    """Lua does not roll back: what would fail half-way has to be seen before the first write."""
    connection().set(key, "somebody else's")
    with pytest.raises(outcomes.IntakeUnavailable):
        take(record("T1", people[0]))
    assert connection().keys("*transactions_list*") == [key.encode()]


@pytest.mark.parametrize("turns", [1, 2, 4, 8, 16])
def test_it_goes_on_for_the_others_when_clients_leave_amid_a_call(people: list[User], turns: int) -> None:
    """After some turns of the loop the call that carries them all is at one stage or another."""

    async def leave() -> list[Any]:
        intake = ingest.serve_here()
        submissions = (intake.submit([record(f"T{n}", people[0])], "test", atomic=False) for n in range(60))
        tasks = [asyncio.create_task(submission) for submission in submissions]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = serve(leave())
    assert [answer[0].verdict for answer in answers[1::2]] == [outcomes.Verdict.NEW] * 30
