"""Keeping: what rules need stays, as long as a late record may need it, and while something is owed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.rules import instead, pay_debt, rule_in_force
from transactions.models import Transaction
from transactions.rules import debts, keeping
from transactions.rules.kinds.windowed import VelocityCount
from transactions.rules.models import Debt, Hit
from transactions.stores.postgres_session import Session
from transactions.storing import retention
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# Purpose: rows of transactions that the session has read in this transaction.
ROWS_READ = """
    SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
     WHERE relname = 'transactions_transaction'
"""
LATELY = datetime.now(UTC).replace(microsecond=0)

# How a range joined a debt before it was kept when the first of it happened.
EXTENDED_BEFORE = """
    UPDATE rules_debt SET last_id = %(last)s, ids = ids || %(ids)s, records = records + 1
     WHERE id = %(id)s AND last_id < %(first)s AND after_user IS NULL AND jsonb_array_length(ids) < 50000
"""


def days_ago(days: int) -> datetime:
    return LATELY - timedelta(days=days)


def ago(**much: float) -> datetime:
    return datetime.now(UTC) - timedelta(**much)


def age(*ids: str) -> None:
    """As if they had been accepted, and settled, when they happened."""
    for kept in Transaction.objects.filter(transaction_id__in=ids):
        Transaction.objects.filter(pk=kept.pk).update(accepted_at=kept.created_at, settled_at=None)


def hits() -> list[str]:
    return sorted(Hit.objects.values_list("transaction_id", flat=True))


def flush_owing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush after which all is owed still."""
    with monkeypatch.context() as patch:
        patch.setattr("transactions.rules.live.CHUNKS_AT_ONCE", 0)
        patch.setattr("transactions.rules.live.FlushRules.afterwards", lambda self, session, began: None)
        flush()


def test_a_record_may_come_a_day_late_and_finds_its_window_whole(people: list[User]) -> None:
    alice, bob, _ = people
    rule_in_force("velocity_count", count=2, window="30d")
    flush()
    minute = timedelta(minutes=1)
    # Kept for 31 days: of a window of 30 days, and a day more.
    for user, happened in ((alice, ago(days=31) + minute), (bob, ago(days=31) - minute)):
        id = f"FIRST {user}"
        take(record(id, user, status="SUCCESS", created_at=happened))
        flush()
        age(id)
    assert retention.prune(31) == 1
    take(
        record("IN TIME", alice, created_at=ago(days=1)),
        record("TOO LATE", bob, created_at=ago(days=1) - 2 * minute),
    )
    flush()
    pay_debt()
    assert hits() == ["IN TIME"]
    assert keeping.days_needed(30 * 86_400) == 31
    assert keeping.days_needed(600) == 2


@pytest.mark.parametrize("how", ["range", "ids", "since"])
def test_nothing_is_pruned_that_is_owed_or_needed_to_judge_it(people: list[User], how: str) -> None:
    version = rule_in_force("velocity_count", count=2, window="1h")
    flush()
    moments = {"OLD": ago(days=30, hours=2), "BEFORE": ago(days=30), "OWED": ago(days=30, minutes=-30)}
    for id, happened in moments.items():
        take(record(id, people[0], status="SUCCESS", created_at=happened))
        flush()
        age(id)
    Hit.objects.all().delete()
    owed = Transaction.objects.get(transaction_id="OWED")
    with Session() as session, session.transaction() as cursor:
        until = owed.created_at + timedelta(seconds=1)
        debts.owe(
            cursor,
            version=version.pk,
            **{  # type: ignore[arg-type]
                "range": {"first": owed.pk, "last": owed.pk},
                "ids": {"ids": [owed.pk]},
                "since": {"since": owed.created_at, "until": until},
            }[how],
        )
    assert retention.prune(3) == 1
    assert retention.go_on_pruning(3, seconds_max=5) == 0
    pay_debt()
    assert hits() == ["OWED"]
    assert retention.prune(3) == 2


def test_what_all_versions_owe_keeps_the_longest_window_before_it(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("velocity_count", count=2, window="24h")
    rule_in_force("amount", amount=999_999)
    flush()
    for id, happened in (("OLD", ago(days=32)), ("FIRST", ago(days=30, hours=3))):
        take(record(id, people[0], status="SUCCESS", created_at=happened))
        flush()
    take(record("OWED", people[0], status="SUCCESS", created_at=ago(days=30)))
    flush_owing(monkeypatch)
    age("FIRST", "OLD", "OWED")
    assert Debt.objects.get().version is None
    assert retention.prune(3) == 1
    pay_debt()
    assert hits() == ["OWED"]


def owed_since(*, reads: bool) -> datetime:
    """From when on something is owed; `reads` is whether transactions are read to know it."""
    with Session() as session, session.transaction() as cursor:
        owed = keeping.owed_since(cursor)
        cursor.execute(ROWS_READ)
        assert (cursor.fetchone()[0] > 0) is reads
    assert owed is not None
    return owed.since


def test_since_when_something_is_owed_is_known_however_much_that_is(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a version owes that goes on failing grows with each flush, and is not read each minute."""
    version = rule_in_force("velocity_count", count=2, window="1h")
    hour = timedelta(hours=1)
    settings.FLUSH_CHUNK_RECORDS = 1
    flush()
    take(*(record(f"T{days}", people[0], created_at=days_ago(days)) for days in (2, 4, 1)))
    flush_owing(monkeypatch)
    assert Debt.objects.get().version is None
    assert owed_since(reads=False) == days_ago(4) - hour
    with instead(VelocityCount, "SELECT 1 / 0"):
        flush()
        assert Debt.objects.exclude(error="").get().version == version
        Debt.objects.update(due_at=datetime.now(UTC) + hour)
        assert owed_since(reads=False) == days_ago(4) - hour
        for days in (3, 40, 5):
            take(record(f"T{days}", people[0], created_at=days_ago(days)))
            flush()
        assert sorted(Debt.objects.values_list("version", "records")) == [(version.pk, 3)] * 2
        assert owed_since(reads=False) == days_ago(40) - hour
    pay_debt()
    assert not Debt.objects.exists()


def test_what_was_owed_before_that_was_kept_is_looked_for_and_nothing_joins_it(people: list[User]) -> None:
    version = rule_in_force("velocity_count", count=2, window="1h")
    flush()
    take(record("OWED", people[0], created_at=(happened := days_ago(3))))
    flush()
    owed = Transaction.objects.get(transaction_id="OWED")
    kept = Debt.objects.create(version=version, first_id=owed.pk, last_id=owed.pk)
    more: dict[str, Any] = {"first": owed.pk + 1, "last": owed.pk + 1, "ids": [], "records": 1}
    with Session() as session, session.transaction() as cursor:
        assert not debts.extend(cursor, kept.pk, **more, earliest=datetime.now(UTC))
    assert owed_since(reads=True) == happened - timedelta(hours=1)


@pytest.mark.parametrize("how", ["range", "ids"])
def test_what_the_release_before_adds_to_a_debt_is_looked_for_and_nothing_joins_it(
    people: list[User], how: str
) -> None:
    version = rule_in_force("velocity_count", count=2, window="1h")
    flush()
    for id, happened in (("NEW", ago(hours=1)), ("ADDED", oldest := days_ago(5))):
        take(record(id, people[0], created_at=happened))
        flush()
    new, added = (Transaction.objects.get(transaction_id=id) for id in ("NEW", "ADDED"))
    with Session() as session, session.transaction() as cursor:
        known: dict[str, Any] = {"first": new.pk, "last": new.pk, "ids": [1], "earliest": new.created_at}
        debt = debts.owe(cursor, version=version.pk, **known)
    assert owed_since(reads=False) == new.created_at - timedelta(hours=1)
    with Session() as session, session.transaction() as cursor:
        last, ids = (added.pk, "[]") if how == "range" else (new.pk, f"[{added.pk}]")
        cursor.execute(EXTENDED_BEFORE, {"id": debt, "first": new.pk + 1, "last": last, "ids": ids})
        assert cursor.rowcount == 1
        more: dict[str, Any] = {"first": added.pk + 1, "last": added.pk + 1, "ids": [], "records": 1}
        assert not debts.extend(cursor, debt, **more, earliest=datetime.now(UTC))
    assert owed_since(reads=True) == oldest - timedelta(hours=1)
