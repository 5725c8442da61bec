"""What an empty system says on its first page, and when it says no more."""

import html
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import push, queued
from transactions.dashboard.first_hour import nothing_yet
from transactions.queue.keys import BOOKS
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

SAID = "Send a first transaction"


@pytest.fixture
def page(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def text(client: Client) -> str:
    return client.get("/admin/", headers={"host": "pay.example"}).content.decode()


def test_an_empty_system_says_what_to_do(page: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["pay.example"]
    shown = text(page)
    assert SAID in shown
    assert "curl -i http://pay.example/api/add-transaction" in shown
    assert 'href="/admin/transactions/apitoken/new/"' in shown
    assert "manage.py simulate" in shown
    assert 'href="/admin/uploads/upload/new/"' in shown


def test_imports_are_offered_to_who_may_import(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["pay.example"]
    user = User.objects.create_user("olga", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_transaction"))
    client.force_login(user)
    assert SAID in (shown := text(client))
    assert "Import a file" not in shown


@pytest.mark.parametrize(
    ("directory", "command"),
    [
        (".local", ">.venv/bin/python manage.py simulate --rate 50"),
        ("/var/my run", ">DATA_DIR=&#x27;/var/my run&#x27; .venv/bin/python manage.py simulate --rate 50"),
    ],
)
def test_commands_find_the_run_that_shows_them(
    page: Client, settings: Settings, directory: str, command: str
) -> None:
    settings.DATA_DIR = settings.BASE_DIR / directory
    assert command in page.get("/admin/").content.decode()


@pytest.mark.parametrize("anonymous", [True, False])
def test_the_command_can_be_copied_where_it_works_as_it_stands(
    page: Client, settings: Settings, anonymous: bool
) -> None:
    settings.ALLOW_ANONYMOUS_API = anonymous
    shown = page.get("/admin/").content.decode()
    assert ("Authorization: Bearer YOUR_TOKEN" in html.unescape(shown)) == (not anonymous)
    assert ('data-copy="first-curl"' in shown) == anonymous


def test_the_command_posts_an_id_that_nobody_has(page: Client) -> None:
    ids = [
        re.findall(r'"transaction_id": "(first-[0-9a-f]{8})"', html.unescape(text(page))) for _ in range(2)
    ]
    assert ids[0] != ids[1]
    assert all(ids)


def test_once_something_is_accepted_it_says_so_no_more(client: Client, people: list[User]) -> None:
    assert nothing_yet()
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    answer = client.post("/api/add-transaction/", record, content_type="application/json")
    assert answer.status_code == 200
    assert not nothing_yet()


def test_what_was_deleted_since_has_been_here(client: Client) -> None:
    connection().hset(BOOKS, "accepted", 1)
    assert not nothing_yet()


def test_what_is_stored_alone_is_enough(people: list[User]) -> None:
    push(queued("T1", people[0].pk))
    flush()
    connection().hdel(BOOKS, "accepted")
    assert not nothing_yet()


def test_who_may_make_no_token_is_told_to_ask(client: Client) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_transaction"))
    client.force_login(reader)
    shown = client.get("/admin/").content.decode()
    assert SAID in shown
    assert "/admin/transactions/apitoken/new/" not in shown
    assert "Ask somebody who may make tokens" in shown
