"""Days of time zones: every moment belongs to the day that the zone's own clocks say."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from transactions.reading.days import DAY_S, Stretch, moment_text, stretches
from transactions.reading.parameters import ZoneField
from transactions.rules.kinds.gaps import Zone
from transactions.timezones import zone_names

START = datetime.min.replace(tzinfo=UTC)
END_S = date.max.toordinal() * DAY_S
YEAR_1800, YEAR_2200 = ((date(year, 1, 1).toordinal() - 1) * DAY_S for year in (1800, 2200))


def second(text: str) -> int:
    """A moment in ISO 8601 as seconds since year 1."""
    since = datetime.fromisoformat(text) - START
    return since.days * DAY_S + since.seconds


def days(name: str, start: str, end: str) -> list[tuple[str, str]]:
    """The stretches of a zone, as (day, the moment at which it begins)."""
    return [
        (date.fromordinal(stretch.day).isoformat(), moment_text(stretch.start)[:19])
        for stretch in stretches(ZoneInfo(name), second(start), second(end))
    ]


def on_the_clock(zone: ZoneInfo, moment: int) -> int:
    return (START + timedelta(seconds=moment)).astimezone(zone).toordinal()


@settings(max_examples=300)
@given(
    zone=st.sampled_from(sorted(zone_names())).map(ZoneInfo),
    start=st.integers(YEAR_1800, YEAR_2200),
    length=st.integers(0, 400 * DAY_S),
    share=st.floats(0, 1),
)
def test_they_are_what_the_clocks_of_the_zone_say(
    zone: ZoneInfo, start: int, length: int, share: float
) -> None:
    found = list(stretches(zone, start, start + length))
    edges = [start, *(stretch.end for stretch in found)]
    assert edges == [*(stretch.start for stretch in found), start + length]
    assert all(before.day != after.day for before, after in pairwise(found))
    for begin, end, day in found:
        within = begin + int((end - 1 - begin) * share)
        assert begin < end
        assert {on_the_clock(zone, moment) for moment in (begin, within, end - 1)} == {day}


@pytest.mark.parametrize("name", ["Pacific/Apia", "America/St_Johns", "Africa/Freetown", "Asia/Gaza"])
def test_they_miss_no_change_of_the_clocks_in_two_centuries(name: str) -> None:
    zone = ZoneInfo(name)
    for begin, end, day in stretches(zone, YEAR_1800, YEAR_2200):
        assert on_the_clock(zone, begin) == on_the_clock(zone, end - 1) == day


def test_a_day_that_the_zone_skipped_has_no_moment() -> None:
    assert days("Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z") == [
        ("2011-12-29", "2011-12-29T12:00:00"),
        ("2011-12-31", "2011-12-30T10:00:00"),
        ("2012-01-01", "2011-12-31T10:00:00"),
    ]


def test_a_day_into_which_the_clocks_went_back_has_two_stretches() -> None:
    assert days("America/St_Johns", "2009-10-31T12:00:00Z", "2009-11-02T00:00:00Z") == [
        ("2009-10-31", "2009-10-31T12:00:00"),
        ("2009-11-01", "2009-11-01T02:30:00"),
        ("2009-10-31", "2009-11-01T02:31:00"),
        ("2009-11-01", "2009-11-01T03:30:00"),
    ]


def test_a_day_that_was_lived_twice_is_one_long_stretch() -> None:
    apia = days("Pacific/Apia", "1892-07-03T00:00:00Z", "1892-07-06T00:00:00Z")
    assert apia[1:] == [("1892-07-04", "1892-07-03T11:26:56"), ("1892-07-05", "1892-07-05T11:26:56")]


def test_they_begin_where_the_local_mean_time_did() -> None:
    assert days("Africa/Monrovia", "1900-01-01T00:00:00Z", "1900-01-02T00:00:00Z") == [
        ("1899-12-31", "1900-01-01T00:00:00"),
        ("1900-01-01", "1900-01-01T00:43:08"),
    ]


@pytest.mark.parametrize("name", ["Etc/GMT-14", "Etc/GMT+12", "UTC", "Africa/Monrovia"])
@pytest.mark.parametrize("start", [-3 * DAY_S, END_S - 3 * DAY_S])
def test_what_is_outside_the_calendar_belongs_to_its_first_and_last_day(name: str, start: int) -> None:
    found = list(stretches(ZoneInfo(name), start, start + 6 * DAY_S))
    assert (found[0].start, found[-1].end) == (start, start + 6 * DAY_S)
    assert all(1 <= stretch.day <= date.max.toordinal() for stretch in found)
    assert len({stretch.day for stretch in found}) == len(found)


def test_nothing_has_no_days() -> None:
    assert list(stretches(ZoneInfo("Europe/London"), 5, 5)) == []
    assert list(stretches(ZoneInfo("UTC"), 0, 1)) == [Stretch(0, 1, 1)]


def test_it_knows_the_zones_of_the_world_and_not_the_one_of_this_machine() -> None:
    assert {"UTC", "Asia/Kathmandu", "America/Argentina/Buenos_Aires"} <= zone_names()
    assert not {"localtime", "Europe", "posix/UTC", "europe/london", ""} & zone_names()


def test_moments_outside_the_calendar_are_infinitely_far_for_the_database() -> None:
    assert (moment_text(-1), moment_text(END_S)) == ("-infinity", "infinity")
    assert moment_text(END_S - 1) == "9999-12-31T23:59:59+00:00"


@pytest.mark.parametrize(
    "name", ["UTC", "Asia/Kathmandu", "localtime", "posixrules", "Factory", "europe/london"]
)
def test_averages_and_rules_know_the_same_timezones(name: str) -> None:
    is_known = name in zone_names()
    for read in (ZoneField().to_internal_value, Zone("the timezone").read):
        with nullcontext() if is_known else pytest.raises((ValueError, ValidationError)):
            assert read(name) == name
