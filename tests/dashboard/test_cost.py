"""What answers of the dashboard cost: as much for many pages as for one, and within what a browser waits."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from tests.dashboard.asking import get
from tests.support.admin_pages import staff, superuser
from tests.support.outages import transactions_locked
from transactions.dashboard import cached
from transactions.dashboard import shared_figures as shared_figures_module
from transactions.dashboard.cached import Kept
from transactions.dashboard.periods import DEFAULT_COMPARISON, DEFAULT_PERIOD, chosen
from transactions.dashboard.poll_pace import POLL_S, PollPace
from transactions.dashboard.shared_figures import shared_figures
from transactions.stores import bounded_queries
from transactions.timezones import to_the_minute

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_kept")]


def test_many_dashboards_cost_what_one_costs(
    client: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is kept for seconds stays, however long the machine stands still.
    monkeypatch.setattr(cached, "monotonic", lambda: 0.0)
    superuser(client)
    get(client, "figures")
    with database.execute_wrapper(lambda *_: pytest.fail("asked again")):
        assert shared_figures.wrong()
        assert shared_figures.chosen(chosen(DEFAULT_PERIOD, DEFAULT_COMPARISON)).overview()


def test_after_a_failure_that_cost_nothing_it_is_asked_for_at_once(people: list[User]) -> None:
    failures = [ValueError("no answer")]

    def ask() -> str:
        if failures:
            raise failures.pop()
        return "an answer"

    kept = Kept(ask, 60.0, times_its_cost=0.0)
    with pytest.raises(ValueError, match="no answer"):
        kept.get()
    assert kept.get() == kept.get() == "an answer"


def test_what_is_kept_tells_its_moments_in_utc_in_whatever_zone_is_asked_for_it() -> None:
    told = Kept(lambda: to_the_minute(datetime(2026, 3, 14, 23, 30, tzinfo=UTC)), 60.0)
    with timezone.override("Asia/Tokyo"):
        assert told.get() == told.renew() == "2026-03-14 23:30 UTC"
        assert timezone.get_current_timezone_name() == "Asia/Tokyo"


def test_whoever_waits_for_what_fails_is_told_so_and_does_not_ask_again() -> None:
    asked: list[None] = []

    def ask() -> str:
        asked.append(None)
        time.sleep(0.3)
        raise ValueError("no answer")

    kept = Kept(ask, 0.0, times_its_cost=1_000.0)
    with ThreadPoolExecutor(3) as callers:
        told = [each.exception() for each in [callers.submit(kept.get) for _ in range(3)]]
    assert [str(each) for each in told] == ["no answer"] * 3
    assert len(asked) == 1


def test_a_failure_is_kept_for_many_times_its_cost_but_soon_asked_for_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = 1_000.0, 0

    def ask() -> str:
        nonlocal now, asked
        asked += 1
        now += cost
        raise ValueError("no answer")

    def gets() -> int:
        with pytest.raises(ValueError, match="no answer"):
            kept.get()
        return asked

    monkeypatch.setattr(cached, "monotonic", lambda: now)
    kept = Kept(ask, 60.0, times_its_cost=20.0)
    cost = 0.5
    assert gets() == 1
    now += 9.9
    assert gets() == 1
    now += 0.2
    cost = 5.0
    assert gets() == 2
    now += cached.FAILURE_S_MAX - 0.1
    assert gets() == 2
    now += 0.2
    assert gets() == 3


def test_the_more_dashboards_there_are_the_less_often_each_asks() -> None:
    now = 0.0
    pace = PollPace(lambda: now)
    assert pace.again_s() == POLL_S
    # A thousand of them, each of which does as it is told.
    due = [n * POLL_S / 1000 for n in range(1000)]
    while now < 600:
        now = min(due)
        due[due.index(now)] = now + pace.again_s()
    assert 80 < pace.again_s() <= 120
    now += 1000
    pace.again_s()
    now += 1000
    assert pace.again_s() == POLL_S


def test_a_figure_that_takes_too_long_is_left_out_and_the_rest_is_told(
    client: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser(client)
    with transactions_locked(), monkeypatch.context() as impatient:
        impatient.setattr(bounded_queries, "STATEMENT_MS_MAX", 200)
        told = get(client, "figures")
    assert (told["overview"], told["wrong"], told["failing"]) == (None, None, None)
    assert told["status"]["books"]["balanced"] is True
    shared_figures.forget()
    assert get(client, "figures")["overview"]["data"]


def test_all_figures_of_a_poll_together_have_less_time_than_a_browser_waits(
    client: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    staff(client, "view_transaction")
    monkeypatch.setattr(shared_figures_module, "FIGURE_MS_MAX", 300)
    monkeypatch.setattr(shared_figures_module, "POLL_MS_MAX", 400)
    limits: list[int] = []

    def note(execute: Any, sql: Any, parameters: Any, *more: Any) -> Any:
        if sql == bounded_queries.LIMIT_TIME:
            limits.append(int(parameters[0]))
        return execute(sql, parameters, *more)

    with transactions_locked(), database.execute_wrapper(note):
        told = get(client, "figures")
    assert (told["overview"], told["wrong"], told["failing"]) == (None, None, None)
    assert 1 <= max(limits) <= 300
    # The first two took all there was.
    assert limits[-1] == 1
