"""Backtests that somebody asks for: queued, run once, watched, cancelled, taken up again, pruned."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from tests.rules.asked_for import BEGIN, END, NOON, asked, drafted, state_of
from tests.support.outages import postgres_away
from tests.support.rows import row, store
from tests.support.rules import rule_in_force
from transactions import tasks
from transactions.alerts.models import Alert, AlertState
from transactions.books.epochs import empty_everything
from transactions.rules import backtest, backtest_runs, lifecycle
from transactions.rules.kinds.registry import read
from transactions.rules.models import Backtest, BacktestState, Hit, Version
from transactions.stores.postgres_session import Session

pytestmark = pytest.mark.django_db(transaction=True)


def result_of(run: Backtest) -> dict[str, Any]:
    assert run.result is not None
    found: dict[str, Any] = run.result
    return found


def test_what_was_asked_for_is_run_and_its_result_kept(people: list[User]) -> None:
    store(row(people[0], NOON, 7), row(people[0], NOON - timedelta(days=1), 5), row(people[1], NOON, 4))
    run = asked(drafted())
    assert (run.state, run.result, run.steps) == ("QUEUED", None, 0)
    taken = backtest_runs.run_next()
    assert taken is not None
    assert (taken.pk, taken.state, taken.attempts, taken.error) == (run.pk, "DONE", 1, "")
    assert (taken.steps_done, taken.steps) == (3, 3)
    assert taken.started_at is not None
    assert taken.ended_at is not None
    assert result_of(taken)["hits"] == 2
    assert result_of(taken)["days"] == [
        {"day": "2026-01-29", "hits": 0, "episodes": 0},
        {"day": "2026-01-30", "hits": 1, "episodes": 1},
        {"day": "2026-01-31", "hits": 1, "episodes": 0},
        {"day": "2026-02-01", "hits": 0, "episodes": 0},
    ]
    assert result_of(taken)["top_users"] == [{"user": people[0].pk, "hits": 2}]
    assert [hit["amount"] for hit in result_of(taken)["sample"]] == [5, 7]
    assert not Hit.objects.exists()
    assert backtest_runs.run_next() is None


def test_beside_it_stands_the_version_in_force(people: list[User]) -> None:
    store(*(row(people[0], NOON, amount) for amount in range(1, 11)))
    active = rule_in_force("amount", amount=3)
    run = asked(lifecycle.draft(active.rule, "amount", {"at": "most", "amount": 4}))
    assert run.beside == active
    backtest_runs.run_next()
    assert state_of(run) == "DONE"
    assert result_of(run)["beside"] == {"hits": 8, "episodes": 1, "both": 2, "only_this": 2, "only_other": 6}


def test_beside_the_version_in_force_itself_nothing_stands() -> None:
    active = rule_in_force("amount", amount=3)
    assert asked(active).beside is None


def test_a_wording_that_is_in_no_version_can_be_tested(people: list[User]) -> None:
    store(row(people[0], NOON, 7))
    form = read("amount", {"amount": 7})
    run = backtest_runs.ask(drafted().rule, form=form, begin=BEGIN, end=END)
    backtest_runs.run_next()
    assert state_of(run) == "DONE"
    assert (run.version, run.kind, run.parameters, result_of(run)["hits"]) == (
        None,
        "amount",
        {"amount": 7},
        1,
    )


def test_without_a_range_it_looks_at_the_last_thirty_days() -> None:
    version = drafted()
    run = backtest_runs.ask(version.rule, version=version)
    assert run.end - run.begin == timedelta(days=30)
    assert abs(timezone.now() - run.end) < timedelta(minutes=1)


@pytest.mark.parametrize("begin", [END, END - timedelta(days=3_651)])
def test_a_range_that_makes_no_sense_is_refused(begin: datetime) -> None:
    version = drafted()
    with pytest.raises(backtest_runs.BacktestRefused, match=r"^The range must"):
        backtest_runs.ask(version.rule, version=version, begin=begin, end=END)


def test_the_first_that_was_asked_for_is_run_first() -> None:
    runs = [asked(drafted(n)) for n in (1, 2)]
    backtest_runs.run_next()
    assert [state_of(run) for run in runs] == ["DONE", "QUEUED"]


def test_of_two_workers_one_runs_it() -> None:
    run = asked(drafted())
    with Session() as other:
        assert other.try_lock(backtest_runs.LOCK_CLASS << 32 | run.pk)
        assert backtest_runs.run_next() is None
    assert state_of(run) == "QUEUED"
    assert backtest_runs.run_next() == run


def test_so_many_may_wait_of_one_rule_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_runs, "UNFINISHED_OF_RULE_MAX", 2)
    monkeypatch.setattr(backtest_runs, "UNFINISHED_MAX", 3)
    first, other = drafted(), drafted(name="Other")
    runs = [asked(first), asked(first)]
    with pytest.raises(backtest_runs.TooManyBacktests, match=r"^2 backtests of this rule wait or run"):
        asked(first)
    asked(other)
    with pytest.raises(backtest_runs.TooManyBacktests, match=r"^3 backtests wait or run"):
        asked(other)
    backtest_runs.cancel(runs[0])
    asked(first)


def test_asked_for_at_once_of_two_rules_they_are_no_more_than_may_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backtest_runs, "UNFINISHED_MAX", 3)
    versions = [drafted(name=f"Rule {number}") for number in range(12)]
    all_at_once = threading.Barrier(len(versions))

    def ask(version: Version) -> bool:
        all_at_once.wait(60)
        try:
            asked(version)
        except backtest_runs.TooManyBacktests:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(len(versions)) as threads:
        assert sum(threads.map(ask, versions)) == 3
    assert Backtest.objects.count() == 3


@pytest.mark.parametrize("task", [tasks.look_after_backtests, tasks.run_backtest])
def test_while_postgresql_is_away_the_log_has_no_traceback(
    task: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres_away():
        assert task.apply().state == "FAILURE"
    assert not [record.message for record in caplog.records if record.exc_info]


def test_one_that_waits_is_cancelled_at_once() -> None:
    run = asked(drafted())
    assert backtest_runs.cancel(run).state == "CANCELLED"
    assert backtest_runs.cancel(run).state == "CANCELLED"
    assert backtest_runs.run_next() is None


def test_one_that_runs_is_cancelled_at_its_next_slice(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "SLICE_USERS", 1)
    monkeypatch.setattr(backtest_runs, "NOTED_EVERY_S", 0.0)
    run = asked(drafted())
    seen: list[str] = []

    def stopping() -> bool:
        seen.append(state_of(run))
        if len(seen) == 2:
            assert backtest_runs.cancel(run).state == "RUNNING"
        return False

    backtest_runs.run_next(stopping)
    assert seen[:2] == ["RUNNING", "RUNNING"]
    assert (state_of(run), run.steps_done, run.steps, run.result) == ("CANCELLED", 1, 3, None)


def test_deleting_everything_ends_it_and_takes_its_result_away(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "SLICE_USERS", 1)
    monkeypatch.setattr(backtest_runs, "NOTED_EVERY_S", 0.0)
    asked(drafted())
    seen: list[int] = []

    def stopping() -> bool:
        seen.append(Backtest.objects.count())
        if len(seen) == 1:
            empty_everything()
        return False

    assert backtest_runs.run_next(stopping) is None
    assert seen == [1]


def test_one_that_has_ended_cannot_be_cancelled() -> None:
    run = asked(drafted())
    backtest_runs.run_next()
    with pytest.raises(backtest_runs.BacktestRefused, match=r"^The backtest has ended: it is done"):
        backtest_runs.cancel(run)


def test_one_that_fails_says_why_and_the_next_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [asked(drafted(n)) for n in (1, 2)]
    with monkeypatch.context() as broken:
        broken.setattr(backtest, "COUNT_USERS", "SELECT 1 / 0")
        backtest_runs.run_next()
    backtest_runs.run_next()
    assert [state_of(run) for run in runs] == ["FAILED", "DONE"]
    assert (runs[0].error, runs[0].result) == ("division by zero", None)


def test_one_that_takes_for_ever_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "RUN_S_MAX", -1.0)
    run = asked(drafted())
    monkeypatch.setattr(backtest, "opened", lambda: Session("transactions backtest"))
    User.objects.create_user("somebody")
    backtest_runs.run_next()
    assert state_of(run) == "FAILED"
    assert run.error.startswith("It took longer than")


def test_what_nobody_runs_any_more_is_queued_again_and_given_up_the_second_time() -> None:
    run = asked(drafted())
    for attempts, state in ((1, "QUEUED"), (2, "FAILED")):
        Backtest.objects.filter(pk=run.pk).update(state=BacktestState.RUNNING, attempts=attempts)
        backtest_runs.look_after()
        assert state_of(run) == state
    assert run.error == "The worker was killed while it ran, 2 times."
    assert run.ended_at is not None


def test_what_nobody_runs_any_more_and_was_cancelled_is_cancelled() -> None:
    run = asked(drafted())
    Backtest.objects.filter(pk=run.pk).update(state=BacktestState.RUNNING, cancel_asked=True)
    assert not backtest_runs.look_after()
    assert state_of(run) == "CANCELLED"


def test_what_somebody_runs_is_left_to_him() -> None:
    run = asked(drafted())
    Backtest.objects.filter(pk=run.pk).update(state=BacktestState.RUNNING, attempts=1)
    with Session() as worker:
        assert worker.try_lock(backtest_runs.LOCK_CLASS << 32 | run.pk)
        backtest_runs.look_after()
        assert state_of(run) == "RUNNING"


def test_one_that_no_worker_takes_within_a_day_is_given_up() -> None:
    run = asked(drafted())
    assert backtest_runs.look_after()
    Backtest.objects.filter(pk=run.pk).update(asked_at=timezone.now() - timedelta(days=1, minutes=1))
    assert not backtest_runs.look_after()
    assert state_of(run) == "FAILED"
    assert "does one of the queue “backtests” run?" in run.error


def test_old_ones_are_pruned_and_of_each_rule_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_runs, "KEPT_OF_RULE", 2)
    version = drafted()
    runs = []
    for _ in range(4):
        runs.append(backtest_runs.cancel(asked(version)))
    last = asked(version)
    assert list(Backtest.objects.order_by("id")) == [runs[2], runs[3], last]
    Backtest.objects.filter(pk=runs[3].pk).update(ended_at=timezone.now() - timedelta(days=91))
    backtest_runs.look_after()
    assert list(Backtest.objects.order_by("id")) == [runs[2], last]


def raised(version: Version, user: User, moment: datetime, disposition: str) -> None:
    """A closed alert with one hit."""
    alert = Alert.objects.create(
        rule=version.rule_id,
        rule_name=version.rule.name,
        severity="LOW",
        user=user.pk,
        state=AlertState.CLOSED,
        closed_at=moment,
        disposition=disposition,
    )
    Hit.objects.create(
        version=version, transaction=alert.pk, user=user.pk, happened_at=moment, figures={}, alert=alert
    )


def test_past_alerts_are_recalled_by_their_disposition(people: list[User]) -> None:
    alice, bob, _ = people
    version, other = drafted(), drafted(name="Other")
    store(row(alice, NOON, 7), row(bob, NOON, 1))
    within, without = NOON - timedelta(hours=24), NOON - timedelta(hours=24, seconds=1)
    raised(version, alice, within, "TRUE_POSITIVE")
    raised(version, alice, without, "TRUE_POSITIVE")
    raised(version, alice, NOON, "FALSE_POSITIVE")
    raised(version, bob, NOON, "FALSE_POSITIVE")
    raised(version, bob, NOON, "")
    raised(version, alice, BEGIN - timedelta(seconds=1), "DUPLICATE")
    raised(other, alice, NOON, "EXPECTED")
    run = asked(version)
    backtest_runs.run_next()
    assert state_of(run) == "DONE"
    assert result_of(run)["alerts"] == [
        {"disposition": None, "alerts": 1, "again": 0},
        {"disposition": "FALSE_POSITIVE", "alerts": 2, "again": 1},
        {"disposition": "TRUE_POSITIVE", "alerts": 2, "again": 1},
    ]
