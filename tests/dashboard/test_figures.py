"""The dashboard's numbers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record, take
from tests.support.admin_pages import store
from transactions.dashboard import figures, sample
from transactions.models import Rollup, Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# Amid a quarter of an hour, at no whole minute.
NOW = datetime(2026, 3, 14, 12, 20, 30, tzinfo=UTC)


def at(seconds_ago: float) -> datetime:
    return NOW - timedelta(seconds=seconds_ago)


# --- The tiles ------------------------------------------------------------------------------------


def tile(name: str) -> Any:
    return next(tile for tile in figures.tiles(NOW) if tile["name"] == name)


def test_a_tile_tells_of_its_period_and_of_the_one_before(people: list[User]) -> None:
    store(people[0], "A", amount=10, status="SUCCESS", created_at=at(5))
    store(people[0], "B", amount=30, status="FAILED", created_at=at(59))
    store(people[0], "C", amount=50, status="PENDING", created_at=at(60))
    store(people[0], "D", amount=7, status="SUCCESS", created_at=at(61))
    store(people[0], "E", amount=9, status="SUCCESS", created_at=at(-1))
    minute = tile("1 m")
    assert minute["now"] == {
        "count": 3,
        "per_second": 0.05,
        "volume": "90",
        "average": "30",
        "success_rate": 0.5,
        "pending": 1,
        "oldest_pending": at(60),
    }
    assert (minute["before"]["count"], minute["before"]["success_rate"]) == (1, 1.0)


def test_amounts_are_exact_however_large(people: list[User]) -> None:
    for n in range(3):
        store(people[0], f"T{n}", amount=2**63 - 1, status="SUCCESS", created_at=at(600))
    assert tile("24 h")["now"]["volume"] == str(3 * (2**63 - 1))


@pytest.mark.parametrize(
    "now", [NOW, NOW.replace(minute=29), NOW.replace(minute=15, second=0), NOW.replace(minute=0, second=1)]
)
@pytest.mark.parametrize(("name", "length"), list(figures.TILES.items())[1:])
def test_tiles_equal_a_count_over_the_rows(
    people: list[User], now: datetime, name: str, length: timedelta
) -> None:
    rows = [
        Transaction(
            transaction_id=f"T{n}", user=people[0], amount=n, status=("SUCCESS", "FAILED", "PENDING")[n % 3],
            created_at=now - n * 3 * length / 1000,
        )
        for n in range(1000)
    ]  # fmt: skip
    Transaction.objects.bulk_create(rows)
    (found,) = [tile for tile in figures.tiles(now) if tile["name"] == name]
    since = found["since"]
    assert timedelta(0) <= now - length - since < timedelta(minutes=1)
    spans = {"now": (since, now), "before": (since - (now - since), since)}
    for which, (start, end) in spans.items():
        inside = [row for row in rows if start <= row.created_at < end]
        assert found[which]["count"] == len(inside), which
        assert found[which]["volume"] == str(sum(row.amount for row in inside)), which
        assert found[which]["pending"] == sum(row.status == "PENDING" for row in inside), which
    pending = [row.created_at for row in rows if row.status == "PENDING" and since <= row.created_at < now]
    assert found["now"]["oldest_pending"] == min(pending, default=None)


def test_no_tile_reads_more_rows_than_a_period_cuts_off(people: list[User]) -> None:
    """The middle of a day comes from the rollups: there the rows may be anything."""
    store(people[0], "T1", created_at=NOW - timedelta(hours=10))
    Rollup.objects.update(count=5_000)
    assert tile("24 h")["now"]["count"] == 5_000


def test_the_figures_end_where_the_last_flush_took_the_queue(people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    stored = Transaction.objects.get()
    until = figures.as_of(datetime.now(UTC))
    assert stored.accepted_at < until <= stored.stored_at
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert figures.as_of(later) == later


# --- The charts -----------------------------------------------------------------------------------


def test_the_throughput_counts_minutes_by_status_and_those_before(people: list[User]) -> None:
    store(people[0], "A", status="SUCCESS", created_at=at(0.5))
    store(people[0], "B", status="FAILED", created_at=at(31))
    store(people[0], "C", status="FAILED", created_at=at(30 * 60))
    shown = figures.throughput(NOW, figures.count_hour(NOW))
    assert len(shown["minutes"]) == len(shown["before"]) == 30
    assert shown["minutes"][-1] == NOW.replace(second=0)
    assert (shown["by_status"]["SUCCESS"][-1], shown["by_status"]["FAILED"][-2]) == (1, 1)
    assert (sum(shown["before"]), shown["before"][-1]) == (1, 1)


def test_the_newest_minutes_are_counted_anew(people: list[User]) -> None:
    """The rest stays as it was when the hour was counted."""
    hour = figures.count_hour(NOW)
    for n, seconds_ago in enumerate((-90, 0.5, 61, 119, 20 * 60)):
        store(people[0], f"T{n}", status="SUCCESS", created_at=at(seconds_ago))
    later = NOW + timedelta(minutes=2)
    counts = figures.throughput(later, hour)["by_status"]["SUCCESS"]
    assert counts[-5:] == [1, 1, 1, 0, 1]
    assert sum(counts) == 4
    assert sum(figures.throughput(later, figures.count_hour(later))["by_status"]["SUCCESS"]) == 5
    # Of an hour that was counted too long ago nothing is left.
    much_later = NOW + timedelta(hours=2)
    assert sum(figures.throughput(much_later, hour)["before"]) == 0


def test_the_sample_tells_of_amounts_and_of_who_did_most(people: list[User]) -> None:
    alice, bob, _ = people
    store(alice, "A", amount=0, status="FAILED")
    store(alice, "B", amount=999, status="FAILED")
    store(bob, "C", amount=10**18, status="SUCCESS")
    shown = sample.sample(NOW)
    assert shown["amounts"] == [
        {"digits": 0, "count": 1, "before": 0},
        {"digits": 3, "count": 1, "before": 0},
        {"digits": 19, "count": 1, "before": 0},
    ]
    assert [user["name"] for user in shown["by_volume"]] == ["bob", "alice"]
    assert shown["by_volume"][0]["value"] == str(10**18)
    assert [(user["user"], user["value"]) for user in shown["by_failed"]] == [(alice.pk, 2)]


def test_a_day_stands_beside_the_day_before(people: list[User]) -> None:
    for n, hours_ago in enumerate((1, 23, 25, 47.9, 48.1)):
        store(people[0], f"T{n}", amount=10**n, status="FAILED", created_at=at(3600 * hours_ago))
    shown = sample.sample(NOW)
    assert (shown["rows"], shown["rows_before"], shown["since"]) == (2, 2, at(24 * 3600))
    assert [(each["digits"], each["count"], each["before"]) for each in shown["amounts"]] == [
        (1, 1, 0),
        (2, 1, 0),
        (3, 0, 1),
        (4, 0, 1),
    ]
    (user,) = shown["by_failed"]
    assert (user["value"], user["before"]) == (2, 2)


def test_of_too_many_the_latest_stand_beside_as_long_a_time_before(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 2)
    alice, bob, carol = people
    # The newest last; of the first nothing is told.
    for n, (user, amount, status) in enumerate(
        [
            (carol, 5, "FAILED"),
            (carol, 70, "FAILED"),
            (bob, 80, "FAILED"),
            (bob, 9, "FAILED"),
            (alice, 90, "SUCCESS"),
        ]
    ):
        store(user, f"T{n}", amount=amount, status=status, created_at=at(-n))
    shown = sample.sample(at(-10))
    assert (shown["rows"], shown["rows_before"], shown["since"]) == (2, 2, at(-3))
    assert [(each["digits"], each["count"], each["before"]) for each in shown["amounts"]] == [
        (1, 1, 0),
        (2, 1, 2),
    ]
    assert [(user["name"], user["value"], user["before"]) for user in shown["by_volume"]] == [
        ("alice", "90", "0"),
        ("bob", "9", "80"),
    ]
    assert [(user["name"], user["value"], user["before"]) for user in shown["by_failed"]] == [("bob", 1, 1)]


def test_the_sample_reads_no_more_rows_than_it_says(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 2)
    for n in range(5):
        store(people[0], f"T{n}", amount=10**n, created_at=at(-n))
    shown = sample.sample(at(-10))
    found = [(each["digits"], each["count"], each["before"]) for each in shown["amounts"]]
    assert (shown["rows"], found) == (2, [(2, 0, 1), (3, 0, 1), (4, 1, 0), (5, 1, 0)])
    assert shown["by_volume"][0]["count"] == 2
