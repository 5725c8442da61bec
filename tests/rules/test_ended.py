"""Versions that have ended: they judge what comes late of their time, and cost nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import push, queued, record, take
from tests.support.rules import LONG_AGO, eventually, pay_debt, rule_in_force
from transactions.alerts.models import Alert
from transactions.queue.records import stamp
from transactions.rules import clock, evaluation, lifecycle, live
from transactions.rules.models import ClockCursor, Debt, Hit, Version, VersionState
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def now() -> datetime:
    return datetime.now(UTC)


def end_at(version: Version, end: datetime) -> None:
    """The version ended then."""
    end = end.replace(second=0, microsecond=0)
    Version.objects.filter(pk=version.pk).update(state=VersionState.RETIRED, effective_until=end)


def nothing_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(cursor: Any) -> None:
        raise AssertionError("a chunk was looked at")

    monkeypatch.setattr(evaluation, "prepare", touched)
    monkeypatch.setattr(live, "judging", touched)


def test_after_the_last_rule_has_ended_no_chunk_is_looked_at_but_one_of_its_time(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = rule_in_force("amount", amount=5)
    silent = rule_in_force("silence", minutes=600)
    take(record("T1", people[0]))
    flush()
    for each in (version, silent):
        end_at(each, now() - timedelta(hours=1))
    flush()
    with monkeypatch.context() as patch:
        nothing_is_touched(patch)
        take(record("T2", people[0]))
        assert flush().stored == 1
    assert not Debt.objects.exists(), "as it would be owed where looking failed"
    take(record("LATE", people[0], created_at=now() - timedelta(hours=2)))
    flush()
    assert sorted(Hit.objects.exclude(transaction=None).values_list("transaction_id", flat=True)) == [
        "LATE",
        "T1",
    ]


def test_what_settles_late_of_its_time_is_judged(people: list[User]) -> None:
    version = rule_in_force("failure_burst", count=1, window="1h")
    take(record("T1", people[0], created_at=now() - timedelta(hours=2)))
    flush()
    end_at(version, now() - timedelta(hours=1))
    take(record("T1", people[0], status="FAILED"))
    flush()
    pay_debt()
    assert Hit.objects.get().transaction_id == "T1"


@pytest.mark.parametrize("kind", ["silence", "failure_rate"])
def test_the_clock_leaves_a_version_alone_once_all_of_its_time_was_looked_at(
    people: list[User], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    parameters: dict[str, dict[str, Any]] = {
        "silence": {"minutes": 10},
        "failure_rate": {"factor": 2, "percent": 20},
    }
    version = rule_in_force(kind, **parameters[kind])
    push(queued("T1", people[0], at=stamp(now() - timedelta(hours=3))))
    flush()
    end_at(version, now() - timedelta(hours=1))
    flush()
    assert ClockCursor.objects.get().done
    found = Hit.objects.count()

    def step(*arguments: Any) -> bool:
        raise AssertionError("it was looked at")

    monkeypatch.setattr(clock, "_step", step)
    rule_in_force("amount", amount=5000)
    take(record("T2", people[0]))
    flush()
    assert Hit.objects.count() == found


def test_long_pending_is_found_of_what_comes_late_for_35_days(people: list[User]) -> None:
    version = rule_in_force("pending_too_long", minutes=1)
    flush()
    end = now() - timedelta(days=34)
    end_at(version, end)
    push(
        queued(
            "LATE", people[0], created=stamp(end - timedelta(days=1)), at=stamp(now() - timedelta(minutes=5))
        )
    )
    flush()
    assert Hit.objects.get().transaction_id == "LATE"
    assert not ClockCursor.objects.get().done


def test_of_a_time_in_shadow_nothing_becomes_an_alert_even_late(people: list[User]) -> None:
    version = rule_in_force("amount", amount=5, shadow=True, begin=LONG_AGO)
    lifecycle.retire(version)
    take(record("LATE", people[0], created_at=now() - timedelta(days=1)))
    flush()
    pay_debt()
    assert (Hit.objects.count(), Alert.objects.count()) == (1, 0)


def test_what_was_owed_of_a_time_in_shadow_stays_without_an_alert_once_it_is_active(
    people: list[User],
) -> None:
    take(record("BEFORE", people[0]))
    flush()
    version = rule_in_force("amount", amount=5, shadow=True, begin=LONG_AGO)
    assert version.alerts_from is None
    lifecycle.approve(version, None)
    assert version.alerts_from is not None
    assert version.alerts_from > now() - timedelta(seconds=1)
    pay_debt()
    assert (Hit.objects.count(), Alert.objects.count()) == (1, 0)


def test_what_is_brought_into_force_with_its_past_raises_alerts_of_it(people: list[User]) -> None:
    take(record("BEFORE", people[0]))
    flush()
    version = rule_in_force("amount", amount=5, begin=LONG_AGO)
    assert version.alerts_from == LONG_AGO
    pay_debt()
    assert Alert.objects.count() == 1


def test_an_alert_is_as_grave_as_the_version_that_judged(people: list[User]) -> None:
    first = rule_in_force("amount", amount=5)
    second = lifecycle.draft(first.rule, "amount", {"amount": 7000}, severity="CRITICAL")
    lifecycle.activate(second, None)
    take(record("LATE", people[0], created_at=now() - timedelta(days=1)))
    flush()
    pay_debt()
    assert Alert.objects.get().severity == "HIGH"
    eventually(lambda: Hit.objects.get().version_id == first.pk, "the first version judges its time")


def test_of_two_versions_that_find_something_in_one_chunk_the_graver_counts(people: list[User]) -> None:
    first = rule_in_force("amount", amount=5)
    second = lifecycle.draft(first.rule, "amount", {"amount": 7000}, severity="CRITICAL")
    lifecycle.activate(second, None, begin=LONG_AGO)
    flush()
    take(record("T1", people[0], 10), record("T2", people[0], 8000))
    flush()
    assert list(Alert.objects.values_list("severity", "hits")) == [("CRITICAL", 2)]
    assert Hit.objects.count() == 3
