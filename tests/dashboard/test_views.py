"""The dashboard's page and answers: who may have them, what they say, and what they cost."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.dashboard.asking import get
from tests.support import accepting
from tests.support.accepting import push, queued, record, take
from tests.support.admin_pages import GONE, staff, store, superuser
from tests.support.outages import postgres_away, redis_away, stores_moving_on
from transactions.dashboard.shared_figures import shared_figures
from transactions.live.start import FIRST_RECORDS
from transactions.storing.flush import flush

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_kept")]

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


def test_the_refused_cannot_be_told_while_a_store_is_away(client: Client, people: list[User]) -> None:
    superuser(client)
    path = reverse("dashboard-refused")
    for away, told, part in (
        (redis_away, "Redis does not answer.", "redis"),
        (postgres_away, "PostgreSQL does not answer in time.", "postgres"),
    ):
        shared_figures.forget()
        with away():
            answer = client.get(path)
        assert (answer.status_code, answer.json()) == (503, {"detail": told, "part": part})
    shared_figures.forget()
    assert get(client, "refused") == {"rejected": 0, "refused": []}


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
