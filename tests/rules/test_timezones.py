"""Hours of the day in every timezone: PostgreSQL, which judges, and Python mean the same by its name.

The moments are of a year whose clocks all lists of timezones know by now. Of a change that is newer than
one of the two lists PostgreSQL's is what counts: live, later and in a backtest.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from django.db import connection

from tests.support.judging import in_hours
from transactions.rules.kinds.gaps import Unfit
from transactions.rules.kinds.kind import Bound, within_hours
from transactions.rules.kinds.registry import read

WINTER, SUMMER = datetime(2019, 1, 15, 0, 1, tzinfo=UTC), datetime(2019, 7, 15, 0, 1, tzinfo=UTC)
MOMENTS = [day + timedelta(minutes=29 * n) for day in (WINTER, SUMMER) for n in range(50)]


def taken() -> list[str]:
    """The timezones that a rule may name."""
    found = []
    for zone in sorted(available_timezones()):
        try:
            read("amount", {"amount": 1, "filter": {"hours": "7-16", "zone": zone}})
        except Unfit:
            continue
        found.append(zone)
    return found


@pytest.mark.django_db
def test_postgresql_and_python_mean_the_same_by_the_name_of_a_timezone() -> None:
    zones = taken()
    assert {"UTC", "CET", "EET", "MET", "WET", "EST", "Europe/Berlin", "Asia/Kathmandu"} <= set(zones)
    other = []
    with connection.cursor() as cursor:
        for zone in zones:
            bound = Bound()
            text = within_hours("m.moment", "7-16", zone, bound)
            cursor.execute(
                f"SELECT array_agg({text} ORDER BY m.moment)"
                " FROM unnest(%(moments)s::timestamptz[]) m (moment)",
                {**bound.values, "moments": MOMENTS},
            )
            if cursor.fetchone()[0] != [in_hours(moment, "7-16", zone) for moment in MOMENTS]:
                other.append(zone)
    assert other == []
