"""What the page of an alert reads of a busy user: what lies around the alert, however much came later."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.support.reading import BEGIN, pages_read_by, tell_the_planner
from tests.support.rules import rule_in_force
from transactions.alerts.models import Alert
from transactions.models import Transaction
from transactions.review import customer
from transactions.rules import evidence
from transactions.rules.models import Hit, Rule, Version

pytestmark = pytest.mark.django_db(transaction=True)

# Of the first hour ten rows are asked for, of 20,000: nearly all of the user came after the alert.
FIRST, LAST = BEGIN + timedelta(minutes=50), BEGIN + timedelta(minutes=59)
PAGES_MAX = 50


@pytest.fixture(autouse=True)
def known(busy: User) -> None:
    tell_the_planner()


def test_the_line_of_amounts_reads_no_more_than_its_span(busy: User) -> None:
    found: list[Any] = []
    assert 0 < pages_read_by(lambda: found.extend(customer.amounts(busy.pk, FIRST, LAST))) < PAGES_MAX
    assert len(found) == 10


def test_what_a_hit_counts_is_found_in_its_window_alone(busy: User) -> None:
    rule = Rule.objects.create(name="Many", severity="LOW")
    version = Version.objects.create(
        rule=rule, number=1, kind="velocity_count", parameters={"count": 2, "window": "10m"}
    )
    row = Transaction.objects.get(transaction_id="T59")
    hit = Hit(version=version, user=busy.pk, transaction=row.pk, happened_at=LAST, figures={})
    found: list[Any] = []
    assert 0 < pages_read_by(lambda: found.extend(evidence.behind([hit]))) < PAGES_MAX
    assert len(found) == 10


def test_in_which_alerts_a_row_was_counted_is_found_among_hits_since_it_was_stored_alone(
    busy: User, settings: Settings
) -> None:
    settings.FOUR_EYES = False
    version = rule_in_force("velocity_count", name="Many", count=2, window="10m")
    alert = Alert.objects.create(rule=version.rule_id, rule_name="Many", severity="LOW", user=busy.pk)
    rows = list(Transaction.objects.order_by("created_at")[:20_000])
    Hit.objects.bulk_create(
        Hit(
            version=version, user=busy.pk, transaction=row.pk, happened_at=row.created_at, figures={},
            raised_at=row.created_at, alert=alert,
        )
        for row in rows
    )  # fmt: skip
    tell_the_planner(Hit._meta.db_table)
    row = rows[10]
    row.stored_at = row.created_at
    found: list[Any] = []
    assert 0 < pages_read_by(lambda: found.extend(evidence.counted_in(row))) < PAGES_MAX
    assert found == [(alert.pk, "Many")]
