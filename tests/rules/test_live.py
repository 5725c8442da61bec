"""Rules in the flush: storing goes on whatever they do, what they miss is owed, and paid once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.accepting import record, take
from tests.support.rows import row, store
from tests.support.rules import eventually, instead, pay_debt, rule_in_force
from tests.support.scraping import scraped
from tests.support.serving import database_url
from transactions.alerts.models import Alert, AlertState, Snooze
from transactions.books import balance
from transactions.models import Transaction
from transactions.rules import evaluation, gate, lifecycle, live
from transactions.rules.kinds.windowed import VelocityCount
from transactions.rules.models import Debt, Gate, Hit, Rule, UserList, UserState
from transactions.stores import bounded_queries
from transactions.stores.postgres_session import Session
from transactions.storing import retention
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Somebody holds a table."""
    other = psycopg2.connect(database_url())
    try:
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table}")
        yield
    finally:
        other.close()


def raised() -> list[tuple[str, str]]:
    return sorted(Hit.objects.values_list("version__rule__name", "transaction_id"))


def test_a_hit_tells_what_it_is_about_and_joins_an_alert(people: list[User]) -> None:
    version = rule_in_force("velocity_count", name="Many", count=2, window="1h")
    take(*(record(f"T{n}", people[0], n) for n in range(3)), record("T9", people[1], 5))
    flush()
    first, second = Hit.objects.order_by("id")
    assert (first.transaction_id, first.user, first.amount, first.status) == (
        "T1",
        people[0].pk,
        1,
        "PENDING",
    )
    assert (first.figures, second.figures, first.version) == ({"count": 2}, {"count": 3}, version)
    alert = Alert.objects.get()
    assert (alert.rule_name, alert.severity, alert.user, alert.hits) == ("Many", "HIGH", people[0].pk, 2)
    assert (first.alert, second.alert) == (alert, alert)
    take(record("T4", people[0]))
    flush()
    alert.refresh_from_db()
    assert (alert.hits, Alert.objects.count()) == (3, 1)


def test_a_version_in_shadow_raises_hits_and_no_alerts(people: list[User]) -> None:
    rule_in_force("amount", amount=5, shadow=True)
    take(record("T1", people[0]))
    flush()
    assert (Hit.objects.count(), Alert.objects.count()) == (1, 0)


def test_hits_of_what_is_snoozed_or_was_closed_lately_are_kept_and_counted(people: list[User]) -> None:
    alice, bob, carol = people
    version = rule_in_force("amount", amount=5)
    take(*(record(f"1 {user}", user) for user in people))
    flush()
    now = datetime.now(UTC)
    Alert.objects.update(state=AlertState.CLOSED, closed_at=now - timedelta(hours=1))
    Alert.objects.filter(user=carol.pk).update(closed_at=now - timedelta(hours=25))
    Snooze.objects.create(rule=version.rule_id, user=bob.pk, reason="x", ends_at=now + timedelta(days=1))
    take(*(record(f"2 {user}", user) for user in people))
    flush()
    later = Hit.objects.filter(transaction_id__startswith="2")
    assert dict(later.values_list("user", "suppressed")) == {
        alice.pk: "QUIET",
        bob.pk: "SNOOZED",
        carol.pk: "",
    }
    quiet = Alert.objects.get(user=alice.pk)
    assert (quiet.hits, quiet.suppressed, later.get(user=alice.pk).alert) == (1, 1, quiet)
    assert (Snooze.objects.get().hits, later.get(user=bob.pk).alert) == (1, None)
    assert Alert.objects.filter(user=carol.pk).count() == 2


@pytest.mark.parametrize("text", ["SELECT 1 / 0", "SELECT nonsense", "SELECT pg_sleep(60)", "%(unbound)s"])
def test_a_rule_that_fails_holds_up_nobody_and_owes_what_it_missed(
    people: list[User], client: Client, text: str
) -> None:
    bad = rule_in_force("velocity_count", name="Bad", count=1, window="1h")
    rule_in_force("amount", name="Good", amount=5)
    take(record("T1", people[0]), record("T2", people[1]))
    with instead(VelocityCount, text):
        assert flush().stored == 2
        # It has failed: the chunks to come are owed at once, and it is not tried on them.
        Debt.objects.update(due_at=datetime.now(UTC) + timedelta(hours=1))
        take(record("T3", people[0]))
        assert flush().stored == 1
        assert Debt.objects.filter(error="", records=1).exists()
        assert raised() == [("Good", "T1"), ("Good", "T2"), ("Good", "T3")]
        status = client.get("/readyz").json()
        assert any(problem.startswith("the rule “Bad”: ") for problem in status["problems"])
        shown = APIClient().get("/api/pipeline/").json()["rules"]
        assert (shown["versions"], shown["debt_records"]) == (2, 3)
        # What PostgreSQL refuses is counted; a text that never gets there is a fault of ours, and logged.
        failures = scraped(client).get(f"rule_failures_total{{rule={bad.rule_id},version=1}}", 0)
        assert (failures >= 1) == (text != "%(unbound)s")
    pay_debt()
    assert raised() == [(name, id) for name in ("Bad", "Good") for id in ("T1", "T2", "T3")]
    assert client.get("/readyz").json()["problems"] == []
    assert Alert.objects.count() == 4


@pytest.mark.parametrize("gate", ["1 / (r.amount - r.amount) = 1", "pg_sleep(60)::text = 'never'"])
def test_a_gate_that_fails_holds_up_its_own_rule_alone(
    people: list[User], gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = rule_in_force("velocity_count", name="Bad", count=1, window="1h")
    rule_in_force("amount", name="Good", amount=5)
    flush()
    take(record("T1", people[0]), record("T2", people[1]))
    with monkeypatch.context() as patch:
        patch.setattr(VelocityCount, "gate", lambda self, bound: gate)
        # What it owes is not paid at once.
        patch.setattr("transactions.rules.live.FlushRules.afterwards", lambda self, session, began: None)
        assert flush().stored == 2
        assert raised() == [("Good", "T1"), ("Good", "T2")]
        owed = Debt.objects.get()
        assert (owed.version, owed.records, bool(owed.error)) == (bad, 2, True)
    pay_debt()
    assert raised() == [(name, id) for name in ("Bad", "Good") for id in ("T1", "T2")]


def test_a_version_that_goes_on_failing_owes_one_range_and_is_tried_now_and_then(people: list[User]) -> None:
    rule_in_force("velocity_count", name="Bad", count=1, window="1h")
    flush()
    with instead(VelocityCount, "SELECT 1 / 0"):
        for n in range(6):
            take(record(f"T{n}", people[0]))
            flush()
            Debt.objects.filter(error="").update(due_at=datetime.now(UTC))
        failed = Debt.objects.exclude(error="")
        assert failed.get().attempts == 2
        assert Debt.objects.filter(error="").get().records == 5
    pay_debt()
    assert raised() == [("Bad", f"T{n}") for n in range(6)]


def test_lists_that_are_locked_hold_up_the_rules_that_name_them_alone(people: list[User]) -> None:
    UserList.objects.create(name="watched")
    rule_in_force("listed", name="Bad", list_name="watched")
    rule_in_force("amount", name="Good", amount=5)
    flush()
    take(record("T1", people[0]))
    with locked("rules_listentry"):
        assert flush().stored == 1
        assert raised() == [("Good", "T1")]
    pay_debt()
    assert raised() == [("Good", "T1")]


@pytest.mark.parametrize(
    "table", ["rules_hit", "alerts_alert", "rules_version", "rules_listentry", "rules_userstate"]
)
def test_a_table_that_is_locked_holds_up_nobody(people: list[User], table: str) -> None:
    UserList.objects.create(name="watched")
    rule_in_force("velocity_count", name="A", count=1, window="1h", filter={"not_in_list": "watched"})
    flush()
    take(record("T1", people[0]))
    with locked(table):
        began = time.monotonic()
        assert flush().stored == 1
        assert time.monotonic() - began < 5
    pay_debt()
    assert raised() == [("A", "T1")]


def test_nothing_is_stored_while_its_debt_cannot_be_written_and_all_of_it_afterwards(
    people: list[User],
) -> None:
    rule_in_force("amount", amount=5)
    flush()
    take(record("T1", people[0]))
    with locked("rules_debt"):
        began = time.monotonic()
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            flush()
        assert time.monotonic() - began < 20
        assert not Transaction.objects.exists()
    # The session that failed is gone a moment later.
    eventually(lambda: flush().stored == 1, "nothing is stored")
    pay_debt()
    assert (raised(), balance.read().balanced) == ([("amount 0", "T1")], True)


def test_the_books_are_told_while_a_table_of_rules_is_locked(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_queries, "STATEMENT_MS_MAX", 1_000)
    take(record("T1", people[0]))
    flush()
    with locked("rules_hit"):
        books = APIClient().get("/api/pipeline/").json()
    assert (books["stored"], books["balanced"], books["rules"]) == (1, True, None)


# Of more than ten chunks nothing is judged before all of them are stored; of fewer, the first two are.
@pytest.mark.parametrize(("waiting", "at_once"), [(95, 20), (100, 20), (101, 0)])
def test_a_backlog_is_stored_first_and_judged_afterwards(
    people: list[User], settings: Settings, waiting: int, at_once: int
) -> None:
    settings.FLUSH_CHUNK_RECORDS = 10
    rule_in_force("velocity_count", name="A", count=1, window="1h")
    flush()
    take(*(record(f"T{n:03}", people[0]) for n in range(waiting)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transactions.rules.live.FlushRules.afterwards", lambda self, session, began: None)
        assert flush().stored == waiting
    assert (Hit.objects.count(), Debt.objects.get().records) == (at_once, waiting - at_once)
    flush()
    assert (Hit.objects.count(), Debt.objects.count(), Alert.objects.count()) == (waiting, 0, 1)


def test_what_is_old_is_owed_at_once(people: list[User]) -> None:
    rule_in_force("amount", name="A", amount=5)
    flush()
    then = datetime.now(UTC) - timedelta(days=54)
    take(*(record(f"T{n}", people[0], created_at=then) for n in range(300)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transactions.rules.live.FlushRules.afterwards", lambda self, session, began: None)
        flush()
    assert (Hit.objects.count(), Debt.objects.get().records) == (0, 300)
    flush()
    assert Hit.objects.count() == 300


def test_the_gate_is_kept_while_a_rule_needs_it_and_spares_looking(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    # All within one hour of the clock, whichever one the test runs in.
    at = datetime.now(UTC)
    take(*(record(f"T{n}", people[0], created_at=at) for n in range(3)))
    flush()
    assert not Gate.objects.exists()
    version = rule_in_force("velocity_count", name="A", count=6, window="1h", begin=None)
    flush()
    assert Gate.objects.get().filled_to == gate.COMPLETE
    assert UserState.objects.get().month_count == 3
    looks: list[list[int]] = []
    look = evaluation._look

    def remember(*arguments: Any) -> list[int]:
        looks.append(look(*arguments))
        return looks[-1]

    monkeypatch.setattr(evaluation, "_look", remember)
    for n in range(4):
        take(record(f"S{n}", people[0], created_at=at), record(f"B{n}", people[1], created_at=at))
        flush()
    # The sixth transaction is the first that may be a hit.
    assert looks == [[], [], [version.pk], [version.pk]]
    assert [s.month_count + s.month_count_before for s in UserState.objects.order_by("user")] == [7, 4]
    lifecycle.retire(version)
    flush()
    assert not Gate.objects.exists()
    assert not UserState.objects.exists()


def test_everything_that_came_of_transactions_goes_with_them(people: list[User], api: APIClient) -> None:
    rule_in_force("velocity_count", name="A", count=1, window="1h")
    rule_in_force("silence", minutes=60, begin=None)
    flush()
    take(record("T1", people[0]))
    flush()
    assert Alert.objects.exists()
    assert UserState.objects.exists()
    assert api.delete("/api/delete-transactions/").status_code == 200
    for model in (Hit, Alert, Debt, UserState, Gate, Transaction):
        assert not model._default_manager.exists(), model
    take(record("T1", people[0]))
    flush()
    assert raised() == [("A", "T1")]


def test_nothing_is_pruned_that_a_rule_in_force_looks_back_at(people: list[User]) -> None:
    version = rule_in_force("velocity_sum", name="Month", total=5, window="30d")
    with pytest.raises(retention.TooShort, match="“Month” needs transactions to be kept for 31 days"):
        retention.prune(30)
    retention.prune(31)
    lifecycle.retire(version)
    retention.prune(3)


def test_without_a_version_a_chunk_costs_two_ways_to_the_server_and_a_flush_one_look(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draft is no version that judges."""
    lifecycle.draft(Rule.objects.create(name="A"), "amount", {"amount": 5})
    asked: list[str] = []

    class Listening:
        def __init__(self, cursor: Any) -> None:
            self._cursor = cursor

        def execute(self, sql: str, *values: Any) -> None:
            asked.append(sql)
            self._cursor.execute(sql, *values)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._cursor, name)

    begin = live.FlushRules.begin
    monkeypatch.setattr(live.FlushRules, "begin", lambda self, cursor: begin(self, Listening(cursor)))
    monkeypatch.setattr(live, "judging", None)
    take(record("T1", people[0]))
    assert flush().stored == 1
    assert len(asked) == 2
    assert not Debt.objects.exists()


def test_after_the_rules_a_flush_waits_as_long_as_before(people: list[User]) -> None:
    names = ("lock_timeout", "statement_timeout", "enable_seqscan", "enable_bitmapscan", "work_mem", "jit")

    def limits(cursor: Any) -> list[str]:
        found = []
        for name in names:
            cursor.execute(f"SHOW {name}")
            found.append(cursor.fetchone()[0])
        return found

    rule_in_force("amount", amount=5)
    rules = live.FlushRules()
    with Session() as session, session.transaction() as cursor:
        before = limits(cursor)
        rules.begin(cursor)
        assert limits(cursor) == before
        store(row(people[0]))
        rules.conclude(cursor, 1, [])
        assert limits(cursor) == before
    assert before[:2] == ["5s", "30s"]
    assert Hit.objects.count() == 1


def test_seconds_and_hits_are_counted_by_version(people: list[User], client: Client) -> None:
    version = rule_in_force("amount", amount=5)
    take(record("T1", people[0]), record("T2", people[0]))
    flush()
    figures = scraped(client)
    label = f"{{rule={version.rule_id},version=1}}"
    assert figures[f"rule_hits_total{label}"] == 2
    assert figures[f"rule_seconds_total{label}"] > 0
    assert (figures["rule_versions"], figures["rule_debt_records"], figures["rule_debt_oldest_seconds"]) == (
        1,
        0,
        0,
    )


def test_what_is_left_undone_after_a_flush_is_told(
    people: list[User], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("amount", amount=5)
    with monkeypatch.context() as broken:
        broken.setattr("transactions.rules.gate.keep", lambda cursor, needed: 1 / 0)
        flush()
    (problem,) = client.get("/readyz").json()["problems"]
    assert problem == "rules were left after a flush: ZeroDivisionError('division by zero')"
    assert scraped(client)["rules_left_total"] >= 1
