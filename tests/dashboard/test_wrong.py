"""What is usual for the failure rate, whether it stands out from that, and who fails."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.dateparse import parse_datetime

from tests.support.admin_pages import store
from tests.support.settled import settle
from transactions.dashboard import failing as failing_module
from transactions.dashboard.failing import failing, failing_beside_before
from transactions.dashboard.periods import chosen
from transactions.dashboard.usual import Usual, usual
from transactions.dashboard.wrong import wrong
from transactions.models import Rollup, Transaction
from transactions.reading.spans import TimeSpan

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 14, 12, 20, 30, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
QUARTER = TimeSpan(datetime(2026, 3, 14, 12, 0, tzinfo=UTC), datetime(2026, 3, 14, 12, 15, tzinfo=UTC))


def past(user: User, rates: list[int], rows: int = 100) -> None:
    """Of yesterday, the day before and so on: so many of `rows` failed, from 11:45 to 12:30."""
    for days, failed in enumerate(rates, 1):
        since = QUARTER.since - days * DAY - 15 * MINUTE
        settle(user, since, since + 45 * MINUTE, rows, failed)


# --- What is usual --------------------------------------------------------------------------------


def test_the_band_leaves_out_the_best_and_the_worst_of_seven_days(people: list[User]) -> None:
    past(people[0], [5, 3, 40, 6, 4, 0, 7])
    assert usual([QUARTER]) == [Usual(0.03, 0.05, 0.07)]


def test_days_of_which_little_is_known_tell_nothing(people: list[User]) -> None:
    past(people[0], [5, 3, 7])
    past(people[0], [0, 0, 0, 10, 10], rows=10)
    assert usual([QUARTER]) == [Usual(3 / 110, 5 / 110, 7 / 110)]


def test_from_two_days_nothing_is_usual(people: list[User]) -> None:
    past(people[0], [5, 3])
    assert usual([QUARTER]) == [None]


def test_neither_this_day_nor_the_eighth_before_tells_what_is_usual(people: list[User]) -> None:
    past(people[0], [5, 5, 5])
    settle(people[0], QUARTER.since - 15 * MINUTE, QUARTER.until, 100, 100)
    settle(people[0], QUARTER.since - 8 * DAY, QUARTER.until - 8 * DAY, 100, 100)
    assert usual([QUARTER]) == [Usual(0.05, 0.05, 0.05)]


def test_a_short_time_is_compared_with_the_quarters_around_it(people: list[User]) -> None:
    """With none further away."""
    for days in range(1, 4):
        settle(people[0], QUARTER.since - days * DAY - 15 * MINUTE, QUARTER.until - days * DAY, 90, 9)
        later = QUARTER.until - days * DAY + 15 * MINUTE
        settle(people[0], later, later + 30 * MINUTE, 90, 90)
    minute = TimeSpan(QUARTER.since + 3 * MINUTE, QUARTER.since + 4 * MINUTE)
    assert usual([minute, QUARTER]) == [Usual(0.1, 0.1, 0.1)] * 2


def test_a_long_time_is_compared_with_itself_alone(people: list[User]) -> None:
    hour = TimeSpan(NOW.replace(hour=10, minute=0, second=0), NOW.replace(hour=11, minute=0, second=0))
    for days in range(1, 4):
        settle(people[0], hour.since - days * DAY, hour.until - days * DAY, 60, 3)
        settle(people[0], hour.until - days * DAY, hour.until - days * DAY + 15 * MINUTE, 60, 60)
    assert usual([hour]) == [Usual(0.05, 0.05, 0.05)]


# --- Whether anything is wrong --------------------------------------------------------------------


@pytest.fixture
def seven_usual_days() -> None:
    """Of a hundred in each quarter of an hour five failed, until half a day ago."""
    first = QUARTER.since - 8 * DAY
    Rollup.objects.bulk_create(
        Rollup(bucket=first + n * 15 * MINUTE, status=status, count=count, total=0)
        for n in range(7 * 96 + 48)
        for status, count in (("SUCCESS", 95), ("FAILED", 5))
    )


@pytest.mark.usefixtures("seven_usual_days")
def test_it_is_told_since_when_the_failures_rise_and_whose_they_are(people: list[User]) -> None:
    """95 % succeed, then 72 %: the story of a quarter of an hour."""
    alice, bob, carol = people
    began = datetime(2026, 3, 14, 12, 4, tzinfo=UTC)
    settle(bob, began - 30 * MINUTE, began, 600, 30)
    settle(alice, began, NOW, 200, 90)
    settle(bob, began, NOW, 100, 4)
    settle(carol, began, NOW, 100, 18)
    store(carol, "P", status="PENDING", created_at=NOW - MINUTE)
    told = wrong(NOW)
    assert told is not None
    assert (told.since, told.longer) == (began, False)
    assert (told.failed, told.settled, told.mean) == (112, 400, 0.28)
    assert told.minutes == 5
    assert told.rate == pytest.approx(0.28, abs=0.02)
    assert told.share == pytest.approx(90 / 112)
    assert told.of_latest is None
    on_page = told.as_dict()
    assert on_page["usual"] == {"low": 0.05, "middle": 0.05, "high": 0.05}
    assert on_page["customers"] == [{"user": alice.pk, "name": "alice"}]
    # What the list is asked for are exactly those that are counted.
    query = on_page["query"]
    since, until = parse_datetime(query["from"]), parse_datetime(query["to"])
    assert since is not None
    assert until is not None
    shown = Transaction.objects.filter(status=query["status"], created_at__gte=since, created_at__lt=until)
    assert shown.count() == told.failed


@pytest.mark.usefixtures("seven_usual_days")
def test_a_rise_of_hours_ago_began_hours_ago(people: list[User]) -> None:
    began = NOW.replace(hour=9, minute=22, second=0)
    settle(people[0], NOW - DAY / 2, began, 1000, 50)
    settle(people[0], began, NOW, 1200, 300)
    told = wrong(NOW)
    assert told is not None
    # Of seven a minute chance decides which minute looks like the first one.
    assert abs(told.since - began) <= 2 * MINUTE


@pytest.mark.usefixtures("seven_usual_days")
def test_what_began_over_a_day_ago_is_said_to_be_longer(people: list[User]) -> None:
    settle(people[0], NOW - 25 * DAY / 24, NOW, 3000, 900)
    told = wrong(NOW)
    assert told is not None
    assert told.longer is True
    assert NOW - told.since <= DAY + 60 * MINUTE


@pytest.mark.usefixtures("seven_usual_days")
def test_it_is_over_as_soon_as_the_latest_minutes_are_usual_again(people: list[User]) -> None:
    settle(people[0], NOW - 30 * MINUTE, NOW - 5 * MINUTE, 600, 200)
    settle(people[0], NOW - 5 * MINUTE, NOW, 120, 6)
    assert wrong(NOW) is None


@pytest.fixture
def burst(people: list[User]) -> datetime:
    """Two a minute, of which one fails now and then; when three minutes began in which half of 300 fail."""
    began = datetime(2026, 3, 14, 11, 57, tzinfo=UTC)
    settle(people[0], began - 60 * MINUTE, began - 16 * MINUTE, 88, 4)
    settle(people[0], began - 16 * MINUTE, began - 15 * MINUTE, 4, 1)
    settle(people[0], began - 15 * MINUTE, began, 24, 1)
    settle(people[0], began, began + 3 * MINUTE, 300, 150)
    return began


@pytest.mark.usefixtures("seven_usual_days")
def test_the_rate_that_is_told_is_that_of_now_and_its_beginning_stays_where_it_was(
    people: list[User], burst: datetime
) -> None:
    at_its_height = wrong(burst + 3 * MINUTE)
    assert at_its_height is not None
    assert at_its_height.since == burst
    # Two a second, of which 9 % fail: more than usual, and much less than a few minutes ago.
    settle(people[1], burst + 3 * MINUTE, NOW, 2460, 221)
    told = wrong(NOW)
    assert told is not None
    assert told.since == burst
    assert told.minutes == 5
    assert told.rate == pytest.approx(0.09, abs=0.01)
    assert told.mean == pytest.approx(371 / 2760)
    counted = Transaction.objects.filter(status="FAILED", created_at__gte=burst, created_at__lt=NOW)
    assert told.failed == counted.count() == 371


@pytest.mark.usefixtures("seven_usual_days")
def test_a_rise_is_over_too_where_so_few_come_that_the_hundred_latest_reach_back_into_it(
    people: list[User], burst: datetime
) -> None:
    settle(people[1], burst + 3 * MINUTE, NOW, 40, 2)
    assert wrong(NOW) is None


@pytest.mark.usefixtures("seven_usual_days")
@pytest.mark.parametrize(("failed", "rate"), [(16, 0.4), (10, 0.25)])
def test_of_few_transactions_the_latest_are_told_alone_where_they_surely_differ(
    people: list[User], failed: int, rate: float
) -> None:
    """Of the ten minutes before all failed, and so many of the 40 of its latest five minutes."""
    settle(people[0], NOW - 15 * MINUTE, NOW - 5 * MINUTE, 80, 80)
    settle(people[0], NOW - 5 * MINUTE, NOW, 40, failed)
    told = wrong(NOW)
    assert told is not None
    assert (told.minutes, told.rate) == (5, rate)


@pytest.mark.usefixtures("seven_usual_days")
@pytest.mark.parametrize(("rows", "failed"), [(5, 5), (60, 9), (99, 50)])
def test_a_few_transactions_ring_no_bell(people: list[User], rows: int, failed: int) -> None:
    """Within the last hour fewer have settled than tell anything."""
    settle(people[0], NOW - 5 * MINUTE, NOW, rows, failed)
    assert wrong(NOW) is None


@pytest.mark.usefixtures("seven_usual_days")
@pytest.mark.parametrize(("failed", "stands_out"), [(8, False), (12, False), (25, True)])
def test_a_rise_has_to_be_more_than_chance(people: list[User], failed: int, stands_out: bool) -> None:
    settle(people[0], NOW - 5 * MINUTE, NOW, 120, failed)
    assert (wrong(NOW) is not None) is stands_out


def test_where_nothing_is_usual_yet_nothing_stands_out(people: list[User]) -> None:
    settle(people[0], NOW - 5 * MINUTE, NOW, 200, 100)
    assert wrong(NOW) is None


def test_nothing_is_wrong_with_an_empty_system(people: list[User]) -> None:
    assert wrong(NOW) is None


@pytest.mark.usefixtures("seven_usual_days")
def test_fewer_failures_than_usual_are_not_wrong(people: list[User]) -> None:
    settle(people[0], NOW - 5 * MINUTE, NOW, 200, 0)
    assert wrong(NOW) is None


@pytest.mark.usefixtures("seven_usual_days")
def test_no_customers_are_named_where_a_few_do_not_make_up_most(people: list[User]) -> None:
    for n in range(10):
        settle(User.objects.create_user(f"customer-{n}"), NOW - 5 * MINUTE, NOW, 20, 10)
    told = wrong(NOW)
    assert told is not None
    assert (told.customers, told.share) == ([], None)


@pytest.mark.usefixtures("seven_usual_days")
def test_of_many_who_fail_the_one_with_the_most_is_named(people: list[User]) -> None:
    """A fifth is one customer's: not most of it, and still somebody to ask."""
    settle(people[0], NOW - 5 * MINUTE, NOW, 20, 20)
    for n in range(10):
        settle(User.objects.create_user(f"customer-{n}"), NOW - 5 * MINUTE, NOW, 20, 8)
    told = wrong(NOW)
    assert told is not None
    assert [(each.user, each.name) for each in told.customers] == [(people[0].pk, "alice")]
    assert told.share == pytest.approx(0.2, abs=0.03)
    assert told.failing[0] == people[0].pk
    assert len(told.failing) == 3


@pytest.mark.usefixtures("seven_usual_days")
def test_three_who_make_up_much_of_it_are_all_named(people: list[User]) -> None:
    for user in people:
        settle(user, NOW - 5 * MINUTE, NOW, 20, 15)
    for n in range(6):
        settle(User.objects.create_user(f"customer-{n}"), NOW - 5 * MINUTE, NOW, 20, 10)
    told = wrong(NOW)
    assert told is not None
    assert [each.name for each in told.customers] == ["alice", "bob", "carol"]
    assert told.share == pytest.approx(45 / 105)


# --- Failed by customer ---------------------------------------------------------------------------


def test_who_failed_most_stands_first_beside_what_was_before(people: list[User]) -> None:
    alice, bob, carol = people
    settle(alice, NOW - 30 * MINUTE, NOW, 5, 3)
    settle(bob, NOW - 30 * MINUTE, NOW, 9, 8)
    settle(carol, NOW - 30 * MINUTE, NOW, 9, 0)
    settle(bob, NOW - 7 * DAY - 30 * MINUTE, NOW - 7 * DAY, 4, 2)
    told = failing_beside_before(chosen("1h", "last-week"), NOW)
    assert (told["failed"], told["partial"]) == (11, False)
    assert told["customers"] == [
        {"user": bob.pk, "name": "bob", "failed": 8, "before": 2},
        {"user": alice.pk, "name": "alice", "failed": 3, "before": 0},
    ]


def test_of_too_many_rows_the_newest_are_looked_at_and_as_long_a_time_before(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing_module, "ROWS_MAX", 10)
    settle(people[0], NOW - 20 * MINUTE, NOW, 20, 20)
    settle(people[0], NOW - DAY - 20 * MINUTE, NOW - DAY, 20, 10)
    found = failing(TimeSpan(NOW - 20 * MINUTE, NOW), DAY)
    assert (found.since, found.partial, found.failed) == (NOW - 10 * MINUTE, True, 10)
    assert [(each.failed, each.before) for each in found.customers] == [(10, 5)]
    # The time before may have too many as well: both begin where either is cut off.
    settle(people[0], NOW - DAY - 5 * MINUTE, NOW - DAY, 10, 0)
    found = failing(TimeSpan(NOW - 20 * MINUTE, NOW), DAY)
    assert found.since > NOW - 5 * MINUTE


def test_nobody_failed_where_nothing_did(people: list[User]) -> None:
    settle(people[0], NOW - 20 * MINUTE, NOW, 20, 0)
    assert failing(TimeSpan(NOW - 20 * MINUTE, NOW), DAY).customers == []


def test_of_what_was_pruned_nobody_is_said_to_have_failed_less(people: list[User]) -> None:
    settle(people[0], NOW - 20 * MINUTE, NOW, 20, 5)
    settle(people[0], NOW - 7 * DAY - 20 * MINUTE, NOW - 7 * DAY, 20, 10)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('transactions.keep_rollups', 'on', true)")
        cursor.execute("DELETE FROM transactions_transaction WHERE created_at < %s", [NOW - DAY])
    (customer,) = failing(TimeSpan(NOW - 20 * MINUTE, NOW), 7 * DAY).customers
    assert (customer.failed, customer.before) == (5, None)
    assert failing(TimeSpan(NOW - 8 * DAY, NOW)).partial is True
    assert failing(TimeSpan(NOW - DAY, NOW)).partial is False
