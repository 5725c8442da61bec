"""Backtests: what a rule would have found, beside another, without writing or filling memory."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User

from tests.rules.streams import parameters
from tests.support.rows import row, store
from transactions.models import AMOUNT_MAX
from transactions.rules import backtest, backtest_result
from transactions.rules.kinds.kind import Kind
from transactions.rules.kinds.registry import NAMES, read
from transactions.rules.models import Hit, ListEntry, UserList

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
    assert result.amounts == {"succeeded": 7_400, "failed": 0, "pending": 0}
    assert result.top_users == [(alice.pk, 4), (bob.pk, 1)]
    assert len(result.sample) == 5
    assert not Hit.objects.exists()


def test_the_amounts_of_what_succeeded_failed_and_is_pending_are_told_apart(people: list[User]) -> None:
    store(
        row(people[0], NOON, 100),
        row(people[1], NOON, AMOUNT_MAX, "FAILED"),
        row(people[2], NOON, AMOUNT_MAX, "FAILED"),
        row(people[2], NOON, 60, "PENDING"),
    )
    result = backtest.run(read("amount", {"amount": 50}), BEGIN, END)
    assert result.amounts == {"succeeded": 100, "failed": 2 * AMOUNT_MAX, "pending": 60}
    assert result.as_dict()["amounts"] == {
        **result.amounts,
        "total": 2**64 + 158,
        "least": 60,
        "most": AMOUNT_MAX,
    }
    said = f"amounts: 60 to {AMOUNT_MAX:,}; succeeded 100, failed {2 * AMOUNT_MAX:,}, pending 60 in all"
    assert said in str(result)


@pytest.mark.parametrize(("name", "asked"), [("amount", {"amount": 50}), ("silence", {"minutes": 15})])
def test_hits_are_counted_by_days_of_a_timezone_those_of_summer_time_too(
    name: str, asked: dict[str, int], people: list[User]
) -> None:
    # Berlin's 29 March 2026 has 23 hours: from 23:00 of UTC until 22:00.
    first, second = (datetime(2026, 3, day, hour, 30, tzinfo=UTC) for day, hour in ((28, 23), (29, 22)))
    store(row(people[0], first, 100), row(people[0], second, 100))
    range_of = (first - timedelta(minutes=30), second + timedelta(hours=1, minutes=30))
    kind = read(name, asked)
    berlin = backtest.run(kind, *range_of, timezone="Europe/Berlin")
    found = [hit.moment.astimezone(ZoneInfo("Europe/Berlin")) for hit in backtest.find(kind, *range_of)]
    assert berlin.hits_by_day == Counter(moment.date().isoformat() for moment in found)
    assert berlin.days() == ["2026-03-29", "2026-03-30"]
    assert berlin.days_with_transactions == 2
    assert backtest.run(kind, *range_of).days() == ["2026-03-28", "2026-03-29"]


def test_a_zone_that_postgresql_takes_for_an_abbreviation_has_its_summer_time(people: list[User]) -> None:
    late = datetime(2026, 7, 31, 22, 30, tzinfo=UTC)
    store(row(people[0], late, 100))
    found = backtest.run(read("amount", {"amount": 50}), late, late + timedelta(hours=1), timezone="CET")
    assert (dict(found.hits_by_day), found.days()) == ({"2026-08-01": 1}, ["2026-08-01"])


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
    store(*(row(user) for user in people))
    seen: list[tuple[int, int]] = []

    def go_on(done: int, total: int) -> bool:
        seen.append((done, total))
        return done < 2

    with pytest.raises(backtest.Cancelled):
        backtest.run(read("amount", {"amount": 1}), BEGIN, END, progress=go_on)
    assert seen == [(1, 3), (2, 3)]
    assert backtest.run(read("amount", {"amount": 1}), BEGIN, END).hits == 3


def test_few_users_with_many_rows_are_several_slices_too(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "SLICE_ROWS", 10)
    store(*(row(user, NOON - timedelta(minutes=n)) for user in people for n in range(12)))
    seen: list[int] = []

    def go_on(done: int, total: int) -> bool:
        seen.append(done)
        return True

    result = backtest.run(read("velocity_count", {"count": 10, "window": "1h"}), BEGIN, END, progress=go_on)
    assert (seen, result.hits) == ([1, 2, 3], 9)


def test_quarters_of_an_hour_come_in_slices_and_it_can_be_ended() -> None:
    rule = read("failure_rate", {"factor": 3, "percent": 20})
    seen: list[tuple[int, int]] = []

    def go_on(done: int, total: int) -> bool:
        seen.append((done, total))
        return done < 7

    # 31 days, a week at a time, for each of the two rules.
    with pytest.raises(backtest.Cancelled):
        backtest.run(
            rule, BEGIN, END, beside=read("failure_rate", {"factor": 2, "percent": 20}), progress=go_on
        )
    assert seen == [(done, 10) for done in range(1, 8)]


def test_an_amount_of_nothing_is_the_least(people: list[User]) -> None:
    store(row(people[0], NOON, 0), row(people[0], NOON, 5))
    result = backtest.run(read("amount", {"at": "most", "amount": 5}), BEGIN, END)
    assert (result.amount_least, result.amount_most) == (0, 5)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_counts_are_the_hits_themselves_whatever_the_slices(
    name: str, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(name)
    begin, end = NOON - timedelta(days=20), NOON
    store_at_random(random, people, begin, end)
    (this, found), (other, others) = (drawn(name, random, begin, end) for _ in range(2))
    monkeypatch.setattr(backtest, "SLICE_USERS", 1)
    monkeypatch.setattr(backtest, "SLICE_ROWS", 37)
    result = backtest.run(this, begin, end, beside=other)
    keys, other_keys = ({(hit.transaction, hit.moment) for hit in hits} for hits in (found, others))
    assert (result.hits, result.both) == (len(found), len(keys & other_keys))
    assert (result.only_this, result.only_other) == (len(keys - other_keys), len(other_keys - keys))
    assert result.hits_by_day == Counter(hit.moment.date().isoformat() for hit in found)
    assert sum(result.episodes_by_day.values()) == result.episodes == episodes(found)
    assert result.other_episodes == episodes(others)
    users = Counter(hit.user for hit in found if hit.user is not None)
    assert (result.users, dict(result.top_users)) == (len(users), users)
    amounts = [hit.amount for hit in found if hit.amount is not None]
    assert result.amount_total == sum(amounts)
    assert (result.amount_least, result.amount_most) == (
        min(amounts, default=None),
        max(amounts, default=None),
    )
    assert {(hit.id, datetime.fromisoformat(hit.happened_at)) for hit in result.sample} <= keys
    assert len(result.sample) == min(len(found), backtest_result.SAMPLE)


def drawn(name: str, random: Random, begin: datetime, end: datetime) -> tuple[Kind, list[backtest.Found]]:
    """A rule of a kind that finds something, and what it finds."""
    while True:
        kind = read(name, parameters(name, random))
        if found := list(backtest.find(kind, begin, end)):
            return kind, found


def store_at_random(random: Random, people: list[User], begin: datetime, end: datetime) -> None:
    rows = []
    for _ in range(300):
        moment = (begin + (end - begin) * random.random()).replace(microsecond=0)
        status = random.choice(("PENDING", "SUCCESS", "FAILED"))
        made = row(random.choice(people), moment, random.choice((1, 10, 95, 100, 2**63 - 1)), status)
        made.accepted_at = moment + timedelta(minutes=random.choice((0, 30, 6_000)))
        rows.append(made)
    store(*sorted(rows, key=lambda made: made.accepted_at))
    watched = UserList.objects.create(name="watched")
    ListEntry.objects.create(list=watched, user=people[0], starts_at=begin + (end - begin) / 3)


def episodes(hits: list[backtest.Found]) -> int:
    """Runs of hits of one user, or of the system, without a day between."""
    counted, last = 0, dict[int | None, datetime]()
    for hit in sorted(hits, key=lambda hit: (hit.moment, hit.transaction or 0)):
        before = last.get(hit.user)
        counted += before is None or hit.moment - before > timedelta(hours=24)
        last[hit.user] = hit.moment
    return counted


def test_rules_about_different_things_are_not_compared(people: list[User]) -> None:
    store(row(people[0], NOON, 7))
    result = backtest.run(read("amount", {"amount": 5}), BEGIN, END, beside=read("silence", {"minutes": 1}))
    assert (result.hits, result.both, result.as_dict()["beside"]) == (1, None, None)
