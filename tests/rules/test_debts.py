"""What is owed is paid, however much there is of it: time for a slice grows, and placing hits has its own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.models import Count
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.audit_trail import head, since
from tests.support.rows import row, store
from tests.support.rules import instead, pay_debt, rule_in_force
from transactions.alerts.models import Alert, AlertState
from transactions.audit.actions import Action
from transactions.books import epochs
from transactions.models import Transaction
from transactions.rules import debts, evaluation, lifecycle
from transactions.rules.kinds.registry import KINDS
from transactions.rules.kinds.rows import Amount
from transactions.rules.kinds.windowed import VelocityCount
from transactions.rules.locks import RULES_LOCK
from transactions.rules.models import Debt, Hit
from transactions.stores.postgres_session import Session
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

HIT = Hit._meta.db_table
# Purpose: each statement of that sort takes a while, as it does with very many hits.
SLOW = f"""
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(%s); RETURN NULL; END $$;
    CREATE TRIGGER slow BEFORE %s ON {HIT} FOR EACH STATEMENT EXECUTE FUNCTION slow()
"""


@pytest.fixture
def _short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule may take a second."""
    monkeypatch.setattr(evaluation, "RULE_MS_MAX", 1000)


def slow(seconds: float, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SLOW % (seconds, statement))


@pytest.fixture(autouse=True)
def _slow_no_longer(transactional_db: None) -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS slow CASCADE")


def flush_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that pays nothing afterwards."""
    with monkeypatch.context() as patch:
        patch.setattr("transactions.rules.live.FlushRules.afterwards", lambda self, session, began: None)
        flush()


@pytest.mark.usefixtures("_short_time")
def test_putting_hits_into_alerts_is_no_part_of_a_rules_time(people: list[User]) -> None:
    rule_in_force("amount", amount=5)
    flush()
    slow(1.5, "UPDATE")
    take(record("T1", people[0]))
    flush()
    assert not Debt.objects.exists()
    assert (Hit.objects.count(), Alert.objects.count()) == (1, 1)


@pytest.mark.usefixtures("_short_time")
def test_what_took_too_long_is_given_more_time_when_it_is_tried_again(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("amount", amount=5)
    flush()
    slow(1.5, "INSERT")
    take(record("T1", people[0]))
    flush_alone(monkeypatch)
    assert Debt.objects.get().error == "canceling statement due to statement timeout"
    for _ in range(3):
        Debt.objects.update(due_at=datetime.now(UTC))
        flush()
    assert not Debt.objects.exists()
    assert Hit.objects.count() == 1


@pytest.mark.usefixtures("_short_time")
def test_what_ran_out_of_time_is_tried_with_fewer_rows_at_once(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = rule_in_force("amount", amount=5)
    backlog(people, settings, monkeypatch)
    Debt.objects.update(version=version, count_in_gate=False)
    with connection.cursor() as cursor:
        cursor.execute((SLOW % (0.07, "INSERT")).replace("EACH STATEMENT", "EACH ROW").replace("NULL", "NEW"))
    with Session() as session:
        debts.pay(session, lambda: True, lambda findings: None)
    assert (Hit.objects.count(), Debt.objects.count()) == (60, 0)


@pytest.mark.usefixtures("_short_time")
def test_finding_the_next_rows_of_a_long_range_is_no_part_of_a_rules_time(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("amount", amount=5)
    backlog(people, settings, monkeypatch)
    monkeypatch.setattr(debts, "TOUCH_NEXT", f"SELECT pg_sleep(1.2); {debts.TOUCH_NEXT}")
    pay_a_slice()
    assert Hit.objects.count() == 20


def test_of_what_happened_in_a_time_fewer_users_are_looked_at_after_a_failure(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debts, "SLICE_USERS", 4)
    monkeypatch.setattr(debts, "SLICE_USERS_MIN", 1)
    now = datetime.now(UTC)
    store(*(row(user, now - timedelta(minutes=1), 7) for user in people))
    rule_in_force("amount", amount=5, begin=full_minute(now, -60))
    Debt.objects.update(attempts=2, error="too slow", after_user=people[0].pk - 1)
    pay_a_slice()
    assert list(Hit.objects.values_list("user", flat=True)) == [people[0].pk]


def test_many_slow_rules_take_no_longer_of_a_chunk_than_few(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "RULES_MS_MAX", 600)
    for n in range(6):
        rule_in_force("amount", name=f"Slow {n}", amount=5)
    flush()
    slow(0.7, "INSERT")
    take(record("T1", people[0]))
    flush_alone(monkeypatch)
    assert Hit.objects.count() == 1
    assert list(Debt.objects.values_list("error", "records").distinct()) == [("", 1)]
    pay_debt()
    assert (Hit.objects.count(), Alert.objects.count()) == (6, 6)


def test_slices_of_a_slow_debt_grow_back_by_doubling_and_its_version_waits_until_they_have(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debts, "SLICE_ROWS", 8)
    monkeypatch.setattr(debts, "SLICE_ROWS_MIN", 1)
    version = rule_in_force("amount", amount=5)
    flush()
    began = datetime.now(UTC) - timedelta(minutes=1)
    moments = [began + timedelta(seconds=n) for n in range(30)]
    take(*(record(f"T{n:02}", people[0], created_at=moment) for n, moment in enumerate(moments)))
    flush_alone(monkeypatch)
    Hit.objects.all().delete()
    last = Transaction.objects.latest("pk").pk
    Debt.objects.create(
        version=version, first_id=last - 29, last_id=last, records=30, attempts=3, error="too slow"
    )
    found = []
    for _ in range(3):
        with Session() as session:
            debts.pay(session, lambda: False, lambda findings: None)
        found.append((Hit.objects.count(), Debt.objects.get().attempts, Debt.objects.get().error))
    # One row, then two, then four: and only then it is tried with whole slices and with new chunks again.
    assert found == [(1, 2, "too slow"), (3, 1, "too slow"), (7, 0, "")]
    take(record("LATER", people[0]))
    flush()
    pay_debt()
    assert Hit.objects.count() == 31


def test_what_one_version_owes_of_what_all_owed_is_one_range(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debts, "SLICE_ROWS", 10)
    monkeypatch.setattr(debts, "SLICE_ROWS_MIN", 10)
    settings.FLUSH_CHUNK_RECORDS = 10
    bad = rule_in_force("velocity_count", name="Bad", count=1, window="1h")
    rule_in_force("amount", name="Good", amount=5)
    flush()
    take(*(record(f"T{n:02}", people[0]) for n in range(80)))
    with instead(VelocityCount, "SELECT 1 / 0"):
        for _ in range(8):
            flush()
    assert Hit.objects.count() == 80
    owed = Debt.objects.filter(version=bad)
    assert not Debt.objects.exclude(version=bad).exists()
    # The one that failed, and the one that is to be tried after it.
    assert [each.ids for each in owed] == [[]] * 2
    pay_debt()
    assert Hit.objects.count() == 160


def backlog(people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty records of each user, one after the other in turn, are stored; 20 rows are judged at a time."""
    monkeypatch.setattr(debts, "SLICE_ROWS", 20)
    monkeypatch.setattr(debts, "SLICE_ROWS_MIN", 1)
    settings.FLUSH_CHUNK_RECORDS = 5
    flush()
    began = datetime.now(UTC) - timedelta(minutes=2)
    moments = [began + timedelta(seconds=n) for n in range(60)]
    take(*(record(f"T{n:02}", people[n % 3], created_at=moment) for n, moment in enumerate(moments)))
    flush_alone(monkeypatch)


def pay_a_slice() -> None:
    with Session() as session:
        debts.pay(session, lambda: False, lambda findings: None)


def users_with_hits() -> dict[str, int]:
    found = Hit.objects.values_list("version__rule__name").annotate(users=Count("user", distinct=True))
    return dict(found)


def test_a_range_is_paid_user_by_user_and_the_window_of_each_is_read_once(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("velocity_count", name="All", count=1, window="30d")
    backlog(people, settings, monkeypatch)
    found = []
    for _ in range(4):
        pay_a_slice()
        found.append((Hit.objects.count(), users_with_hits()["All"], Debt.objects.count()))
    # That all is paid shows when nothing more is found.
    assert found == [(20, 1, 1), (40, 2, 1), (60, 3, 1), (60, 3, 0)]


@pytest.mark.parametrize("rows", [1, 7, 20])
@pytest.mark.parametrize("ids", [1, 13, 60])
def test_a_range_is_paid_to_the_last_row_however_it_is_cut(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch, rows: int, ids: int
) -> None:
    rule_in_force("amount", amount=5)
    backlog(people, settings, monkeypatch)
    monkeypatch.setattr(debts, "SLICE_ROWS", rows)
    monkeypatch.setattr(debts, "SEGMENT_IDS", ids)
    pay_debt()
    assert (Hit.objects.count(), Debt.objects.count()) == (60, 0)


def test_a_version_that_fails_owes_what_is_left_and_is_paid_after_what_all_owe(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = rule_in_force("velocity_count", name="Bad", count=20, window="1h")
    rule_in_force("amount", name="Good", amount=5)
    backlog(people, settings, monkeypatch)
    pay_a_slice()
    assert users_with_hits() == {"Bad": 1, "Good": 1}
    with instead(VelocityCount, "SELECT 1 / 0"):
        pay_a_slice()
    split = Debt.objects.get(version=bad)
    assert (split.records, split.after_user, split.split_from) == (40, people[0].pk, split.pk - 1)
    Debt.objects.filter(version=None).update(due_at=datetime.now(UTC) + timedelta(hours=1))
    pay_a_slice()
    assert users_with_hits() == {"Bad": 1, "Good": 2}
    Debt.objects.update(due_at=datetime.now(UTC))
    pay_debt()
    assert users_with_hits() == {"Bad": 3, "Good": 3}


def test_no_range_joins_one_whose_slices_have_begun(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("amount", amount=5)
    backlog(people, settings, monkeypatch)
    with Session() as session, session.transaction() as cursor:
        (debt,) = Debt.objects.all()
        assert debt.last_id is not None
        after: dict[str, Any] = {"first": debt.last_id + 1, "last": debt.last_id + 5, "ids": [], "records": 5}
        pay_a_slice()
        assert not debts.extend(cursor, debt.pk, **after, earliest=datetime.now(UTC))


def test_slices_do_not_grow_into_what_would_fail(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = rule_in_force("amount", amount=5)
    backlog(people, settings, monkeypatch)
    # Of the two seconds that a rule may take.
    slow(1.2, "INSERT")
    Debt.objects.update(version=version, count_in_gate=False, attempts=1, error="too slow")
    found: list[tuple[int, int, str]] = []
    for _ in range(2):
        pay_a_slice()
        found += Debt.objects.values_list("records", "attempts", "error")
    assert found == [(50, 1, "too slow"), (40, 1, "too slow")]


def test_many_rows_from_the_future_are_owed_as_a_time_and_as_a_range(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debts, "FUTURE_IDS_MAX", 3)
    soon = datetime.now(UTC) + timedelta(minutes=4)
    take(*(record(f"T{n}", people[0], created_at=soon) for n in range(5)))
    flush()
    rule_in_force("amount", amount=5, begin=None)
    (of_the_past,) = Debt.objects.all()
    assert (of_the_past.ids, of_the_past.records) == ([], 5)
    take(*(record(f"S{n}", people[0], created_at=soon) for n in range(5)))
    flush()
    assert [(each.ids, each.records, each.due_at) for each in Debt.objects.all()] == [([], 5, soon)] * 2


@pytest.mark.parametrize(
    "columns",
    [
        {"first_id": 1},
        {"first_id": 1, "last_id": 2, "after_user": 3},
        {"first_id": 1, "last_id": 2, "since": datetime(2026, 1, 1, tzinfo=UTC)},
        {"since": datetime(2026, 1, 1, tzinfo=UTC), "after_user": 0},
        {"ids": [1], "after_user": 0},
    ],
)
def test_a_debt_is_a_range_or_ids_or_a_time_and_nothing_between(columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="debt_of_one_kind"):
        Debt.objects.create(**columns)


def test_what_is_owed_now_is_not_put_off_with_what_is_yet_to_happen(people: list[User]) -> None:
    version = rule_in_force("amount", amount=5)
    later = datetime.now(UTC) + timedelta(minutes=4)
    owed = {"version": version, "first_id": 1, "last_id": 2_000, "records": 2_000}
    with connection.cursor() as cursor:
        Debt.objects.create(**owed, due_at=later)
        assert debts.open_debt(cursor, version.pk) is None
        due = Debt.objects.create(**owed, due_at=datetime.now(UTC) - timedelta(seconds=1))
        Debt.objects.create(**owed, due_at=later)
        assert debts.open_debt(cursor, version.pk) == due.pk


def test_more_hits_of_a_chunk_than_are_put_into_alerts_at_once_are_owed(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "PLACED_AT_ONCE", 4)
    rule_in_force("amount", name="Many", amount=5)
    rule_in_force("amount", name="Few", amount=999)
    flush()
    take(*(record(f"T{n}", people[0], 1000 if n < 3 else 10) for n in range(9)))
    flush_alone(monkeypatch)
    assert list(Hit.objects.values_list("version__rule__name", flat=True).distinct()) == ["Few"]
    assert list(Debt.objects.values_list("error", "records")) == [("", 9)]
    pay_debt()
    assert (Hit.objects.count(), Alert.objects.count()) == (12, 2)


def test_the_past_of_many_users_is_judged_user_by_user_and_each_window_once(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time nearly every row is another user's, and its slice would need the whole window of each."""
    monkeypatch.setattr(debts, "SLICE_ROWS", 20)
    monkeypatch.setattr(debts, "SLICE_ROWS_MIN", 20)
    slices: list[int] = []
    judge = evaluation.evaluate_looked_at

    def counted(*given: Any) -> evaluation.Findings:
        slices.append(len(slices))
        return judge(*given)

    monkeypatch.setattr(evaluation, "evaluate_looked_at", counted)
    now = datetime.now(UTC)
    store(*(row(user, now - timedelta(minutes=n), 1) for n in range(20) for user in people))
    version = rule_in_force("velocity_count", count=5, window="30d", begin=full_minute(now, -20_000))
    (debt,) = Debt.objects.all()
    assert (debt.since, debt.after_user) == (version.effective_from, 0)
    pay_debt()
    assert len(slices) == 3
    assert sorted(Alert.objects.values_list("user", "hits")) == [(user.pk, 16) for user in people]


def test_what_is_changed_for_a_minute_that_has_begun_is_waited_for(people: list[User]) -> None:
    """Who changes a list holds the lock until it is committed, which may be long after the minute began."""
    now = datetime.now(UTC)
    store(row(people[0], now - timedelta(minutes=1), 7))
    rule_in_force("amount", name="Past", amount=5, begin=full_minute(now, -60))
    with Session() as other, other.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RULES_LOCK])
        flush()
        assert Debt.objects.get().attempts == 0
        assert not Hit.objects.exists()
    flush()
    assert not Debt.objects.exists()
    assert Hit.objects.count() == 1


def test_what_two_versions_find_of_one_transaction_is_counted_once_in_its_alert(people: list[User]) -> None:
    now = datetime.now(UTC)
    take(*(record(f"T{n}", people[0], 7, created_at=now - timedelta(minutes=5)) for n in range(2)))
    first = rule_in_force("amount", name="Large", amount=5, begin=full_minute(now, -60))
    flush()
    pay_debt()
    second = lifecycle.draft(first.rule, "amount", {"amount": 6})
    lifecycle.activate(second, None, begin=full_minute(now, -60))
    pay_debt()
    take(*(record(f"L{n}", people[0], 7, created_at=now - timedelta(minutes=4)) for n in range(2)))
    flush()
    pay_debt()
    assert Hit.objects.count() == 8
    assert list(Alert.objects.values_list("hits", "suppressed")) == [(4, 0)]
    assert set(Hit.objects.values_list("alert", flat=True)) == {Alert.objects.get().pk}


def test_what_another_version_finds_again_opens_no_alert_where_that_was_closed(people: list[User]) -> None:
    now = datetime.now(UTC)
    take(record("T1", people[0], 7, created_at=now - timedelta(minutes=5)))
    first = rule_in_force("amount", name="Large", amount=5, begin=full_minute(now, -60))
    flush()
    pay_debt()
    long_ago = now - timedelta(days=3)
    Alert.objects.update(state=AlertState.CLOSED, closed_at=long_ago)
    lifecycle.activate(
        lifecycle.draft(first.rule, "amount", {"amount": 6}), None, begin=full_minute(now, -60)
    )
    pay_debt()
    (alert,) = Alert.objects.all()
    assert (Hit.objects.filter(alert=alert).count(), alert.hits, alert.suppressed) == (2, 1, 0)


def test_what_can_never_be_paid_is_given_up_and_what_comes_late_too(
    people: list[User], client: Client
) -> None:
    now = datetime.now(UTC)
    bad = rule_in_force("amount", name="Bad", amount=5)
    rule_in_force("velocity_count", name="Good", count=1, window="1h")
    before = head()
    with instead(Amount, "SELECT 1 / 0"):
        take(record("T1", people[0], 7, created_at=now - timedelta(minutes=3)))
        flush()
        with pytest.raises(CommandError, match="no version that is retired"):
            call_command("rules", "give-up", "Bad", "--reason", "a wording that divides by zero")
        lifecycle.retire(bad)
        (problem,) = client.get("/readyz").json()["problems"]
        assert problem.startswith("the rule “Bad”: ")
        call_command("rules", "give-up", "Bad", "--reason", "a wording that divides by zero")
        take(record("T2", people[0], 7, created_at=now - timedelta(minutes=2)))
        flush()
        assert client.get("/readyz").json()["problems"] == []
    assert not Debt.objects.exists()
    assert set(Hit.objects.values_list("version__rule__name", flat=True)) == {"Good"}
    (entry,) = [entry for entry in since(before) if entry.action == Action.VERSION_GIVEN_UP]
    assert entry.reason == "a wording that divides by zero"
    assert json.loads(entry.details)["records"] == 1
    with pytest.raises(CommandError, match="owes nothing"):
        call_command("rules", "give-up", "Bad", "--reason", "again")


@pytest.mark.parametrize("kind", ["amount", "silence"])
def test_what_was_given_up_stays_so_when_everything_is_deleted(people: list[User], kind: str) -> None:
    said: dict[str, dict[str, Any]] = {"amount": {"amount": 5}, "silence": {"minutes": 1}}
    version = rule_in_force(kind, **said[kind])
    now = datetime.now(UTC)
    with instead(KINDS[kind], "SELECT 1 / 0"):
        take(record("T1", people[0], 7, created_at=now - timedelta(minutes=3)))
        flush()
        lifecycle.retire(version)
        lifecycle.give_up(version, "it divides by zero")
    epochs.empty_everything()
    take(record("T2", people[0], 7, created_at=now - timedelta(minutes=3)))
    flush()
    assert not Hit.objects.exists()
    version.refresh_from_db()
    assert version.given_up_at is not None
    with pytest.raises(lifecycle.StepRefused, match="owes nothing"):
        lifecycle.give_up(version, "again")


def full_minute(moment: datetime, minutes: int) -> datetime:
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
