"""Versions of rules: their way from draft to retirement, and what the database refuses on it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.rows import row, store
from tests.support.rules import LONG_AGO, rule_in_force
from transactions.rules import lifecycle, list_entries
from transactions.rules.kinds import gaps
from transactions.rules.kinds.gaps import Unfit
from transactions.rules.kinds.kind import Bound
from transactions.rules.kinds.registry import KINDS, read
from transactions.rules.models import Debt, Hit, ListEntry, Rule, UserList, Version, VersionState
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rule(transactional_db: None) -> Rule:
    return Rule.objects.create(name="Large amounts")


def a_minute_to_come() -> datetime:
    """The next full minute, so far away that what is done now is done before it."""
    while datetime.now(UTC).second >= 45:
        time.sleep(0.2)
    return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)


def refused_by_the_database(**changes: Any) -> bool:
    try:
        with transaction.atomic():
            Version.objects.update(**changes)
    except IntegrityError:
        return True
    return False


def test_a_version_goes_its_way_and_judges_from_the_next_full_minute(rule: Rule, people: list[User]) -> None:
    version = lifecycle.draft(rule, "amount", {"amount": 5}, people[0])
    assert (version.number, version.state, version.parameters) == (1, VersionState.DRAFT, {"amount": 5})
    lifecycle.submit(version)
    assert version.state == VersionState.SUBMITTED
    minute = a_minute_to_come()
    lifecycle.approve(version, people[1])
    assert version.state == VersionState.ACTIVE
    assert version.effective_from == minute
    lifecycle.retire(version)
    assert (version.state, version.effective_until) == (VersionState.RETIRED, version.effective_from)


def test_the_next_version_begins_where_the_active_one_ends(rule: Rule, people: list[User]) -> None:
    first, second = (lifecycle.draft(rule, "amount", {"amount": amount}) for amount in (5, 6))
    for version in (first, second):
        lifecycle.submit(version)
        lifecycle.approve(version, people[1])
    first.refresh_from_db()
    assert (first.state, second.state, second.number) == (VersionState.RETIRED, VersionState.ACTIVE, 2)
    assert first.effective_until is not None
    assert first.effective_until == second.effective_from


def test_with_four_eyes_nobody_approves_their_own(rule: Rule, people: list[User], settings: Settings) -> None:
    settings.FOUR_EYES = True
    alice, bob, _ = people
    version = lifecycle.draft(rule, "amount", {"amount": 5}, alice)
    lifecycle.submit(version)
    for approver in (alice, None):
        with pytest.raises(lifecycle.StepRefused, match="not its author"):
            lifecycle.approve(version, approver)
    now = datetime.now(UTC)
    approval = {
        "state": VersionState.ACTIVE,
        "approved_at": now,
        "effective_from": LONG_AGO,
        "four_eyes": True,
    }
    assert refused_by_the_database(**approval, approver=alice)
    assert refused_by_the_database(**approval, approver=None)
    lifecycle.approve(version, bob)
    assert (version.approver, version.four_eyes) == (bob, True)


def test_a_version_is_approved_once(rule: Rule, people: list[User]) -> None:
    version = lifecycle.draft(rule, "amount", {"amount": 5})
    with pytest.raises(lifecycle.StepRefused, match="is draft"):
        lifecycle.approve(version, people[0])
    lifecycle.submit(version)
    lifecycle.approve(version, people[0])
    with pytest.raises(lifecycle.StepRefused, match="is active"):
        lifecycle.approve(version, people[1])


def test_severity_and_description_are_those_that_were_approved(rule: Rule, people: list[User]) -> None:
    first = lifecycle.draft(rule, "amount", {"amount": 5}, people[0])
    lifecycle.activate(first, people[1])
    second = lifecycle.draft(
        rule, "amount", {"amount": 5}, people[0], severity="CRITICAL", description="Call them."
    )
    for change in ({"severity": "CRITICAL"}, {"description": "Call them."}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Rule.objects.update(**change)
        assert refused_by_the_database(**change)
    lifecycle.activate(second, people[1], shadow=True)
    rule.refresh_from_db()
    assert (rule.severity, rule.description) == ("MEDIUM", "")
    lifecycle.activate(second, people[1])
    rule.refresh_from_db()
    assert (rule.severity, rule.description) == ("CRITICAL", "Call them.")
    third = lifecycle.draft(rule, "amount", {"amount": 6})
    assert (third.severity, third.description) == ("CRITICAL", "Call them.")
    Rule.objects.update(name="Another name")


def test_a_version_never_changes(rule: Rule, people: list[User]) -> None:
    version = lifecycle.draft(rule, "amount", {"amount": 5})
    for change in ({"parameters": {"amount": 6}}, {"kind": "listed"}, {"number": 7}, {"author": people[0]}):
        assert refused_by_the_database(**change)
    assert refused_by_the_database(state=VersionState.ACTIVE)
    assert refused_by_the_database(effective_from=datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC))
    lifecycle.retire(version)
    assert refused_by_the_database(state=VersionState.DRAFT)


def test_what_an_approval_has_set_is_changed_by_nothing_else(rule: Rule, people: list[User]) -> None:
    version = lifecycle.draft(rule, "amount", {"amount": 5}, people[0])
    now = datetime.now(UTC)
    assert refused_by_the_database(approver=people[1])
    lifecycle.activate(version, people[1])
    for change in (
        {"approver": people[2]},
        {"approved_at": now},
        {"four_eyes": True},
        {"submitted_at": now},
        {"alerts_from": LONG_AGO},
        {"effective_until": a_minute_to_come()},
    ):
        assert refused_by_the_database(**change), change
    with pytest.raises(IntegrityError), transaction.atomic():
        Version.objects.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Version.objects.create(
            rule=rule,
            number=9,
            kind="amount",
            parameters={"amount": 5},
            state=VersionState.ACTIVE,
            four_eyes=False,
            approved_at=now,
            effective_from=LONG_AGO,
            alerts_from=LONG_AGO,
        )


def test_a_draft_may_be_deleted_and_one_that_was_submitted_may_not(rule: Rule, people: list[User]) -> None:
    for step in (lambda version: None, lifecycle.submit):
        step(lifecycle.draft(rule, "amount", {"amount": 5}))
    with pytest.raises(IntegrityError), transaction.atomic():
        Version.objects.get(number=2).delete()
    Version.objects.get(number=1).delete()
    assert refused_by_the_database(state=VersionState.DRAFT)


def test_a_rule_says_what_the_version_says_that_became_active_last(rule: Rule) -> None:
    for severity in ("HIGH", "LOW"):
        lifecycle.activate(lifecycle.draft(rule, "amount", {"amount": 5}, severity=severity), None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Rule.objects.update(severity="HIGH")
    rule.refresh_from_db()
    assert rule.severity == "LOW"


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "right/UTC", "Europe/Nowhere"])
def test_a_timezone_is_one_that_python_and_postgresql_know(rule: Rule, zone: str) -> None:
    with pytest.raises(Unfit, match="timezone") as found:
        lifecycle.draft(rule, "amount", {"amount": 5, "filter": {"hours": "1-2", "zone": zone}})
    assert found.value.gap == "filter.zone"


def test_a_timezone_that_postgresql_alone_does_not_know_is_refused(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "zone_names", lambda: {"Mars/Olympus", "UTC"})
    with pytest.raises(Unfit, match="not known to PostgreSQL"):
        lifecycle.draft(rule, "amount", {"amount": 5, "filter": {"hours": "1-2", "zone": "Mars/Olympus"}})


def test_a_beginning_in_the_past_judges_what_is_stored(rule: Rule, people: list[User]) -> None:
    day = datetime.now(UTC) - timedelta(days=1)
    take(
        record("OLD", people[0], 9, created_at=day - timedelta(days=9)),
        record("NEW", people[0], 9, created_at=day),
    )
    flush()
    begin = (day - timedelta(days=1)).replace(second=0, microsecond=0)
    rule_in_force("amount", amount=5, begin=begin)
    assert Debt.objects.exists()
    flush()
    assert list(Hit.objects.values_list("transaction_id", flat=True)) == ["NEW"]
    assert not Debt.objects.exists()


def test_what_was_stored_before_its_time_is_judged_when_it_has_come(people: list[User]) -> None:
    """Clocks of clients are up to five minutes ahead."""
    soon = datetime.now(UTC) + timedelta(minutes=4)
    take(record("AHEAD", people[0], 9, created_at=soon))
    flush()
    rule_in_force("amount", amount=5, begin=None)
    take(record("AHEAD 2", people[0], 9, created_at=soon))
    flush()
    assert not Hit.objects.exists()
    assert sorted(Debt.objects.values_list("due_at", flat=True)) == [soon, soon]
    Debt.objects.update(due_at=LONG_AGO)
    flush()
    assert Debt.objects.exists(), "not before its minute, whoever asks"


def test_an_entry_holds_from_the_next_minute_and_is_only_ended(people: list[User]) -> None:
    users = UserList.objects.create(name="watched")
    minute = a_minute_to_come()
    assert list_entries.add_entries(users, [people[0].pk], comment="chargebacks") == 1
    entry = ListEntry.objects.get()
    assert entry.starts_at == minute
    for change in ({"comment": "x"}, {"starts_at": LONG_AGO}, {"user": people[1]}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ListEntry.objects.update(**change)
    list_entries.end_entry(entry)
    assert entry.ends_at is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        ListEntry.objects.update(ends_at=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        UserList.objects.update(name="another")
    with pytest.raises(lifecycle.StepRefused):
        list_entries.add_entries(users, [people[1].pk], expires=LONG_AGO)


def test_who_stands_on_a_list_as_long_already_is_not_put_there_again(people: list[User]) -> None:
    users = UserList.objects.create(name="watched")
    keys = [user.pk for user in people]
    soon = a_minute_to_come() + timedelta(hours=1)
    assert list_entries.add_entries(users, [*keys[:2], keys[0]], expires=soon) == 2
    assert list_entries.add_entries(users, keys[:2], expires=soon - timedelta(minutes=5)) == 0
    assert list_entries.add_entries(users, keys, expires=soon) == 1
    assert ListEntry.objects.order_by("-pk")[0].user_id == keys[2]
    assert list_entries.add_entries(users, keys) == 3
    with pytest.raises(list_entries.UnknownUsers, match="There is no customer 999999"):
        list_entries.add_entries(users, [*keys, 999_999])


@pytest.mark.parametrize(
    ("kind", "parameters", "gap", "said"),
    [
        ("loud", {}, "kind", "the kind must be one of amount, below_limit,"),
        ("amount", {}, "amount", "the amount is missing"),
        ("amount", {"amount": 0}, "amount", "the amount must be a whole number from 1"),
        ("amount", {"amount": 10**30}, "amount", "the amount must be a whole number from 1"),
        ("amount", {"amount": True}, "amount", "the amount must be a whole number"),
        ("amount", {"amount": 5, "colour": "red"}, "colour", "there is no such gap"),
        ("amount", [], "", "the parameters must be an object"),
        ("velocity_count", {"count": 3, "window": "2h"}, "window", "the window must be one of 10m, 1h, 6h"),
        ("velocity_count", {"count": 3, "window": {}}, "window", "the window must be one of 10m, 1h, 6h"),
        ("below_limit", {"count": 3, "window": "1h", "limit": 5, "margin": 6}, "margin", "must not be above"),
        (
            "amount",
            {"amount": 5, "filter": {"hours": "8-18", "zone": "Mars/Olympus"}},
            "filter.zone",
            "the timezone must be a timezone like UTC",
        ),
        (
            "amount",
            {"amount": 5, "filter": {"statuses": ["PENDING"]}},
            "filter.statuses",
            "may not name PENDING",
        ),
        (
            "amount",
            {"amount": 5, "filter": {"in_list": "nobody"}},
            "filter.in_list",
            "there is no list “nobody”",
        ),
        (
            "amount",
            {"amount": 5, "filter": {"amount_min": 9, "amount_max": 1}},
            "filter.amount_max",
            "not be below",
        ),
        ("deviation", {"factor": 1.999}, "factor", "the factor must be a number from 1.01"),
        ("deviation", {"factor": "x"}, "factor", "the factor must be a number from 1.01"),
        (
            "silence",
            {"minutes": 5, "filter": {"amount_min": 5}},
            "filter.amount_min",
            "cannot be narrowed so",
        ),
    ],
)
def test_what_makes_no_sense_is_told_by_the_gap(
    rule: Rule, kind: str, parameters: Any, gap: str, said: str
) -> None:
    with pytest.raises(Unfit, match=said) as found:
        lifecycle.draft(rule, kind, parameters)
    assert found.value.gap == gap


def test_every_kind_says_itself_in_a_sentence() -> None:
    made = read(
        "velocity_count", {"count": 3, "window": "1h", "filter": {"statuses": ["FAILED"], "hours": "22-6"}}
    )
    assert made.sentence() == (
        "A customer makes at least 3 transactions within 1 hour, looking at transactions with the status "
        "failed and in the hours 22-6 of UTC."
    )
    judged = read("first_or_dormant", {"days": 9, "least": 1, "filter": {"amount_min": 10}}).sentence()
    assert judged.endswith("before it, judging transactions of 10 or more.")
    assert len(KINDS) == 14


def test_a_rule_that_looks_back_further_than_rows_are_kept_is_not_approved(
    rule: Rule, people: list[User], settings: Settings
) -> None:
    settings.RETENTION_DAYS = 30
    version = lifecycle.draft(rule, "velocity_count", {"count": 3, "window": "30d"})
    lifecycle.submit(version)
    with pytest.raises(lifecycle.StepRefused, match="31 days"):
        lifecycle.approve(version, people[0])


def test_rows_that_are_put_there_past_the_flush_are_nobodys_hits(people: list[User]) -> None:
    rule_in_force("amount", amount=5)
    flush()
    store(row(people[0]))
    flush()
    assert not Hit.objects.exists()


def test_one_name_stands_for_one_value_in_a_text() -> None:
    bound = Bound()
    assert bound("count", 5) == bound("count", 5) == "%(count)s"
    with pytest.raises(ValueError, match="count is bound to 5"):
        bound("count", 6)
