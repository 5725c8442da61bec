"""The examples of docs/rules.md: what is told there is what is found."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record, take
from tests.support.rows import row, store
from tests.support.rules import rule_in_force
from tests.support.serving import ROOT
from transactions.models import Transaction
from transactions.rules import backtest
from transactions.rules.kinds.registry import KINDS, read
from transactions.rules.models import Hit, ListEntry, UserList
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

DAY = datetime(2026, 1, 31, tzinfo=UTC)
PAGE = (ROOT / "docs/rules.md").read_text()


def at(clock: str) -> datetime:
    """A time of the day; or of another one: "3-1 10:00" is the first of March."""
    date, _, clock = clock.rpartition(" ")
    month, day = map(int, (date or "1-31").split("-"))
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


class Did(NamedTuple):
    clock: str
    amount: int = 1000
    status: str = "SUCCESS"


def one_after_the_other(*amounts: int) -> list[Did]:
    return [Did(f"10:{minute:02}", amount) for minute, amount in enumerate(amounts)]


# Kind, parameters, what a user did, and which of that (by place) is a hit.
EXAMPLES: list[tuple[str, dict[str, Any], list[Did], list[int]]] = [
    ("amount", {"at": "least", "amount": 1000}, one_after_the_other(999, 1000, 2500), [1, 2]),
    ("round_amount", {"multiple": 500, "least": 1000}, one_after_the_other(500, 1000, 1200, 1500), [1, 3]),
    ("listed", {"list_name": "Watched"}, [Did(c) for c in ("11:59", "12:00", "12:59", "13:00")], [1, 2]),
    (
        "velocity_count",
        {"count": 3, "window": "1h"},
        [Did(c) for c in ("10:00", "10:20", "10:40", "11:10", "11:50")],
        [2, 3],
    ),
    (
        "velocity_sum",
        {"total": 1000, "window": "1h"},
        [Did("10:00", 400), Did("10:30", 500), Did("10:59", 100), Did("11:00", 200)],
        [2],
    ),
    (
        "below_limit",
        {"count": 2, "limit": 1000, "margin": 100, "window": "24h"},
        one_after_the_other(899, 900, 999, 1000),
        [2],
    ),
    (
        "failure_burst",
        {"count": 3, "window": "10m", "most": 50},
        [
            Did("10:00", 10, "FAILED"),
            Did("10:02", 20, "FAILED"),
            Did("10:03", 10, "SUCCESS"),
            Did("10:04", 60, "FAILED"),
            Did("10:05", 50, "FAILED"),
        ],
        [4],
    ),
    (
        "rapid_repeat",
        {"count": 2, "window": "10m"},
        [Did("10:00", 700), Did("10:03", 800), Did("10:09", 700), Did("10:12", 800)],
        [2, 3],
    ),
    (
        "deviation",
        {"factor": 5, "least": 100, "past_min": 3, "past_max": 50},
        one_after_the_other(20, 40, 30, 150),
        [3],
    ),
    (
        "deviation",
        {"factor": 5, "least": 100, "past_min": 3, "past_max": 50},
        one_after_the_other(20, 40, 30, 149),
        [],
    ),
    (
        "first_or_dormant",
        {"days": 30, "least": 100},
        [Did("1-1 10:00", 500), Did("1-20 10:00", 500), Did("3-1 10:00", 500)],
        [0, 2],
    ),
]


def found(
    kind: str, parameters: dict[str, Any], end: datetime = DAY + timedelta(days=300)
) -> list[backtest.Found]:
    return list(backtest.find(read(kind, parameters), datetime(2026, 1, 1, tzinfo=UTC), end))


@pytest.mark.parametrize(("kind", "parameters", "did", "hits"), EXAMPLES)
def test_what_one_user_did_is_hit_as_the_page_says(
    people: list[User], kind: str, parameters: dict[str, Any], did: list[Did], hits: list[int]
) -> None:
    watched = UserList.objects.create(name="Watched")
    ListEntry.objects.create(list=watched, user=people[0], starts_at=at("12:00"), ends_at=at("13:00"))
    store(*(row(people[0], at(d.clock), d.amount, d.status, f"T{n}") for n, d in enumerate(did)))
    keys = {transaction.pk: int(transaction.transaction_id[1:]) for transaction in Transaction.objects.all()}
    assert sorted(keys[each.transaction] for each in found(kind, parameters) if each.transaction) == hits


@pytest.mark.parametrize(
    ("kind", "parameters", "did", "told"),
    [
        ("amount", {"amount": 1000}, [Did("10:00", 2500)], ["2,500, and the limit is 1,000"]),
        (
            "round_amount",
            {"multiple": 500, "least": 1000},
            [Did("10:00", 1500)],
            ["1,500 is 3 times 500"],
        ),
        ("listed", {"list_name": "Watched"}, [Did("12:30", 1)], ["on the list “Watched” then"]),
        (
            "velocity_sum",
            {"total": 1000, "window": "1h"},
            [Did("10:00", 400), Did("10:30", 700)],
            ["1,100 in all within 1 hour"],
        ),
        (
            "first_or_dormant",
            {"days": 30, "least": 100},
            [Did("1-1 10:00", 500), Did("1-20 10:00", 500), Did("3-1 10:00", 500)],
            ["none is known before it", "asleep for 40 days, since 2026-01-20 10:00 UTC"],
        ),
    ],
)
def test_a_hit_says_why_it_is_one(
    people: list[User], kind: str, parameters: dict[str, Any], did: list[Did], told: list[str]
) -> None:
    watched = UserList.objects.create(name="Watched")
    ListEntry.objects.create(list=watched, user=people[0], starts_at=at("12:00"), ends_at=at("13:00"))
    store(*(row(people[0], at(d.clock), d.amount, d.status, f"T{n}") for n, d in enumerate(did)))
    hits = sorted(found(kind, parameters), key=lambda each: each.transaction or 0)
    assert [read(kind, parameters).explain(each.figures) for each in hits] == told


def test_what_is_accepted_late_is_hit_as_the_page_says(people: list[User]) -> None:
    store(*(row(people[0], at("10:00"), id=id) for id in ("A", "B")))
    Transaction.objects.filter(transaction_id="A").update(accepted_at=at("11:00"))
    Transaction.objects.filter(transaction_id="B").update(accepted_at=at("11:01"))
    (hit,) = found("clock_gap", {"minutes": 60})
    assert list(Transaction.objects.filter(transaction_id="B").values_list("pk")) == [(hit.transaction,)]


@pytest.mark.parametrize(("settled", "hits"), [("11:30", 1), ("10:59", 0)])
def test_what_stays_pending_is_hit_as_the_page_says(people: list[User], settled: str, hits: int) -> None:
    store(row(people[0], at("10:00")))
    Transaction.objects.update(accepted_at=at("10:00"), settled_at=at(settled))
    assert len(found("pending_too_long", {"minutes": 60})) == hits


def test_more_failures_than_usual_are_hit_as_the_page_says(people: list[User]) -> None:
    def quarter(day: int, number: int, failed: int) -> list[Transaction]:
        statuses = ["FAILED"] * failed + ["SUCCESS"] * (number - failed)
        return [row(people[0], at("10:05") - timedelta(days=day), status=status) for status in statuses]

    before = [each for day in range(1, 8) for each in quarter(day, 50, 3)]
    store(*before, *quarter(0, 50, 15))
    said = {"factor": 3, "percent": 20, "days": 7, "least": 20}
    (hit,) = found("failure_rate", {**said, "past_min": 350})
    assert hit.moment == at("10:00")
    assert found("failure_rate", {**said, "past_min": 351}) == []


def test_a_silence_is_hit_as_the_page_says(people: list[User]) -> None:
    store(*(row(people[0], at(clock), id=clock) for clock in ("10:00", "10:15")))
    for each in Transaction.objects.all():
        Transaction.objects.filter(pk=each.pk).update(accepted_at=at(each.transaction_id))
    (hit,) = found("silence", {"minutes": 10}, end=at("10:20"))
    assert hit.figures == {"minutes": 10}
    assert hit.moment == at("10:00")


def test_a_late_record_raises_what_it_completes_and_nothing_twice(people: list[User]) -> None:
    rule_in_force("velocity_count", count=3, window="1h")
    take(*(record(clock, people[0], created_at=at(clock)) for clock in ("10:00", "10:40", "10:50")))
    flush()
    assert list(Hit.objects.values_list("transaction_id", "figures__count")) == [("10:50", 3)]
    take(record("10:20", people[0], created_at=at("10:20")))
    flush()
    assert list(Hit.objects.order_by("id").values_list("transaction_id", "figures__count")) == [
        ("10:50", 3),
        ("10:40", 3),
    ]


def test_each_kind_stands_in_the_page_with_the_parameters_of_its_example() -> None:
    lines = {found[1]: line for line in PAGE.splitlines() if (found := re.match(r"\| `(\w+)` \| `", line))}
    assert set(lines) == set(KINDS)
    for kind, parameters, *_ in EXAMPLES:
        for name, value in parameters.items():
            said = re.search(rf"`{name}` `?(\w+)", lines[kind])
            assert said is not None
            assert said[1] == str(value)
