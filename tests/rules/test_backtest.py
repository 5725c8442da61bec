"""Backtests: what a rule would have found, beside another, without writing or filling memory."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from tests.support.rows import row, store
from transactions.rules import backtest
from transactions.rules.kinds.registry import read
from transactions.rules.models import Hit

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEGIN, END = NOON - timedelta(days=30), NOON + timedelta(days=1)


def test_it_tells_what_would_have_been_found(people: list[User]) -> None:
    alice, bob, _ = people
    days = (0, 0.1, 3, 3.1)
    store(
        *(row(alice, NOON - timedelta(days=day), 100) for day in days),
        row(bob, NOON, 7_000),
        row(bob, NOON, 1),
    )
    result = backtest.run(read("amount", {"amount": 50}), BEGIN, END)
    assert (result.hits, result.users, result.episodes) == (5, 2, 3)
    assert dict(result.hits_by_day) == {"2026-01-28": 2, "2026-01-31": 3}
    assert dict(result.episodes_by_day) == {"2026-01-28": 1, "2026-01-31": 2}
    assert (result.amount_total, result.amount_least, result.amount_most) == (7_400, 100, 7_000)
    assert result.top_users == [(alice.pk, 4), (bob.pk, 1)]
    assert len(result.sample) == 5
    assert not Hit.objects.exists()


def test_it_looks_at_its_range_alone_and_a_window_before(people: list[User]) -> None:
    store(*(row(people[0], NOON + timedelta(minutes=minute)) for minute in range(6)))
    rule = read("velocity_count", {"count": 3, "window": "1h"})
    found = list(backtest.find(rule, NOON + timedelta(minutes=1), NOON + timedelta(minutes=4)))
    assert [(hit.moment.minute, hit.figures) for hit in found] == [(2, {"count": 3}), (3, {"count": 4})]


def test_beside_another_rule_it_tells_what_each_finds_alone(people: list[User]) -> None:
    store(*(row(people[n % 3], NOON - timedelta(minutes=n), n) for n in range(100)))
    this, other = read("amount", {"amount": 60}), read("amount", {"at": "most", "amount": 70})
    result = backtest.run(this, BEGIN, END, beside=other)
    assert (result.hits, result.both, result.only_this, result.only_other) == (40, 11, 29, 60)


def test_users_come_in_slices_and_it_can_be_ended(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "SLICE_USERS", 1)
    monkeypatch.setattr(backtest, "LOOK", backtest.LOOK.replace("LIMIT 1000", "LIMIT 1"))
    store(*(row(user) for user in people))
    seen: list[tuple[int, int]] = []

    def go_on(done: int, total: int) -> bool:
        seen.append((done, total))
        return done < 2

    with pytest.raises(backtest.Cancelled):
        backtest.run(read("amount", {"amount": 1}), BEGIN, END, progress=go_on)
    assert seen == [(1, 3), (2, 3)]
    assert backtest.run(read("amount", {"amount": 1}), BEGIN, END).hits == 3


def test_an_amount_of_nothing_is_the_least(people: list[User]) -> None:
    store(row(people[0], NOON, 0), row(people[0], NOON, 5))
    result = backtest.run(read("amount", {"at": "most", "amount": 5}), BEGIN, END)
    assert (result.amount_least, result.amount_most) == (0, 5)
