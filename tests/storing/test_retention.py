"""Retention: what goes, what stays, and what is told of it."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.rows import rolled_up, row, store, summed
from tests.support.serving import ROOT, database_url
from transactions import tasks
from transactions.books import balance
from transactions.models import PruningPlace, Transaction
from transactions.stores import postgres_session
from transactions.stores.postgres_session import PRUNE_LOCK, Session
from transactions.storing import retention
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def aged(user: User, days: float, id: str, status: str = "SUCCESS") -> Transaction:
    """A row that was accepted and settled on the day it happened."""
    moment = timezone.now() - timedelta(days=days)
    made = row(user, moment, status=status, id=id)
    made.accepted_at, made.settled_at = moment, None if status == "PENDING" else moment
    return made


def left() -> list[str]:
    return sorted(Transaction.objects.values_list("transaction_id", flat=True))


def pruned(*arguments: str) -> str:
    out = StringIO()
    call_command("prune", *arguments, stdout=out)
    return out.getvalue()


def test_old_transactions_go_and_their_rollups_stay(people: list[User]) -> None:
    rows = store(
        aged(people[0], 11, "old"), aged(people[1], 10.1, "older", "FAILED"), aged(people[0], 9.9, "y")
    )

    assert pruned("--older-than", "10") == "pruned: 2\n"

    assert left() == ["y"]
    assert rolled_up() == summed(rows)
    Transaction.objects.all().delete()
    assert rolled_up() == summed(rows[:2])


def test_a_dry_run_counts_and_removes_nothing(people: list[User]) -> None:
    store(aged(people[0], 11, "old"), aged(people[0], 11, "pending", "PENDING"), aged(people[0], 9, "young"))

    assert pruned("--older-than", "10", "--dry-run") == "would be pruned: 1\n"
    assert pruned("--older-than", "10", "--dry-run", "--pending") == "would be pruned: 2\n"
    assert left() == ["old", "pending", "young"]


def test_what_may_still_settle_stays_unless_asked_for(people: list[User]) -> None:
    store(aged(people[0], 100, "P", "PENDING"), aged(people[0], 100, "S"))

    assert (pruned("--older-than", "10"), left()) == ("pruned: 1\n", ["P"])
    assert (pruned("--older-than", "10", "--pending"), left()) == ("pruned: 1\n", [])


def test_what_was_accepted_or_settled_lately_stays_however_long_ago_it_happened(people: list[User]) -> None:
    accepted, settled = aged(people[0], 100, "accepted"), aged(people[0], 100, "settled")
    accepted.accepted_at = settled.settled_at = timezone.now() - timedelta(days=9)
    store(accepted, settled)

    assert pruned("--older-than", "10") == "pruned: 0\n"


def test_it_stops_in_time_and_goes_on_from_there(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK_ROWS", 10)
    store(*(aged(people[0], 50, f"P{n}", "PENDING") for n in range(15)))
    store(*(aged(people[0], 40, f"S{n}") for n in range(15)))

    assert [retention.go_on_pruning(10, seconds_max=0) for _ in range(3)] == [0, 5, 10]
    assert PruningPlace.objects.exists()
    assert retention.go_on_pruning(10, seconds_max=0) == 0
    assert not PruningPlace.objects.exists(), "the next one begins at the oldest row again"
    assert len(left()) == 15


# Purpose: one tick of a worker that looks at ten rows and has no time for more.
TICK = """
import django
django.setup()
from transactions import tasks
from transactions.storing import retention
retention.CHUNK_ROWS, tasks.PRUNE_S_MAX = 10, 0.0
tasks.prune_transactions()
"""


def test_a_worker_goes_on_where_another_one_stopped(people: list[User]) -> None:
    store(*(aged(people[0], 50, f"P{n}", "PENDING") for n in range(15)))
    store(*(aged(people[0], 40, f"S{n}") for n in range(15)))

    environment = {**os.environ, "DATABASE_URL": database_url(), "RETENTION_DAYS": "10"}
    found = []
    for _ in range(3):
        subprocess.run([sys.executable, "-c", TICK], cwd=ROOT, env=environment, check=True)
        found.append(len(left()))
    assert found == [30, 25, 15]


def test_of_two_at_once_the_worker_leaves(people: list[User], settings: Settings) -> None:
    settings.RETENTION_DAYS = 10
    store(aged(people[0], 50, "old"))
    with Session() as other:
        assert other.try_lock(PRUNE_LOCK)
        tasks.prune_transactions()
        assert left() == ["old"]
        assert not PruningPlace.objects.exists()
    tasks.prune_transactions()
    assert left() == []


def test_of_two_at_once_the_command_waits_until_the_other_has_ended(people: list[User]) -> None:
    store(aged(people[0], 50, "old"))
    with ThreadPoolExecutor(1) as pool:
        with Session() as other:
            assert other.try_lock(PRUNE_LOCK)
            waiting = pool.submit(retention.prune, 10)
            time.sleep(0.3)
            assert not waiting.done()
        assert waiting.result(30) == 1


def test_a_command_that_has_waited_too_long_for_another_says_so(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_session.LIMITS_MS, "lock_timeout", 200)
    store(aged(people[0], 50, "old"))
    with Session() as other:
        assert other.try_lock(PRUNE_LOCK)
        with pytest.raises(CommandError, match="Another pruning is under way"):
            pruned("--older-than", "10")
    assert left() == ["old"]


def test_what_goes_and_the_place_that_is_reached_are_one(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_session.LIMITS_MS, "lock_timeout", 200)
    store(aged(people[0], 50, "old"))
    with psycopg2.connect(database_url()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE transactions_pruningplace IN EXCLUSIVE MODE")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            retention.go_on_pruning(10, seconds_max=0)
    other.close()
    assert left() == ["old"]


def test_the_command_begins_at_the_oldest_row_and_leaves_the_workers_place_alone(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK_ROWS", 10)
    store(*(aged(people[0], 50, f"P{n}", "PENDING") for n in range(15)))
    retention.go_on_pruning(10, seconds_max=0)
    place = PruningPlace.objects.get()
    assert pruned("--older-than", "10", "--pending") == "pruned: 15\n"
    assert PruningPlace.objects.values_list().get() == (place.pk, place.moment, place.row_id)


def test_it_waits_for_nobody(people: list[User]) -> None:
    store(*(aged(people[0], 50, f"S{n}") for n in range(3)))
    with psycopg2.connect(database_url()) as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM transactions_transaction WHERE transaction_id = 'S1' FOR UPDATE")
        assert pruned("--older-than", "10") == "pruned: 2\n"
    other.close()
    assert left() == ["S1"]
    assert pruned("--older-than", "10") == "pruned: 1\n"


def test_the_books_hold_and_an_id_that_is_gone_is_new_again(people: list[User]) -> None:
    assert take(record("T1", people[0], status="SUCCESS")) == ["N"]
    flush()
    month = timezone.now() - timedelta(days=30)
    Transaction.objects.update(created_at=month, accepted_at=month)
    assert take(record("T1", people[0], status="SUCCESS")) == ["R"]

    pruned("--older-than", "10")

    assert take(record("T1", people[0], status="SUCCESS")) == ["N"]
    flush()
    found = balance.read()
    assert (found.accepted, found.stored, found.balanced) == (2, 2, True)


def test_the_worker_removes_what_the_setting_says_and_nothing_without_it(
    people: list[User], settings: Settings
) -> None:
    store(aged(people[0], 50, "old"), aged(people[0], 5, "young"))
    tasks.prune_transactions()
    assert left() == ["old", "young"]
    settings.RETENTION_DAYS = 10
    tasks.prune_transactions()
    assert left() == ["young"]


@pytest.mark.parametrize("days", ["2", "0", "-1", "1.5", "x", "36501", "9" * 5000])
def test_a_number_of_days_that_makes_no_sense_is_told(days: str) -> None:
    with pytest.raises(CommandError, match="from 3 to 36500"):
        call_command("prune", f"--older-than={days}")


# Purpose: the names of what Beat will send.
SHOW = (
    "from transaction_monitoring import settings;"
    "print(*[name for name in settings.CELERY_BEAT_SCHEDULE if name.endswith('-transactions')])"
)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ("0", "flush-transactions"),
        ("400", "flush-transactions prune-transactions"),
        ("2", "RETENTION_DAYS must be 0, or from 3 to 36500"),
        ("99999", "RETENTION_DAYS must be 0, or from 3 to 36500"),
    ],
)
def test_beat_sends_it_only_where_the_setting_says_so(days: str, told: str) -> None:
    environment = {"SECRET_KEY": "x", "DATA_DIR": "/nonexistent", "RETENTION_DAYS": days}
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (shown.stdout + shown.stderr).strip().endswith(told)
