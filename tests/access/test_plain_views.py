"""Views that are not the REST framework's: what those are told who may not read, word for word."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.support.outages import postgres_away
from transactions.access import tokens
from transactions.access.rights import Right

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = {"detail": "Credentials are missing or wrong."}
NO_RIGHT = {"detail": "Needs the right to read."}
LOG_IN = {"detail": "Log in again: you may not read this."}


@pytest.fixture(autouse=True)
def nobody_anonymous(settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False


def bearer(*rights: Right) -> Any:
    token, _ = tokens.create("client", rights=frozenset(rights))
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def told(client: Client, path: str, **headers: Any) -> tuple[int, Any, str | None]:
    answer = client.get(path, **headers)
    return answer.status_code, answer.json(), answer.headers.get("WWW-Authenticate")


def test_a_program_that_shows_no_token_is_asked_for_one(client: Client) -> None:
    wrong: Any = {"HTTP_AUTHORIZATION": f"Bearer {tokens.PREFIX}{'x' * 43}"}
    assert told(client, "/metrics") == told(client, "/metrics", **wrong) == (401, UNKNOWN, "Bearer")


def test_a_program_that_may_not_read_is_told_what_it_lacks(client: Client) -> None:
    assert told(client, "/metrics", **bearer(Right.POST)) == (403, NO_RIGHT, None)
    client.force_login(User.objects.create_user("customer"))
    assert told(client, "/metrics") == (403, NO_RIGHT, None)


@pytest.mark.parametrize("name", ["figures", "averages", "names", "start", "story"])
def test_a_person_who_may_not_read_is_to_log_in_again(client: Client, name: str) -> None:
    path = reverse(f"dashboard-{name}")
    assert told(client, path) == told(client, path, **bearer(Right.POST)) == (403, LOG_IN, None)
    client.force_login(User.objects.create_user("customer"))
    assert told(client, path) == (403, LOG_IN, None)


def test_while_nobody_can_tell_who_may_read_they_are_told_that(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    with postgres_away():
        metrics, figures = told(client, "/metrics"), told(client, reverse("dashboard-figures"))
        ready = client.get("/readyz").json()
    assert metrics == (503, {"detail": "A store does not answer. Try again.", "part": "postgres"}, None)
    assert figures == (503, {"detail": "PostgreSQL does not answer in time.", "part": "postgres"}, None)
    assert ready == {"status": "not ready"}
