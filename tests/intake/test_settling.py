"""A second record of a transaction: decided alike wherever the first is, and whatever time it states."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.support.accepting import outcomes, push, queued, record, take
from transactions.intake.lookups import lookups
from transactions.intake.outcomes import Verdict, refusal_of
from transactions.models import RejectedRecord, Transaction
from transactions.queue.records import Record, stamp
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.storing import flush as flushing
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

T0, T1, T2 = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(3))
ADD = "/api/add-transaction/"
_numbers = count(1)


@contextmanager
def postgresql_unasked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Intake goes on from Redis alone."""

    async def ask(*_: Any) -> None:
        return None

    with monkeypatch.context() as patched:
        patched.setattr(lookups, "ask", ask)
        yield


@contextmanager
def amid_a_flush(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What has been accepted is reserved, in its batch, and not committed."""

    class Crash(Exception):
        pass

    def crash(name: str) -> None:
        if name == "flush.after_reserve":
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(flushing, "crash_point", crash)
        with pytest.raises(Crash):
            flush()
    with Session() as session:  # The server frees the lock of a lost connection only a moment later.
        while not session.try_lock(FLUSH_LOCK):
            """It is being closed."""
    yield


# The first record, the second, and what becomes of the second.
CASES = [
    (("PENDING", T0), ("SUCCESS", T1), "S"),
    (("PENDING", T0), ("FAILED", T1), "S"),
    (("PENDING", T0), ("SUCCESS", T0), "S"),
    (("PENDING", T0), ("SUCCESS", None), "S"),
    (("PENDING", None), ("SUCCESS", T1), "S"),
    (("PENDING", T0), ("PENDING", T1), "C"),
    (("PENDING", T0), ("PENDING", T0), "R"),
    (("PENDING", None), ("PENDING", T1), "C"),
    (("SUCCESS", T1), ("PENDING", T0), "R"),
    (("SUCCESS", T1), ("PENDING", None), "R"),
    (("SUCCESS", None), ("PENDING", T0), "R"),
    (("SUCCESS", T1), ("SUCCESS", T2), "C"),
    (("SUCCESS", T1), ("SUCCESS", None), "R"),
    (("SUCCESS", T1), ("FAILED", T1), "C"),
    (("SUCCESS", T1), ("FAILED", T2), "C"),
]
WHERE = ("while it waits", "amid a flush", "once it is stored")


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(("first", "second", "verdict"), CASES)
def test_the_time_of_a_second_record_counts_in_the_same_state_alone(
    people: list[User],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    first: tuple[str, datetime | None],
    second: tuple[str, datetime | None],
    verdict: str,
) -> None:
    assert take(record("T1", people[0], status=first[0], created_at=first[1])) == ["N"]
    if where == "once it is stored":
        flush()
    if where == "amid a flush":
        with amid_a_flush(monkeypatch):
            assert take(record("T1", people[0], status=second[0], created_at=second[1])) == [verdict]
    else:
        assert take(record("T1", people[0], status=second[0], created_at=second[1])) == [verdict]
    flush()
    row = Transaction.objects.get()
    assert row.status == (second[0] if verdict == "S" else first[0])
    assert row.created_at == (first[1] or row.accepted_at), "the time of the first stands"
    assert not RejectedRecord.objects.exists()


@pytest.mark.parametrize(("first", "second", "verdict"), CASES)
def test_it_is_decided_alike_at_the_flush_where_postgresql_could_not_be_asked(
    people: list[User],
    monkeypatch: pytest.MonkeyPatch,
    first: tuple[str, datetime | None],
    second: tuple[str, datetime | None],
    verdict: str,
) -> None:
    take(record("T1", people[0], status=first[0], created_at=first[1]))
    flush()
    with postgresql_unasked(monkeypatch):
        assert take(record("T1", people[0], status=second[0], created_at=second[1])) == ["N"]
    report = flush()
    expected = {"S": (1, 0, 0), "R": (0, 1, 0), "C": (0, 0, 1)}[verdict]
    assert (report.settled, report.duplicates, report.rejected) == expected
    row = Transaction.objects.get()
    assert row.created_at == (first[1] or row.accepted_at)


@pytest.mark.parametrize("where", [*WHERE, "unasked"])
def test_a_settlement_with_its_own_time_is_known_again(
    people: list[User], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Else the retry of a settlement whose answer was lost would be a conflict."""
    take(record("T1", people[0], created_at=T0))
    if where == "unasked":
        flush()
        with postgresql_unasked(monkeypatch):
            take(record("T1", people[0], status="SUCCESS", created_at=T1))
    else:
        take(record("T1", people[0], status="SUCCESS", created_at=T1))
    if where in ("once it is stored", "unasked"):
        flush()
    if where == "amid a flush":
        with amid_a_flush(monkeypatch):
            pass
    for status, moment, verdict in (
        ("SUCCESS", T1, "R"),
        ("SUCCESS", None, "R"),
        ("SUCCESS", T0, "R"),
        ("PENDING", T0, "R"),
        ("PENDING", T2, "R"),
        ("SUCCESS", T2, "C"),
        ("FAILED", T1, "C"),
    ):
        assert take(record("T1", people[0], status=status, created_at=moment)) == [verdict], (status, moment)


def told(outcome: Any, sent: Record) -> str:
    """A verdict, with what the client is told of it."""
    refusal = refusal_of(sent, outcome)
    return f"{outcome.verdict} {sorted(refusal.errors)}" if refusal else str(outcome.verdict)


def story(steps: list[Record], between: Callable[[], object]) -> list[str]:
    found = []
    for sent in steps:
        (outcome,) = outcomes(sent)
        found.append(told(outcome, sent))
        between()
    return found


STEPS = st.lists(
    st.tuples(st.sampled_from(["PENDING", "SUCCESS", "FAILED"]), st.sampled_from([T0, T1, T2])),
    min_size=2,
    max_size=5,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_story_is_decided_alike_wherever_its_records_are(
    people: list[User], steps: list[tuple[str, datetime]]
) -> None:
    def records(id: str) -> list[Record]:
        return [record(id, people[0], status=status, created_at=moment) for status, moment in steps]

    names = [f"S{next(_numbers)}" for _ in range(4)]
    waiting = story(records(names[0]), lambda: None)
    flush()
    stored = story(records(names[1]), flush)
    assert waiting == stored
    # In one group, as a batch; then past the door, decided by the flush alone.
    sent = records(names[2])
    assert [told(outcome, each) for outcome, each in zip(outcomes(*sent), sent, strict=True)] == stored
    flush()
    push(*(queued(names[3], people[0], status=status, created=stamp(moment)) for status, moment in steps))
    report = flush()
    letters = [each[0] for each in stored]
    assert [report.stored, report.settled, report.duplicates, report.rejected] == [
        letters.count(letter) for letter in (Verdict.NEW, Verdict.SETTLES, Verdict.REPLAYED, Verdict.CONFLICT)
    ]
    rows = Transaction.objects.filter(transaction_id__in=names)
    assert len({(row.status, row.created_at, row.settled_as_of) for row in rows}) == 1
    assert len(rows) == 4


def test_the_api_says_so(api: APIClient, people: list[User]) -> None:
    def post(status: str, moment: datetime) -> tuple[int, list[str], bool]:
        document = {"transaction_id": "T1", "user": people[0].pk, "amount": 5, "status": status}
        answer = api.post(ADD, {**document, "created_at": moment.isoformat()}, format="json")
        return answer.status_code, sorted(answer.json()), "Idempotent-Replayed" in answer

    def shown() -> tuple[str, str]:
        found = api.get("/api/transactions/T1/").json()
        return found["status"], found["created_at"]

    assert post("PENDING", T0) == (200, ["message"], False)
    assert post("PENDING", T1) == (409, ["created_at"], False)
    assert post("SUCCESS", T1) == (200, ["message"], False)
    for _ in range(2):
        assert shown() == ("SUCCESS", "2026-01-01T00:00:00Z")
        assert post("SUCCESS", T1) == (200, ["message"], True)
        assert post("PENDING", T2) == (200, ["message"], True)
        assert post("SUCCESS", T2) == (409, ["created_at"], False)
        assert post("FAILED", T2) == (409, ["status"], False)
        flush()


def test_what_waits_is_shown_with_the_time_of_the_stored_row(
    api: APIClient, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0], created_at=T0))
    flush()
    with postgresql_unasked(monkeypatch):
        take(record("T1", people[0], status="SUCCESS", created_at=T1))
    found = api.get("/api/transactions/T1/").json()
    assert (found["status"], found["created_at"]) == ("SUCCESS", "2026-01-01T00:00:00Z")
