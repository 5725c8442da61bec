"""A period on the front page: its figures, what they are compared with, and the series of its charts."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.support.admin_pages import store
from tests.support.settled import settle
from transactions.dashboard import overview as module
from transactions.dashboard.overview import Counted, count_before, count_hour, overview
from transactions.dashboard.periods import COMPARISONS, PERIODS, Period, chosen
from transactions.dashboard.shared_figures import SharedFigures
from transactions.models import Rollup, Transaction

pytestmark = pytest.mark.django_db

# Amid a quarter of an hour, at no whole minute.
NOW = datetime(2026, 3, 14, 12, 20, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def told(name: str, compare: str = "yesterday", now: datetime = NOW) -> Any:
    choice = chosen(name, compare)
    counted = None
    if choice.period.length <= HOUR:
        counted = Counted(count_hour(now), *count_before(choice, now))
    return overview(choice, now, counted)


# --- The periods ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "period"), PERIODS.items())
def test_a_period_ends_now_and_begins_with_a_whole_minute(name: str, period: Period) -> None:
    span = period.span(NOW)
    assert span.until == NOW
    assert span.since == NOW - period.length + timedelta(seconds=30)


@pytest.mark.parametrize(("name", "period"), PERIODS.items())
def test_stretches_cover_a_period_without_a_gap(name: str, period: Period) -> None:
    span = period.span(NOW)
    stretches = period.stretches(span)
    assert (stretches[0].since, stretches[-1].until) == span
    assert all(a.until == b.since for a, b in pairwise(stretches))
    assert all(each.until - each.since <= period.stretch for each in stretches)


@pytest.mark.parametrize(
    ("name", "compare", "shift", "words"),
    [
        ("15m", "yesterday", DAY, "at this time yesterday"),
        ("1h", "last-week", 7 * DAY, "at this time a week ago"),
        ("24h", "yesterday", DAY, "in the 24 hours before"),
        ("24h", "last-week", 7 * DAY, "at this time a week ago"),
        ("7d", "yesterday", 7 * DAY, "in the 7 days before"),
        ("7d", "last-week", 7 * DAY, "in the 7 days before"),
        ("30d", "yesterday", 30 * DAY, "in the 30 days before"),
        ("30d", "last-week", 30 * DAY, "in the 30 days before"),
    ],
)
def test_a_period_is_compared_with_a_time_that_it_shares_no_moment_with(
    name: str, compare: str, shift: timedelta, words: str
) -> None:
    found = chosen(name, compare)
    assert (found.shift, found.words, found.fixed) == (shift, words, name in ("7d", "30d"))
    span = found.period.span(NOW)
    assert span.earlier(found.shift).until <= span.since


# --- The figures ----------------------------------------------------------------------------------


def judged(name: str, compare: str = "yesterday") -> dict[str, Any]:
    """By figure: its change, whether that is good, and how few there were to compare."""
    figures = told(name, compare)["figures"]
    return {each: (it["change"], it["judged"], it["too_few"]) for each, it in figures.items()}


def test_the_figures_stand_beside_those_of_the_other_time(people: list[User]) -> None:
    ago = NOW - 10 * MINUTE
    settle(people[0], ago, NOW - MINUTE, 200, 100, amount=3)
    store(people[0], "C", amount=5, status="PENDING", created_at=ago - 3 * MINUTE)
    settle(people[0], ago - DAY, NOW - DAY - MINUTE, 100, 0, amount=4)
    shown = told("1h")
    assert shown["compared"]["words"] == "at this time yesterday"
    assert shown["oldest_pending"] == ago - 3 * MINUTE
    figures = {name: {**each, "spark": None} for name, each in shown["figures"].items()}
    assert figures == {
        "succeeded": {
            "value": "300", "before": "400", "change": -25.0, "unit": "percent", "judged": "bad",
            "too_few": None, "spark": None,
        },
        "count": {
            "value": 201, "before": 100, "change": 101.0, "unit": "percent", "judged": "neither",
            "too_few": None, "spark": None,
        },
        "success_rate": {
            "value": 0.5, "before": 1.0, "change": -50.0, "unit": "points", "judged": "bad",
            "too_few": None, "spark": None,
        },
        "pending": {
            "value": 1, "before": 0, "change": 1, "unit": "count", "judged": "bad",
            "too_few": None, "spark": None,
        },
    }  # fmt: skip


def test_more_success_is_good_and_fewer_pending_are(people: list[User]) -> None:
    settle(people[0], NOW - 2 * MINUTE, NOW - MINUTE, 125, 0)
    settle(people[0], NOW - 7 * DAY - 2 * MINUTE, NOW - 7 * DAY - MINUTE, 200, 100)
    store(people[0], "D", status="PENDING", created_at=NOW - 7 * DAY - MINUTE)
    assert judged("15m", "last-week") == {
        "succeeded": (25.0, "good", None),
        "count": (pytest.approx(100 * -76 / 201), "neither", None),
        "success_rate": (50.0, "good", None),
        "pending": (-1, "good", None),
    }


def test_of_few_transactions_nothing_is_said_to_be_better_or_worse(people: list[User]) -> None:
    """Two dozen a week ago, of which three failed, are chance."""
    settle(people[0], NOW - 10 * MINUTE, NOW - MINUTE, 300, 34)
    settle(people[0], NOW - 7 * DAY - 10 * MINUTE, NOW - 7 * DAY - MINUTE, 24, 3)
    store(people[0], "P", status="PENDING", created_at=NOW - MINUTE)
    assert judged("1h", "last-week") == {
        "succeeded": (None, "neither", 21),
        "count": (None, "neither", 24),
        "success_rate": (None, "neither", 24),
        "pending": (None, "neither", 24),
    }


@pytest.mark.parametrize(("settled", "too_few"), [(99, 99), (100, None)])
def test_a_rate_is_compared_from_a_hundred_settled_on_both_sides(
    people: list[User], settled: int, too_few: int | None
) -> None:
    settle(people[0], NOW - 10 * MINUTE, NOW - MINUTE, settled, 10)
    settle(people[0], NOW - DAY - 10 * MINUTE, NOW - DAY - MINUTE, 400, 10)
    found = judged("1h")
    assert found["success_rate"][2] == too_few
    # How many there are is no chance: that it were 400 before is a fall.
    assert found["count"][1:] == ("neither", None)
    assert found["succeeded"][1:] == ("bad", None)


def test_more_than_tenfold_is_neither_good_nor_bad(people: list[User]) -> None:
    settle(people[0], NOW - 10 * MINUTE, NOW - MINUTE, 1_100, 0)
    settle(people[0], NOW - DAY - 10 * MINUTE, NOW - DAY - MINUTE, 100, 0)
    assert judged("1h")["succeeded"] == (1000.0, "neither", None)


def test_a_change_that_would_be_shown_as_none_is_neither_good_nor_bad(people: list[User]) -> None:
    settle(people[0], NOW - 2 * MINUTE, NOW - MINUTE, 100, 0, amount=100_000)
    settle(people[0], NOW - DAY - 2 * MINUTE, NOW - DAY - MINUTE, 100, 0, amount=100_001)
    succeeded = told("1h")["figures"]["succeeded"]
    assert -0.01 < succeeded["change"] < 0
    assert succeeded["judged"] == "neither"


def test_of_the_other_time_those_count_as_pending_that_were_then(people: list[User]) -> None:
    then = NOW - DAY
    store(people[0], "A", status="SUCCESS", created_at=then - MINUTE, settled_at=then + MINUTE)
    store(people[0], "B", status="FAILED", created_at=then - MINUTE, settled_at=then - timedelta(seconds=1))
    store(people[0], "C", status="PENDING", created_at=then - MINUTE)
    assert told("1h")["figures"]["pending"]["before"] == 2
    # A day's rows are too many to look when each settled.
    pending = told("24h")["figures"]["pending"]
    assert (pending["before"], pending["change"]) == (None, None)


@pytest.mark.parametrize("name", PERIODS)
def test_an_empty_system_has_nothing_to_compare(name: str, people: list[User]) -> None:
    shown = told(name)
    assert shown["oldest_pending"] is None
    figures = shown["figures"]
    assert (figures["succeeded"]["value"], figures["succeeded"]["before"]) == ("0", None)
    assert (figures["success_rate"]["value"], figures["success_rate"]["before"]) == (None, None)
    changes = {each: figures[each]["change"] for each in ("succeeded", "count", "success_rate")}
    assert changes == {"succeeded": None, "count": None, "success_rate": None}
    assert all(each["judged"] == "neither" for each in figures.values())
    assert set(shown["series"]["failure_rate"]) == set(shown["series"]["usual"]) == {None}


def test_there_is_no_success_rate_while_nothing_has_settled(people: list[User]) -> None:
    store(people[0], "A", status="PENDING", created_at=NOW - MINUTE)
    shown = told("1h")
    assert shown["figures"]["success_rate"]["value"] is None
    assert shown["figures"]["count"]["value"] == 1
    assert set(shown["series"]["failure_rate"]) == {None}


def test_amounts_are_exact_however_large(people: list[User]) -> None:
    for n in range(3):
        store(people[0], f"T{n}", amount=2**63 - 1, status="SUCCESS", created_at=NOW - 2 * MINUTE)
    succeeded = told("1h")["figures"]["succeeded"]
    assert succeeded["value"] == str(3 * (2**63 - 1))
    assert str(3 * (2**63 - 1)) in succeeded["spark"]


@pytest.mark.parametrize("status", ["FAILED", "PENDING"])
@pytest.mark.parametrize("name", PERIODS)
def test_one_huge_transaction_that_failed_moves_nothing_of_what_succeeded(
    people: list[User], name: str, status: str
) -> None:
    settle(people[0], NOW - 10 * MINUTE, NOW - MINUTE, 200, 100, amount=3)
    ago = PERIODS[name].length if chosen(name, "yesterday").fixed else DAY
    settle(people[0], NOW - 10 * MINUTE - ago, NOW - MINUTE - ago, 200, 100, amount=3)
    before = told(name)["figures"]["succeeded"]
    assert before["value"] == "300"
    store(people[0], "HUGE", amount=2**63 - 1, status=status, created_at=NOW - 2 * MINUTE)
    store(people[0], "HUGE THEN", amount=2**63 - 1, status=status, created_at=NOW - 2 * MINUTE - ago)
    found = told(name)
    assert found["figures"]["succeeded"] == before
    assert found["figures"]["count"]["value"] == 201


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize(
    "now", [NOW, NOW.replace(minute=29), NOW.replace(minute=15, second=0), NOW.replace(minute=0, second=1)]
)
@pytest.mark.parametrize(("name", "period"), PERIODS.items())
def test_figures_and_bars_equal_a_count_over_the_rows(
    people: list[User], now: datetime, name: str, period: Period, compare: str
) -> None:
    choice = chosen(name, compare)
    rows = [
        Transaction(
            transaction_id=f"T{n}-{earlier}", user=people[0], amount=n,
            status=("SUCCESS", "FAILED", "PENDING")[n % 3],
            created_at=now - choice.shift * earlier - (n - 10) * period.length / 400,
        )
        for n in range(500) for earlier in (0, 1)
    ]  # fmt: skip
    # At the very edges of the period, of its first quarter of an hour, and just outside.
    since = period.span(now).since
    for moment in (since, now):
        for seconds in (0, -0.000001):
            at = moment + timedelta(seconds=seconds)
            id = f"E{at.isoformat()}"
            rows.append(
                Transaction(transaction_id=id, user=people[0], amount=1, status="SUCCESS", created_at=at)
            )
    Transaction.objects.bulk_create(rows)
    shown = told(name, compare, now)
    inside = [row for row in rows if since <= row.created_at < now]
    before = [row for row in rows if since <= row.created_at + choice.shift < now]
    succeeded, count = shown["figures"]["succeeded"], shown["figures"]["count"]
    assert (count["value"], count["before"]) == (len(inside), len(before))
    for value, held in ((succeeded["value"], inside), (succeeded["before"], before)):
        assert value == str(sum(row.amount for row in held if row.status == "SUCCESS"))
    assert shown["figures"]["pending"]["value"] == sum(row.status == "PENDING" for row in inside)
    assert shown["oldest_pending"] == min(row.created_at for row in inside if row.status == "PENDING")
    series = shown["series"]
    stretches = period.stretches(period.span(now))
    assert series["starts"] == [each.since for each in stretches]
    # The minute under way is counted as a whole.
    last = now if period.length > HOUR else series["starts"][-1] + MINUTE
    ends = [*series["starts"][1:], last]
    for status in ("succeeded", "failed", "pending"):
        name_of = {"succeeded": "SUCCESS", "failed": "FAILED", "pending": "PENDING"}[status]
        assert series[status] == [
            sum(row.status == name_of and start <= row.created_at < end for row in rows)
            for start, end in zip(series["starts"], ends, strict=True)
        ], status
    if period.length > HOUR:
        assert (sum(series["succeeded"] + series["failed"] + series["pending"])) == len(inside)
        assert sum(series["before"]) == len(before)


def test_the_middle_of_a_day_is_summed_from_the_rollups(people: list[User]) -> None:
    """Not from its rows: there may be any number of them."""
    store(people[0], "T1", created_at=NOW - timedelta(hours=10))
    Rollup.objects.update(count=5_000)
    assert told("24h")["figures"]["count"]["value"] == 5_000


def test_of_what_was_pruned_the_quarters_that_are_cut_count_in_proportion(people: list[User]) -> None:
    """Rollups outlive the rows. Nothing younger than three days is ever pruned."""
    week_ago = NOW - 7 * DAY
    quarter = week_ago.replace(minute=15, second=0)
    settle(people[0], quarter - 15 * MINUTE, quarter + 15 * MINUTE, 180, 60)
    # All of them were pruned, as the worker does it: the rollups stay.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('transactions.keep_rollups', 'on', true)")
        cursor.execute("DELETE FROM transactions_transaction")
    # From 12:05:30, rounded up to the minute, to 12:20:30: 9 minutes of a quarter and 5.5 of the next one.
    shown = told("15m", "last-week")
    assert shown["figures"]["count"]["before"] == 54 + 33
    assert shown["series"]["before"] == [6] * 15
    assert shown["figures"]["pending"]["before"] is None


def test_a_sparkline_has_about_thirty_points_and_none_that_is_cut_off(people: list[User]) -> None:
    settle(people[0], NOW - 31 * DAY, NOW, 31 * 48, 0)
    for name, points in {"24h": 31, "7d": 27, "30d": 29}.items():
        spark = told(name)["figures"]["count"]["spark"]
        assert len(spark) == points, name
        # Two in an hour.
        expected = {"24h": 1.5, "7d": 12, "30d": 48}[name]
        assert all(abs(each - expected) <= 1 for each in spark), (name, spark)
    assert [len(told(name)["figures"]["count"]["spark"]) for name in ("15m", "1h")] == [14, 29]


def test_a_day_on_which_clocks_change_has_its_24_hours(people: list[User]) -> None:
    """In Berlin it had 23; periods go by time that has passed, and stretches are those of UTC."""
    now = datetime(2026, 3, 29, 22, 0, tzinfo=UTC)  # midnight, after the clocks went forward
    settle(people[0], now - 2 * DAY, now, 96, 0)
    shown = told("24h", "yesterday", now)
    assert shown["since"] == datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
    assert (shown["figures"]["count"]["value"], shown["figures"]["count"]["before"]) == (48, 48)
    assert len(shown["series"]["starts"]) == 96


# --- The failure rate of each stretch ---------------------------------------------------------------


def test_a_minute_of_few_has_the_failure_rate_of_the_minutes_up_to_it(people: list[User]) -> None:
    """One that failed alone is no hundred per cent."""
    minute = NOW.replace(second=0)
    settle(people[0], minute - 15 * MINUTE, minute - 10 * MINUTE, 20, 5)
    settle(people[0], minute - 3 * MINUTE, minute - 2 * MINUTE, 100, 8)
    settle(people[0], minute - 2 * MINUTE, minute - MINUTE, 1, 1)
    series = told("1h")["series"]
    rates = series["failure_rate"]
    assert rates[-4:-1] == [0.08, pytest.approx(9 / 101), pytest.approx(9 / 101)]
    # The page draws them fainter, and asks nobody but the server which they are.
    assert series["few_settled"][-4:-1] == [False, True, True]
    # Four a minute of five minutes: known once all of them are over, and never before they came.
    assert set(rates[:-12]) == {None}
    assert rates[-12] == 0.25


def test_failures_are_on_the_line_from_the_minute_on_in_which_they_came(people: list[User]) -> None:
    minute = NOW.replace(second=0)
    settle(people[0], minute - 15 * MINUTE, minute - 2 * MINUTE, 26, 0)
    settle(people[0], minute - MINUTE, minute, 8, 8)
    rates = told("1h")["series"]["failure_rate"]
    assert rates[-7:-2] == [0] * 5
    assert rates[-2] > 0.2


def test_a_week_ago_with_two_dozen_has_no_failure_rate(people: list[User]) -> None:
    settle(people[0], NOW - 7 * DAY - HOUR, NOW - 7 * DAY, 24, 3)
    assert set(told("1h", "last-week")["series"]["failure_rate_before"]) == {None}


# --- Minutes, counted row by row -------------------------------------------------------------------


def test_the_newest_minutes_are_counted_anew(people: list[User]) -> None:
    """The rest stays as it was when the hour was counted."""
    choice = chosen("1h", "yesterday")
    counted = Counted(count_hour(NOW), *count_before(choice, NOW))
    for n, seconds_ago in enumerate((-90, 0.5, 61, 119, 20 * 60)):
        ago = timedelta(seconds=seconds_ago)
        store(people[0], f"T{n}", status="SUCCESS", created_at=NOW - ago)
    later = NOW + 2 * MINUTE
    succeeded = overview(choice, later, counted)["series"]["succeeded"]
    assert succeeded[-5:] == [1, 1, 1, 0, 1]
    assert sum(succeeded) == 4
    anew = Counted(count_hour(later), *count_before(choice, later))
    assert sum(overview(choice, later, anew)["series"]["succeeded"]) == 5
    # Of an hour that was counted too long ago nothing is left.
    much_later = NOW + 2 * HOUR
    assert sum(overview(choice, much_later, counted)["series"]["succeeded"]) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ago", [30 * MINUTE, DAY + 30 * MINUTE], ids=["now", "before"])
def test_what_an_import_brings_is_in_the_minutes_as_soon_as_in_the_sums(
    people: list[User], ago: timedelta
) -> None:
    figures, choice = SharedFigures(), chosen("1h", "yesterday")
    figures.chosen(choice).overview()
    moment = datetime.now(UTC) - ago
    for n in range(5):
        store(people[0], f"T{n}", status="SUCCESS", created_at=moment)
    figures.chosen(choice)._overview.forget()
    told = figures.chosen(choice).overview().data
    count, series = told["figures"]["count"], told["series"]
    assert (count["value"], count["before"]) == (sum(series["succeeded"]), sum(series["before"]))
    assert count["value"] + count["before"] == 5


def test_the_minutes_before_are_counted_a_little_ahead(people: list[User]) -> None:
    choice = chosen("1h", "yesterday")
    store(people[0], "T1", status="SUCCESS", created_at=NOW - DAY + 2 * MINUTE)
    counted = Counted(count_hour(NOW), *count_before(choice, NOW))
    assert sum(overview(choice, NOW, counted)["series"]["before"]) == 0
    later = NOW + (module.AHEAD_MINUTES - 2) * MINUTE
    assert overview(choice, later, counted)["series"]["before"][-2] == 1
