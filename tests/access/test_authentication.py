"""Who may use the REST API: a table of endpoints and credentials, tokens, and private runs."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import URLPattern
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from transactions import urls
from transactions.access import tokens
from transactions.access.rights import PERMISSIONS, Right
from transactions.access.tokens import create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_hashes")]

ENDPOINTS: list[tuple[str, str, Right | None]] = [
    ("POST", "/api/add-transaction/", Right.POST),
    ("POST", "/api/add-transactions/", Right.POST),
    ("GET", "/api/transactions/none/", Right.READ),
    ("GET", "/api/pipeline/", Right.READ),
    ("HEAD", "/api/pipeline/", Right.READ),
    # Whoever has any right may read what the API is.
    ("GET", "/api/schema/", None),
    ("GET", "/api/docs/", None),
    ("OPTIONS", "/api/add-transaction/", Right.READ),
    ("DELETE", "/api/delete-transactions/", Right.ADMINISTER),
    ("GET", "/api/audit/", Right.AUDIT),
    ("OPTIONS", "/api/audit/", Right.AUDIT),
    # Whoever has any may be told that there is no such method.
    ("PATCH", "/api/add-transaction/", None),
    ("GET", "/api/rules/", Right.VIEW_RULES),
    ("OPTIONS", "/api/rules/", Right.VIEW_RULES),
    ("GET", "/api/rules/1/hits/", Right.VIEW_RULES),
    ("POST", "/api/rules/", Right.CHANGE_RULES),
    ("PATCH", "/api/rules/1/", Right.CHANGE_RULES),
    ("POST", "/api/rules/1/versions/1/approve/", Right.APPROVE_RULES),
    ("DELETE", "/api/rules/", None),
]
each_endpoint = pytest.mark.parametrize(("method", "path", "right"), ENDPOINTS)
each_right = pytest.mark.parametrize("held", list(Right))


@pytest.fixture
def closed(settings: Settings) -> None:
    """Not a private run."""
    settings.ALLOW_ANONYMOUS_API = False


def account(name: str, *rights: Right, staff: bool = False) -> User:
    user = User.objects.create_user(name, password="not for tokens", is_staff=staff)
    codenames = [PERMISSIONS[right] for right in rights]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def token_of(user: User, **more: Any) -> str:
    return create(f"token {timezone.now()}", username=user.username, **more)[0]


def bearer(token: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def call(api: APIClient, method: str, path: str, **extra: Any) -> Any:
    return api.generic(method, path, "{}", content_type="application/json", **extra)


def let_in(answer: Any) -> bool:
    """What the endpoint makes of an empty body or an unknown id is not the question here."""
    return answer.status_code not in (401, 403)


# --- Without credentials -----------------------------------------------------------------------


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PUT"])
def test_no_endpoint_lets_in_anybody_unknown(api: APIClient, method: str) -> None:
    seen = 0
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = "/api/" + re.sub(r"\(\?P<\w+>[^)]*\)", "1", str(pattern.pattern)).strip("^?$")
        answer = call(api, method, path)
        assert answer.status_code == 401, path
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer.json() == {"detail": "Authentication credentials were not provided."}
        seen += 1
    assert seen >= 5


@each_endpoint
def test_a_private_run_lets_in_anybody_on_this_machine(
    api: APIClient, method: str, path: str, right: Right
) -> None:
    assert let_in(call(api, method, path))


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.8.9.10", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("", 200),  # A Unix socket.
        ("10.0.0.1", 401),
        ("::ffff:10.0.0.1", 401),
        ("2001:db8::1", 401),
        ("localhost.example.org", 401),
    ],
)
def test_a_private_run_lets_in_nobody_from_elsewhere(api: APIClient, address: str, status: int) -> None:
    assert call(api, "GET", "/api/pipeline/", REMOTE_ADDR=address).status_code == status


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"])
def test_what_a_proxy_hands_on_does_not_come_from_this_machine(api: APIClient, header: str) -> None:
    assert call(api, "GET", "/api/pipeline/", **{header: "127.0.0.1"}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"HTTP_ORIGIN": "http://localhost:8000"}, 200),
        ({"HTTP_ORIGIN": "http://LOCALHOST:8000"}, 200),
        ({"HTTP_ORIGIN": "http://localhost:8000", "HTTP_SEC_FETCH_SITE": "same-origin"}, 200),
        ({"HTTP_SEC_FETCH_SITE": "same-origin"}, 200),
        ({"HTTP_SEC_FETCH_SITE": "none"}, 200),
        ({"HTTP_ORIGIN": "http://pages.example.org", "HTTP_SEC_FETCH_SITE": "cross-site"}, 200),
        ({"HTTP_ORIGIN": "http://evil.example"}, 401),
        ({"HTTP_ORIGIN": "https://localhost:8000"}, 401),
        ({"HTTP_ORIGIN": "http://localhost:3000"}, 401),
        ({"HTTP_ORIGIN": "http://localhost"}, 401),
        ({"HTTP_ORIGIN": "http://localhost.evil.example:8000"}, 401),
        ({"HTTP_ORIGIN": "http://example.org"}, 401),  # Only what is below it is trusted.
        ({"HTTP_ORIGIN": "null"}, 401),
        ({"HTTP_ORIGIN": ""}, 401),
        ({"HTTP_ORIGIN": "http://[localhost:8000"}, 401),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, 401),
        ({"HTTP_SEC_FETCH_SITE": "same-site"}, 401),
        ({"HTTP_ORIGIN": "http://localhost:8000", "HTTP_SEC_FETCH_SITE": "cross-site"}, 401),
    ],
)
def test_a_private_run_lets_in_no_page_of_another_site(
    api: APIClient, settings: Settings, headers: dict[str, str], status: int
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["http://*.pages.example.org", "http://pages.example.org"]
    assert call(api, "GET", "/api/pipeline/", HTTP_HOST="localhost:8000", **headers).status_code == status


# --- Tokens ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("closed")
@each_right
@each_endpoint
def test_a_token_opens_what_its_account_may(
    api: APIClient, method: str, path: str, right: Right | None, held: Right
) -> None:
    token = token_of(account("till", held))
    answer = call(api, method, path, **bearer(token))
    if right in (held, None):
        assert let_in(answer)
    else:
        assert answer.status_code == 403
        assert method == "HEAD" or list(answer.json()) == ["detail"]


def _expired() -> str:
    return token_of(account("till", *Right), lifetime=timedelta(seconds=-1))


def _revoked() -> str:
    token, row = create("till 1")
    tokens.revoke(row.name)
    return token


def _of_a_closed_account() -> str:
    user = account("till", *Right)
    token = token_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    return token


def _of_nobody() -> str:
    return tokens.PREFIX + "A" * 43


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize(
    "make",
    [_expired, _revoked, _of_a_closed_account, _of_nobody, lambda: "", lambda: "a b\udcff", lambda: "é" * 9],
)
def test_a_token_that_is_not_valid_is_answered_401_and_told_to_nobody(
    api: APIClient,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    make: Any,
    anonymous: bool,
) -> None:
    settings.ALLOW_ANONYMOUS_API = anonymous
    token = make()
    with caplog.at_level(logging.DEBUG):
        answer = call(api, "GET", "/api/pipeline/", **bearer(token))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {"detail": "The token is unknown, expired or revoked."}
    assert not token or token not in caplog.text


@pytest.mark.usefixtures("closed")
def test_a_token_is_taken_from_the_header_alone(api: APIClient) -> None:
    token, _ = create("till 1")
    assert call(api, "GET", "/api/pipeline/", **bearer(token)).status_code == 200
    assert call(api, "GET", f"/api/pipeline/?token={token}&access_token={token}").status_code == 401
    assert call(api, "GET", "/api/pipeline/", HTTP_AUTHORIZATION=f"Basic {token}").status_code == 401


def test_a_token_works_from_another_machine_and_for_a_page_that_holds_it(api: APIClient) -> None:
    token, _ = create("till 1")
    extra = {"REMOTE_ADDR": "10.0.0.1", "HTTP_ORIGIN": "http://till.example"}
    assert call(api, "GET", "/api/pipeline/", **extra, **bearer(token)).status_code == 200


# --- Sessions ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("closed")
@each_right
@each_endpoint
def test_a_member_of_staff_may_what_the_account_may(
    api: APIClient, method: str, path: str, right: Right | None, held: Right
) -> None:
    api.force_login(account("ann", held, staff=True))
    assert let_in(call(api, method, path)) == (right in (held, None))


@each_endpoint
def test_an_administrator_may_everything(api: APIClient, method: str, path: str, right: Right) -> None:
    api.force_login(User.objects.create_superuser("root"))
    assert let_in(call(api, method, path))


@each_endpoint
def test_a_session_of_somebody_else_opens_nothing(
    api: APIClient, method: str, path: str, right: Right
) -> None:
    api.force_login(account("customer", *Right))
    assert call(api, method, path).status_code == 403


@pytest.mark.usefixtures("closed")
def test_a_session_needs_the_csrf_token_to_change_anything() -> None:
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(User.objects.create_superuser("root"))
    assert call(api, "GET", "/api/pipeline/").status_code == 200
    refused = call(api, "DELETE", "/api/delete-transactions/")
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["detail"]
    api.get("/admin/password_change/")
    token = api.cookies["csrftoken"].value
    assert call(api, "DELETE", "/api/delete-transactions/", HTTP_X_CSRFTOKEN=token).status_code == 200
