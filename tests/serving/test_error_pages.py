"""What went wrong is told by pages of this product, to browsers; and needs no store for it."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.support.at_once import ask, request
from tests.support.outages import postgres_away
from tests.support.watching import session_of

BROWSER = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"


def told(client: Client, path: str, accept: str = BROWSER) -> tuple[int, str]:
    answer = client.get(path, headers={"accept": accept})
    return answer.status_code, answer.content.decode()


@pytest.mark.parametrize("path", ["/nothing", "/admin/nothing/", "/static/nothing.css"])
def test_a_browser_is_shown_that_there_is_no_such_page(client: Client, path: str) -> None:
    status, page = told(client, path)
    assert status == 404
    assert "<h1>There is no such page</h1>" in page
    assert "To the overview" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["transactions/customer/1/notes/", "transactions/transaction/views/", "logout/"]
)
def test_a_browser_that_a_log_in_leads_to_where_a_form_went_is_told_so(client: Client, path: str) -> None:
    client.force_login(User.objects.create_superuser("root"))
    status, page = told(client, f"/admin/{path}")
    assert status == 405
    assert "<h1>Only a form leads here</h1>" in page
    assert client.get(f"/admin/{path}")["Allow"].startswith("POST")


@pytest.mark.django_db(transaction=True)
def test_the_page_of_a_method_that_is_not_taken_is_sent_whole(open_url: str) -> None:
    cookie = session_of(User.objects.create_superuser("root"))
    sent = request("/admin/logout/", Accept=BROWSER, Cookie=cookie)
    answer = asyncio.run(ask(open_url, sent))
    assert answer.status == 405
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert b"<h1>Only a form leads here</h1>" in answer.body


@pytest.mark.django_db
def test_a_form_that_is_sent_to_a_page_to_be_read_is_told_so(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    answer = client.post(reverse("dashboard-alarms"), headers={"accept": BROWSER})
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    page = answer.content.decode()
    assert "<h1>No form leads here</h1>" in page
    assert "what a form sends" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/add-transaction/", "/admin/logout/"])
def test_what_is_no_browser_is_told_the_methods_alone(client: Client, path: str) -> None:
    client.force_login(User.objects.create_superuser("root"))
    answer = client.get(path, headers={"accept": "application/json"})
    assert answer.status_code == 405
    assert b"<html" not in answer.content


def test_it_asks_no_store(client: Client) -> None:
    # Without the mark that lets a test at the database, whatever asks it fails.
    assert told(client, "/nothing")[0] == 404


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain"])
def test_what_is_no_browser_is_told_in_plain_text(client: Client, accept: str) -> None:
    assert told(client, "/nothing", accept) == (404, "Not found.\n")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "transactions/transaction/",
        "rules/rule/",
        "alerts/alert/",
        "notifications/endpoint/",
        "audit/entry/",
        "api/",
    ],
)
def test_who_may_not_see_a_page_is_told_who_can_help(client: Client, path: str) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    status, page = told(client, f"/admin/{path}")
    assert status == 403
    assert "<h1>You may not see this</h1>" in page


ROWS = [
    "transactions/transaction/9999999",
    "transactions/customer/9999999",
    "transactions/rejectedrecord/9999999",
    "auth/user/9999999",
    "auth/group/9999999",
    "audit/entry/9999999",
    "alerts/alert/9999999",
    "rules/rule/9999999",
    "rules/userlist/9999999",
    "notifications/endpoint/9999999",
]


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [False, True], ids=["production", "make run"])
@pytest.mark.parametrize("row", ROWS)
def test_a_row_that_there_is_not_has_no_page(settings: Any, row: str, debug: bool) -> None:
    settings.DEBUG = debug
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    status, page = told(client, f"/admin/{row}/change/")
    assert status == 404
    assert "<h1>There is no such page</h1>" in page


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [False, True], ids=["production", "make run"])
def test_a_filter_that_nobody_has_is_told_so(settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    status, page = told(client, "/admin/audit/entry/?foo=1")
    assert status == 400
    assert "<h1>That cannot be read</h1>" in page


MANY = dict.fromkeys((f"name{n}" for n in range(1_001)), "x")
ASKED = ["", "login/", "transactions/transaction/", "alerts/alert/", "find/", "find/found/"]
SENT = ["login/", "transactions/rejectedrecord/", "transactions/transaction/views/", "uploads/upload/new/"]


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [False, True], ids=["production", "make run"])
def test_an_address_or_a_form_with_too_much_in_it_is_told_so(settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root"))
    answers = {f"GET {path}": client.get(f"/admin/{path}", MANY) for path in ASKED}
    answers["dashboard"] = client.get(reverse("dashboard-figures"), MANY)
    answers |= {f"POST {path}": client.post(f"/admin/{path}", MANY) for path in SENT}
    answers |= {
        f"POST {path}, in the address": client.post(f"/admin/{path}", {}, query_params=MANY) for path in SENT
    }
    for path, answer in answers.items():
        assert answer.status_code == 400, path
        assert "<h1>That cannot be read</h1>" in answer.content.decode(), path


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [False, True], ids=["production", "make run"])
def test_the_api_says_in_json_that_there_is_too_much(settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root"))
    told = {"detail": "There are too many fields or parameters."}
    for path in ("transactions/", "transactions/average/", "pipeline/", "alerts/", "nothing/"):
        answer = client.get(f"/api/{path}", MANY)
        assert answer.status_code == (404 if path == "nothing/" and not debug else 400), path
        assert answer.status_code == 404 or answer.json() == told
    form = "application/x-www-form-urlencoded"
    answer = client.post("/api/add-transaction/", urlencode(MANY), content_type=form)
    assert (answer.status_code, answer.json()) == (400, told)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "path", ["", "login/", "transactions/transaction/", "transactions/customer/", "system/"]
)
def test_while_postgresql_is_away_a_page_says_so(path: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root"))
    with postgres_away():
        answer = client.get(f"/admin/{path}", headers={"accept": BROWSER})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "<h1>PostgreSQL does not answer</h1>" in answer.content.decode()


@pytest.mark.django_db
def test_a_form_that_makes_no_sense_is_told_so(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    form = {"action": "replay", "_selected_action": ["no key"], "index": "0"}
    answer = client.post("/admin/transactions/rejectedrecord/", form)
    assert answer.status_code == 400
    assert "<h1>That cannot be read</h1>" in answer.content.decode()


@pytest.mark.django_db
def test_an_export_by_a_filter_that_makes_no_sense_is_told_so(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    status, page = told(client, "/admin/transactions/rejectedrecord/export/?flushed_at__gte=nonsense")
    assert status == 400
    assert "<h1>That cannot be read</h1>" in page


@pytest.mark.django_db
def test_a_form_of_another_site_is_told_that_it_had_expired() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "root", "password": "x"})
    assert answer.status_code == 403
    assert "<h1>The form had expired</h1>" in answer.content.decode()


@pytest.fixture
def guess(client: Client) -> Callable[[], tuple[int, str]]:
    def guess() -> tuple[int, str]:
        answer = client.post("/admin/login/", {"username": "root", "password": "wrong"})
        return answer.status_code, answer.content.decode()

    return guess


@pytest.mark.django_db
@pytest.mark.usefixtures("quick_hashes")
def test_who_guesses_too_often_is_told_for_how_long(guess: Callable[[], tuple[int, str]]) -> None:
    User.objects.create_superuser("root", password="right")
    answers = [guess() for _ in range(6)]
    status, page = answers[-1]
    assert status == 429
    assert "<h1>The log-in is closed for a while</h1>" in page
    assert "Too many wrong passwords. Try again in a quarter of an hour." in page
