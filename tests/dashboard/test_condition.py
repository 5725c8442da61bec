"""The chip of the system on every page, for who may read, and the page on what to do."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import queued, record, take
from tests.support.admin_pages import GONE, reject, staff
from tests.support.alerts import open_alert
from tests.support.living import everybody_works, was_there, worker_was_there
from tests.support.outages import postgres_away, redis_away
from transactions.dashboard import cached
from transactions.dashboard.condition import shared_condition
from transactions.metrics import signs
from transactions.review import queue
from transactions.storing import history
from transactions.system import reading

pytestmark = pytest.mark.django_db(transaction=True)

CHIP = "/admin/dashboard/condition/"
PAGES = (
    "/admin/",
    "/admin/transactions/transaction/",
    "/admin/rules/rule/",
    "/admin/system/",
    "/admin/audit/entry/",
)


@pytest.fixture(autouse=True)
def looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC) - timedelta(hours=1))
    shared_condition.forget()
    yield
    shared_condition.forget()


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def said(client: Client, path: str = CHIP) -> str:
    """What the chip of a page says."""
    shared_condition.forget()
    (found,) = re.findall('id="system-said">([^<]*)<', text(client, path))
    return str(found)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_how_the_system_is(root: Client, path: str) -> None:
    everybody_works()
    assert said(root, path) == "System normal · all is stored"


def test_it_says_up_to_when_all_is_stored(root: Client, people: list[User]) -> None:
    everybody_works()
    take(record("T1", people[0]))
    assert re.fullmatch(r"System normal · stored up to \d\.\d s ago", said(root))


@pytest.mark.parametrize("may_see", [True, False])
def test_what_was_rejected_is_not_called_stored(client: Client, people: list[User], may_see: bool) -> None:
    everybody_works()
    staff(client, "view_transaction", *(["view_rejectedrecord"] if may_see else []))
    for id in ("R1", "R2"):
        reject(queued(id, GONE))
    assert said(client) == "System normal · all is stored but for 2 rejected records"
    health = text(client, "/admin/system/")
    assert "All is stored but for 2 rejected records." in health
    assert ('href="/admin/transactions/rejectedrecord/">What was rejected' in health) == may_see
    take(record("T1", people[0]))
    assert re.fullmatch(r"System normal · stored up to \d\.\d s ago, 2 rejected records", said(client))


def test_no_page_leads_to_the_rejected_who_may_not_see_them(client: Client, people: list[User]) -> None:
    everybody_works()
    staff(client, "view_transaction")
    assert '<span id="rejected">' in text(client, "/admin/")
    assert "/admin/transactions/rejectedrecord/" not in re.findall('href="([^"]*)"', text(client, "/admin/"))


def test_it_says_the_gravest_and_how_many_more(root: Client) -> None:
    everybody_works()
    was_there(signs.BEAT, 25)
    assert re.fullmatch(r"Beat silent for 2\d s", said(root))
    worker_was_there(40)
    assert re.fullmatch(r"Worker silent for 4\d s, and 2 more", said(root))


def test_its_parts_say_why_since_when_and_where_to_read_on(root: Client) -> None:
    everybody_works()
    worker_was_there(40)
    page = text(root, CHIP)
    assert re.search(r"No worker has taken a flush for 4\d s: the worker is stopped or stuck\.", page)
    assert '<a href="/admin/system/#worker">What to do' in page
    runbook = "/admin/docs/operations/#worker"
    assert runbook in re.findall(r'href="([^"]*)">Runbook<', page)
    assert '<h3 id="worker">Worker</h3>' in text(root, runbook)
    assert '<a href="/admin/system/#redis">' not in page


def test_the_page_says_what_to_do_about_what_is_ill_alone(root: Client) -> None:
    everybody_works()
    worker_was_there(40)
    page = text(root, "/admin/system/")
    assert "docker compose restart worker" in page
    assert "systemctl restart transactions-worker" in page
    assert '<a href="/admin/docs/operations/#worker">The runbook on Worker</a>' in page
    assert "docker compose restart beat" not in page
    assert page.index('id="worker"') < page.index('id="redis"')
    assert "private run" not in page


def test_the_page_says_that_a_private_run_starts_again_what_ends(root: Client, settings: Settings) -> None:
    settings.DEBUG = True
    everybody_works()
    assert "private run" not in text(root, "/admin/system/")
    worker_was_there(40)
    shared_condition.forget()
    assert "This is a private run: a process that ends is started again" in text(root, "/admin/system/")


@pytest.mark.parametrize("may", [False, True])
def test_who_may_not_read_sees_none_of_it(people: list[User], may: bool) -> None:
    user = User.objects.create_user("ann", is_staff=True)
    if may:
        user.user_permissions.add(Permission.objects.get(codename="view_transaction"))
    client = Client()
    client.force_login(user)
    assert ('id="system"' in text(client, "/admin/password_change/")) == may
    assert client.get("/admin/system/").status_code == (200 if may else 403)
    assert client.get(CHIP).status_code == (200 if may else 403)


def test_nobody_else_is_told(client: Client, settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    assert client.get(CHIP).status_code == 403
    assert client.get("/admin/system/").status_code == 302
    assert "system-said" not in text(client, "/admin/login/")


def test_a_store_that_is_away_is_said(root: Client) -> None:
    everybody_works()
    with redis_away():
        assert said(root) == "Redis does not answer, and 1 more"
    with postgres_away():
        response = root.get(CHIP)
    assert (response.status_code, response.json()["detail"]) == (503, "PostgreSQL does not answer in time.")


def test_many_pages_cost_one_look(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody_works()
    # What is kept for a moment stays, however long the machine stands still.
    monkeypatch.setattr(cached, "monotonic", lambda: 0.0)
    look = Mock(wraps=reading.read)
    monkeypatch.setattr(reading, "read", look)
    assert all("As of " in text(root, CHIP) for _ in range(3))
    assert look.call_count == 1


def test_open_alerts_are_counted_for_who_may_see_them_and_up_to_how_many_is_said_once(
    client: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody_works()
    for user in people:
        open_alert(user)
    staff(client, "view_transaction", "view_alert")
    badge = r'id="alerts-badge"\s+data-most="(\d+)"><span\s*>([^<]*)<'
    assert re.findall(badge, text(client, CHIP)) == [("99", "3")]
    monkeypatch.setattr(queue, "BADGE_MAX", 2)
    assert re.findall(badge, text(client, CHIP)) == [("2", "2+")]
    User.objects.get(username="staff").user_permissions.remove(Permission.objects.get(codename="view_alert"))
    assert "alerts-badge" not in text(client, CHIP)
