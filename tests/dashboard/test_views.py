"""The dashboard's page and answers: who may have them, what they say, and what they cost."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from tests.support import accepting
from tests.support.accepting import push, queued, record, take
from tests.support.admin_pages import GONE, staff, store, superuser
from tests.support.markup import markup
from tests.support.outages import stores_moving_on, transactions_locked
from transactions.dashboard import cached
from transactions.dashboard import shared_figures as shared_figures_module
from transactions.dashboard.cached import Kept
from transactions.dashboard.periods import DEFAULT_COMPARISON, DEFAULT_PERIOD, chosen
from transactions.dashboard.poll_pace import POLL_S, PollPace
from transactions.dashboard.shared_figures import shared_figures
from transactions.live.start import FIRST_RECORDS
from transactions.models import AMOUNT_MAX
from transactions.reading.story import story
from transactions.stores import bounded_queries
from transactions.storing.flush import flush
from transactions.timezones import to_the_minute

pytestmark = pytest.mark.django_db(transaction=True)

# Amid a quarter of an hour, at no whole minute.
NOW = datetime(2026, 3, 14, 12, 20, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_kept(settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    shared_figures.forget()


def get(client: Client, name: str, **query: str) -> Any:
    response = client.get(reverse(f"dashboard-{name}"), query)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


# --- Who may --------------------------------------------------------------------------------------

FIGURES = ["figures", "averages", "names", "refused", "start", "story"]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_for_members_of_the_staff_who_may_read(client: Client, name: str) -> None:
    """What others are told, word for word, is in tests/access/test_plain_views.py."""
    url = reverse(f"dashboard-{name}")
    staff(client)
    assert client.get(url).status_code == 403
    permission = Permission.objects.get(codename="view_transaction")
    User.objects.get(username="staff").user_permissions.add(permission)
    # There is no transaction whose story could be told.
    assert client.get(url).status_code == (404 if name == "story" else 200)
    assert client.post(url).status_code == 405


@pytest.mark.parametrize("name", [*FIGURES, "alarms", "alerts", "condition"])
def test_a_figure_takes_head_and_refuses_what_it_does_not_know(client: Client, name: str) -> None:
    superuser(client)
    url = reverse(f"dashboard-{name}")
    assert client.head(url).status_code == (404 if name == "story" else 200)
    answer = client.get(url, {"x": "1"})
    assert (answer.status_code, list(answer.json())) == (400, ["x"])


def test_averages_from_a_day_to_come_are_refused_for_that(client: Client) -> None:
    superuser(client)
    answer = client.get(reverse("dashboard-averages"), {"from": "9999-12-31"})
    assert (answer.status_code, answer.json()) == (400, {"from": ["This is after today."]})


def test_answers_of_the_dashboard_are_never_kept_by_a_browser(client: Client) -> None:
    for login in (False, True):
        if login:
            client.force_login(User.objects.create_superuser("root"))
        answer = client.get(reverse("dashboard-figures"))
        assert answer.status_code == (200 if login else 403)
        assert "no-store" in answer["Cache-Control"]


def test_the_first_page_of_the_admin_is_the_dashboard_for_who_may_read(
    client: Client, people: list[User]
) -> None:
    staff(client, "view_user")
    assert 'id="dashboard"' not in client.get(reverse("admin:index")).content.decode()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get("/", follow=True).content.decode()
    assert 'id="dashboard"' in page
    assert "//cdn" not in page


# --- The strip ------------------------------------------------------------------------------------


def test_the_strip_has_the_books_and_the_open_rejected_records(client: Client, people: list[User]) -> None:
    superuser(client)
    take(record("T1", people[0]))
    push(queued("R1", GONE))
    flush()
    take(record("T2", people[0]))
    status = get(client, "figures")["status"]
    assert (status["books"]["stored"], status["books"]["buffered"], status["rejected_open"]) == (1, 1, 1)
    assert status["interval_seconds"] == 5


def test_the_refused_are_read_once_for_all_dashboards_and_told_with_the_count_that_they_belong_to(
    client: Client, people: list[User]
) -> None:
    """A page whose poll has counted more asks again: what is kept never passes for the newest."""
    superuser(client)
    push(queued("R1", GONE))
    flush()
    with CaptureQueriesContext(database) as first:
        told = get(client, "refused")
    assert sum("transactions_rejectedrecord" in each["sql"] and "raw" in each["sql"] for each in first) == 1
    assert any("statement_timeout" in each["sql"] for each in first)
    push(queued("R2", GONE))
    flush()
    with CaptureQueriesContext(database) as again:
        assert get(client, "refused") == told
    assert not any('"raw"' in each["sql"] for each in again)
    assert (told["rejected"], len(told["refused"])) == (1, 1)
    shared_figures.forget()
    now = get(client, "refused")
    assert (now["rejected"], len(now["refused"])) == (2, 2)


def test_the_latest_records_that_the_flush_refused_are_told_apart_from_their_replays(
    client: Client, people: list[User]
) -> None:
    superuser(client)
    push(queued("R1", GONE), queued("R2", GONE), queued("S1", people[0]), b"no record")
    flush()
    assert get(client, "refused") == {
        "rejected": 3,
        "refused": [{"transaction_id": id, "accepted_at": accepting.NOW} for id in ("R2", "R1")],
    }


def test_the_strip_knows_the_rejected_records_while_the_stores_move_on(
    client: Client, people: list[User]
) -> None:
    superuser(client)
    push(queued("R1", GONE))
    flush()
    with stores_moving_on():
        status = get(client, "figures")["status"]
    assert (status["books"]["balanced"], status["rejected_open"]) == (None, 1)


def test_the_figures_end_at_the_last_flush_while_the_stores_move_on(
    client: Client, people: list[User]
) -> None:
    superuser(client)
    take(record("T1", people[0]))
    flush()
    at_rest = get(client, "figures")
    shared_figures.forget()
    take(record("T2", people[0]))
    with stores_moving_on():
        moving = get(client, "figures")
    assert moving["status"]["books"]["last_flush"] == at_rest["status"]["books"]["last_flush"]
    assert moving["overview"]["as_of"] == at_rest["overview"]["as_of"]


def test_a_fresh_page_begins_a_few_records_back_in_the_feed(client: Client, people: list[User]) -> None:
    superuser(client)
    assert get(client, "start") == {"epoch": "", "since": 0, "since_filtered": 0}
    take(*(record(f"T{n}", people[0]) for n in range(FIRST_RECORDS + 7)))
    start = get(client, "start")
    assert start["since"] == 7
    assert len(start["epoch"]) == 36


# --- A period -------------------------------------------------------------------------------------


def test_a_poll_has_a_period_what_is_wrong_and_who_fails(client: Client, people: list[User]) -> None:
    superuser(client)
    now = datetime.now(UTC)
    store(people[0], "T1", amount=700, status="SUCCESS", created_at=now - timedelta(minutes=2))
    store(people[0], "T2", amount=300, status="FAILED", created_at=now - timedelta(minutes=2))
    told = get(client, "figures", period="24h", compare="yesterday")
    shown = told["overview"]["data"]
    assert (shown["period"], shown["words"]) == ("24h", "in the last 24 hours")
    assert shown["compared"]["words"] == "in the 24 hours before"
    assert shown["figures"]["succeeded"]["value"] == "700"
    assert shown["figures"]["success_rate"]["value"] == 0.5
    assert sum(shown["series"]["failed"]) == 1
    assert told["wrong"]["data"] is None
    (customer,) = told["failing"]["data"]["customers"]
    assert (customer["name"], customer["failed"]) == ("alice", 1)


def test_without_a_choice_it_is_an_hour_beside_that_of_a_week_ago(client: Client, people: list[User]) -> None:
    superuser(client)
    shown = get(client, "figures")["overview"]["data"]
    assert (shown["period"], shown["compared"]["words"]) == ("1h", "at this time a week ago")


def test_two_choices_do_not_get_each_others_answers(client: Client, people: list[User]) -> None:
    superuser(client)
    store(people[0], "T1", created_at=datetime.now(UTC) - timedelta(hours=20))
    counts = {
        name: get(client, "figures", period=name)["overview"]["data"]["figures"]["count"]["value"]
        for name in ("1h", "24h", "15m", "7d")
    }
    assert counts == {"1h": 0, "24h": 1, "15m": 0, "7d": 1}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"period": "2h"}, {"period": ["Expected one of 15m, 1h, 24h, 7d, 30d."]}),
        ({"compare": "tomorrow"}, {"compare": ["Expected one of last-week, yesterday."]}),
        ({"perod": "1h"}, {"perod": ['Unknown parameter. Did you mean "period"?']}),
    ],
)
def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are(
    client: Client, people: list[User], query: dict[str, str], told: dict[str, list[str]]
) -> None:
    superuser(client)
    response = client.get(reverse("dashboard-figures"), query)
    assert (response.status_code, json.loads(response.content)) == (400, told)


# --- The averages ---------------------------------------------------------------------------------


def test_days_come_beside_as_many_days_before(client: Client, people: list[User]) -> None:
    superuser(client)
    for day, amount in ((1, 10), (1, 20), (3, 7), (4, 100)):
        store(
            people[0],
            f"T{day}-{amount}",
            amount=amount,
            status="SUCCESS",
            created_at=datetime(2026, 3, day, 23, 30, tzinfo=UTC),
        )
    body = get(client, "averages", **{"from": "2026-03-03", "to": "2026-03-04"})
    assert (body["from"], body["to"], body["days"]) == ("2026-03-03", "2026-03-04", 2)
    told = [(day["day"], day["succeeded"]["average"]) for day in body["data"]]
    assert told == [("2026-03-03", "7"), ("2026-03-04", "100")]
    assert [(day["day"], day["succeeded"]["total"]) for day in body["before"]] == [("2026-03-01", "30")]
    body = get(client, "averages", **{"from": "2026-03-04", "to": "2026-03-04", "timezone": "Asia/Tehran"})
    assert [day["succeeded"]["average"] for day in body["data"]] == ["7"]


def test_a_day_tells_what_succeeded_failed_and_is_pending_apart(client: Client, people: list[User]) -> None:
    superuser(client)
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    for n, (status, amount) in enumerate(
        (("SUCCESS", 10), ("SUCCESS", 21), ("FAILED", AMOUNT_MAX), ("FAILED", AMOUNT_MAX))
    ):
        store(people[0], f"T{n}", amount=amount, status=status, created_at=at)
    asked = {"from": "2026-03-04", "to": "2026-03-04"}
    (day,) = get(client, "averages", **asked)["data"]
    assert day == {
        "day": "2026-03-04",
        "count": 4,
        # Half of 31 goes to the even one.
        "succeeded": {"count": 2, "total": "31", "average": "16"},
        "failed": {"count": 2, "total": str(2 * AMOUNT_MAX), "average": str(AMOUNT_MAX)},
        "pending": {"count": 0, "total": "0", "average": None},
    }
    (day,) = get(client, "averages", **asked, status="SUCCESS")["data"]
    assert (day["succeeded"]["total"], day["failed"]["total"]) == ("31", "0")


def test_a_range_that_would_begin_before_the_calendar_begins_with_it(
    client: Client, people: list[User]
) -> None:
    superuser(client)
    body = get(client, "averages", to="0001-01-05")
    assert (body["from"], body["to"], body["days"], body["before"]) == ("0001-01-01", "0001-01-05", 5, [])


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-03-04", "to": "2026-03-03"}, {"from": "soon"}, {"timezone": "Atlantis"},
        {"from": "0001-01-01", "to": "9999-12-31"}, {"from": "9999-01-01"},
    ],
)  # fmt: skip
def test_a_range_that_makes_no_sense_is_refused(
    client: Client, people: list[User], query: dict[str, str]
) -> None:
    superuser(client)
    response = client.get(reverse("dashboard-averages"), query)
    assert response.status_code == 400
    assert all(isinstance(texts, list) for texts in json.loads(response.content).values())


# --- The story ------------------------------------------------------------------------------------


def test_a_story_goes_from_accepted_to_settled(client: Client, people: list[User]) -> None:
    superuser(client)

    def events() -> list[tuple[str, bool]]:
        found = story("T1")
        assert found is not None
        return [(event["what"], event["at"] is not None) for event in found["events"]]

    assert client.get(reverse("dashboard-story"), {"transaction_id": "T1"}).status_code == 404
    take(record("T1", people[0], status="PENDING"))
    assert events() == [("accepted", True), ("stored", False)]
    flush()
    assert events() == [("accepted", True), ("stored", True), ("settled", False)]
    take(record("T1", people[0], status="SUCCESS"))
    assert events()[2:] == [("settlement accepted", True), ("settled", False)]
    flush()
    flush()
    assert events() == [("accepted", True), ("stored", True), ("settled", True)]
    told = markup(client.get(reverse("dashboard-story"), {"transaction_id": "T1"}))
    assert re.findall(r'data-transaction="(.*?)"', told) == ["T1"]
    assert re.findall(r"<li><span>(.*?)</span><time", told) == ["accepted", "stored", "settled"]


def test_the_story_of_a_refused_record_has_its_reason(client: Client, people: list[User]) -> None:
    superuser(client)
    push(queued("R1", GONE))
    flush()
    told = client.get(reverse("dashboard-story"), {"transaction_id": "R1"}).content.decode()
    assert f"rejected: user {GONE} does not exist" in told


@pytest.mark.parametrize("id", ["\0", "", "x" * 5000, "%", "\ud7ff"])
def test_the_story_of_any_id_is_told_or_404(client: Client, people: list[User], id: str) -> None:
    superuser(client)
    assert client.get(reverse("dashboard-story"), {"transaction_id": id}).status_code == 404


# --- Cost -----------------------------------------------------------------------------------------


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
