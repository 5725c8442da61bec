"""A process that dies amid rules leaves nothing half done: what was found is found again, once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.rows import row, store
from tests.support.rules import pay_debt, rule_in_force
from transactions.alerts.models import Alert
from transactions.books import balance
from transactions.rules import debts, evaluation, live
from transactions.rules.models import Hit
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """Stands for the end of the process at a named point."""


def die_at(point: str, passage: int) -> None:
    """A flush that dies when it passes a point for the so-manieth time."""
    left = [passage]

    def crash(name: str) -> None:
        left[0] -= name == point
        if name == point and not left[0]:
            raise Killed(name)

    with pytest.MonkeyPatch.context() as patch:
        for module in (evaluation, live, debts):
            patch.setattr(module, "crash_point", crash)
        with pytest.raises(Killed):
            flush()
    free = False
    while not free:
        with Session() as session:
            free = session.try_lock(FLUSH_LOCK)


@pytest.mark.parametrize(
    ("point", "passage"),
    [
        ("flush.amid_rules", 1),
        ("flush.amid_rules", 3),
        ("flush.after_rules", 2),
        ("debt.amid", 1),
        ("debt.amid", 2),
    ],
)
def test_hits_and_alerts_are_the_same_whatever_dies(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch, point: str, passage: int
) -> None:
    settings.FLUSH_CHUNK_RECORDS = 10
    monkeypatch.setattr(debts, "SLICE_ROWS", 10)
    monkeypatch.setattr(debts, "SLICE_ROWS_MIN", 10)
    rule_in_force("amount", name="A", amount=50)
    rule_in_force("velocity_count", name="B", count=20, window="1h")
    flush()
    now = datetime.now(UTC)
    take(
        *(
            record(f"T{n:02}", people[n % 2], amount=n, created_at=now - timedelta(seconds=100 - n))
            for n in range(100)
        )
    )

    die_at(point, passage)
    assert balance.read().balanced
    flush()
    pay_debt()

    assert balance.read().balanced
    assert _found("A") == [f"T{n:02}" for n in range(50, 100)]
    # The twentieth of each user, and all after it.
    assert _found("B") == [f"T{n:02}" for n in range(38, 100)]
    counts: dict[Any, int] = {(a.rule_name, a.user): a.hits for a in Alert.objects.all()}
    assert counts == {(name, user.pk): hits for name, hits in (("A", 25), ("B", 31)) for user in people[:2]}


@pytest.mark.parametrize("passage", [1, 2, 3])
def test_the_past_is_judged_once_too_whatever_dies(
    people: list[User], monkeypatch: pytest.MonkeyPatch, passage: int
) -> None:
    monkeypatch.setattr(debts, "SLICE_ROWS", 10)
    monkeypatch.setattr(debts, "SLICE_ROWS_MIN", 10)
    now = datetime.now(UTC)
    store(*(row(people[n % 3], now - timedelta(minutes=5, seconds=100 - n), n) for n in range(99)))
    rule_in_force("velocity_count", name="C", count=20, window="1h")
    die_at("debt.amid", passage)
    pay_debt()
    assert Hit.objects.filter(version__rule__name="C").count() == 3 * 14
    assert sorted(Alert.objects.values_list("user", "hits")) == [(user.pk, 14) for user in people]


def _found(rule: str) -> list[str]:
    return sorted(Hit.objects.filter(version__rule__name=rule).values_list("transaction_id", flat=True))
