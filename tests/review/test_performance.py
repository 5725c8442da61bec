"""How rules perform: precision, time to close, what never fired, what two rules find both."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record, take
from tests.support.alerts import Caller, burst, burst_rule
from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.review import performance
from transactions.rules import lifecycle
from transactions.rules.models import Rule
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def of_rule(vic: Caller, name: str, days: int = 30) -> Any:
    (found,) = [
        each for each in vic.get(f"rules/performance/?days={days}")["results"] if each["name"] == name
    ]
    return found


def closed(user: User, by: User, disposition: str, minutes: int = 30) -> None:
    """The user's alert, closed so many minutes after it was opened."""
    alert = Alert.objects.exclude(state="CLOSED").get(user=user.pk)
    triage.close(alert.pk, by, alert.version, disposition, "a reason")
    alert.refresh_from_db()
    assert alert.closed_at is not None
    Alert.objects.filter(pk=alert.pk).update(opened_at=alert.closed_at - timedelta(minutes=minutes))


def test_precision_is_true_positives_of_those_told_apart(
    people: list[User], ann: Caller, vic: Caller
) -> None:
    burst_rule()
    for person in people:
        burst(person, ids=person.username)
    assert of_rule(vic, "Failures in a row")["precision"] is None
    closed(people[0], ann.user, "TRUE_POSITIVE", minutes=10)
    assert of_rule(vic, "Failures in a row")["precision"] == 1.0
    closed(people[1], ann.user, "FALSE_POSITIVE", minutes=20)
    closed(people[2], ann.user, "EXPECTED", minutes=60)
    found = of_rule(vic, "Failures in a row")
    assert (found["alerts"], found["closed"], found["hits"], found["precision"]) == (3, 3, 6, 0.5)
    assert (found["true_positive"], found["false_positive"], found["expected"]) == (1, 1, 1)
    assert found["median_seconds_to_close"] == 20 * 60


def test_precision_alone_is_that_of_the_last_90_days(people: list[User], ann: Caller) -> None:
    rule, silent = burst_rule().rule, rule_in_force("amount", name="Silent", amount=1_000_000).rule
    for person in people:
        burst(person, ids=person.username)
    for person, disposition in zip(people, ("TRUE_POSITIVE", "FALSE_POSITIVE", "EXPECTED"), strict=True):
        closed(person, ann.user, disposition)
    found = performance.precision_of([rule.pk, silent.pk])
    assert (found[rule.pk].told, found[rule.pk].precision) == (2, 0.5)
    assert (found[silent.pk].told, found[silent.pk].precision) == (0, None)
    long_ago = datetime.now(UTC) - timedelta(days=91)
    Alert.objects.filter(user=people[1].pk).update(opened_at=long_ago)
    assert performance.precision_of([rule.pk])[rule.pk].precision == 1.0


def test_an_alert_belongs_to_the_version_that_opened_it(people: list[User], ann: Caller, vic: Caller) -> None:
    first = burst_rule()
    burst(people[0])
    second = lifecycle.draft(first.rule, "failure_burst", {"count": 2, "window": "10m"})
    lifecycle.submit(second)
    lifecycle.approve(
        second, None, begin=datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
    )
    burst(people[1], ids="second", count=2)
    closed(people[0], ann.user, "TRUE_POSITIVE")
    closed(people[1], ann.user, "FALSE_POSITIVE")
    versions = of_rule(vic, "Failures in a row")["versions"]
    assert [(each["number"], each["alerts"], each["precision"]) for each in versions] == [
        (2, 1, 0.0),
        (1, 1, 1.0),
    ]


def test_only_what_was_opened_in_the_span_counts(people: list[User], ann: Caller, vic: Caller) -> None:
    burst_rule()
    burst(people[0])
    Alert.objects.update(opened_at=datetime.now(UTC) - timedelta(days=20))
    assert [of_rule(vic, "Failures in a row", days)["alerts"] for days in (7, 30, 90)] == [0, 1, 1]


def test_a_rule_that_never_fired_says_so(vic: Caller, people: list[User]) -> None:
    burst_rule()
    found = of_rule(vic, "Failures in a row")
    assert (found["hits"], found["last_hit_at"], found["median_seconds_to_close"]) == (0, None, None)


def test_it_tells_how_many_hits_another_rule_found_too(people: list[User], vic: Caller) -> None:
    rule_in_force("amount", name="Large", amount=1000)
    rule_in_force("amount", name="Very large", amount=5000)
    rule_in_force("amount", name="Enormous", amount=10**9)
    take(*(record(f"T{n}", people[0], 900 * n) for n in range(1, 8)))
    flush()
    large, very = of_rule(vic, "Large"), of_rule(vic, "Very large")
    assert (large["sampled"], [(each["name"], each["both"]) for each in large["overlaps"]]) == (
        6, [("Very large", 2)],
    )  # fmt: skip
    assert (very["sampled"], [(each["name"], each["both"]) for each in very["overlaps"]]) == (
        2, [("Large", 2)],
    )  # fmt: skip


def test_only_the_latest_alerts_of_a_rule_are_looked_at(
    people: list[User], vic: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst_rule()
    for person in people:
        burst(person, ids=person.username)
    monkeypatch.setattr(performance, "ALERTS_MAX", 2)
    assert of_rule(vic, "Failures in a row")["alerts"] == 2


def test_rules_come_page_by_page_and_the_days_are_named(vic: Caller, transactional_db: None) -> None:
    for name in ("A", "B", "C"):
        Rule.objects.create(name=name)
    first = vic.get("rules/performance/?limit=2")
    second = vic.get(first["next"].partition("/api/")[2])
    assert [each["name"] for each in (*first["results"], *second["results"])] == ["A", "B", "C"]
    assert vic.get("rules/performance/?days=8", status=400) == {"days": ['"8" is not a valid choice.']}
