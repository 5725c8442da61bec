"""Every endpoint, whoever calls it: one table, over HTTP against the server itself."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from tests.support.serving import ROOT, daphne
from transactions.access import tokens
from transactions.access.rights import PERMISSIONS, Right
from transactions.models import ApiToken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_hashes")]

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Endpoint(NamedTuple):
    """A call, the right that it asks for (None: open), and what those are told who may not.

    `unknown` without valid credentials, `known` with credentials that are not enough.
    """

    method: str
    path: str
    right: Right | None
    unknown: int = 401
    known: int = 403
    # Pages are for people: a token opens none of them.
    tokens: bool = True
    # Whether any other right does as well.
    any_right: bool = False


ENDPOINTS = (
    Endpoint("POST", "/api/add-transaction/", Right.POST),
    Endpoint("POST", "/api/add-transactions/", Right.POST),
    Endpoint("GET", "/api/transactions/", Right.READ),
    Endpoint("GET", "/api/transactions/none/", Right.READ),
    Endpoint("GET", "/api/transactions/average/", Right.READ),
    Endpoint("GET", "/api/pipeline/", Right.READ),
    Endpoint("GET", "/api/schema/", Right.READ, any_right=True),
    Endpoint("GET", "/api/docs/", Right.READ, any_right=True),
    Endpoint("DELETE", "/api/delete-transactions/", Right.ADMINISTER),
    Endpoint("GET", "/api/rules/", Right.VIEW_RULES),
    Endpoint("POST", "/api/rules/", Right.CHANGE_RULES),
    Endpoint("GET", "/api/rules/1/", Right.VIEW_RULES),
    Endpoint("PATCH", "/api/rules/1/", Right.CHANGE_RULES),
    Endpoint("GET", "/api/rules/1/hits/", Right.VIEW_RULES),
    Endpoint("GET", "/api/rules/1/backtests/", Right.VIEW_RULES),
    Endpoint("POST", "/api/rules/1/backtests/", Right.CHANGE_RULES),
    Endpoint("GET", "/api/rules/1/backtests/1/", Right.VIEW_RULES),
    Endpoint("POST", "/api/rules/1/backtests/1/cancel/", Right.CHANGE_RULES),
    Endpoint("POST", "/api/rules/1/versions/", Right.CHANGE_RULES),
    Endpoint("GET", "/api/rules/1/versions/1/", Right.VIEW_RULES),
    Endpoint("POST", "/api/rules/1/versions/1/submit/", Right.CHANGE_RULES),
    Endpoint("POST", "/api/rules/1/versions/1/approve/", Right.APPROVE_RULES),
    Endpoint("POST", "/api/rules/1/versions/1/retire/", Right.APPROVE_RULES),
    Endpoint("GET", "/api/rules/schema/", Right.VIEW_RULES),
    Endpoint("GET", "/api/rules/export/", Right.VIEW_RULES),
    Endpoint("POST", "/api/rules/import/", Right.CHANGE_RULES),
    Endpoint("GET", "/api/rules/lists/", Right.VIEW_RULES),
    Endpoint("POST", "/api/rules/lists/", Right.CHANGE_RULES),
    Endpoint("GET", "/api/rules/lists/1/", Right.VIEW_RULES),
    Endpoint("GET", "/api/rules/lists/1/entries/", Right.VIEW_RULES),
    Endpoint("POST", "/api/rules/lists/1/entries/", Right.CHANGE_RULES),
    Endpoint("POST", "/api/rules/lists/1/entries/1/end/", Right.CHANGE_RULES),
    Endpoint("GET", "/api/rules/performance/", Right.VIEW_RULES),
    Endpoint("GET", "/api/alerts/", Right.VIEW_ALERTS),
    Endpoint("GET", "/api/alerts/counts/", Right.VIEW_ALERTS),
    Endpoint("POST", "/api/alerts/bulk/", Right.CHANGE_ALERTS),
    Endpoint("GET", "/api/alerts/1/", Right.VIEW_ALERTS),
    *(
        Endpoint("POST", f"/api/alerts/1/{step}/", Right.CHANGE_ALERTS)
        for step in ("assign", "claim", "close", "note", "release", "reopen", "snooze", "undo")
    ),
    Endpoint("GET", "/api/snoozes/", Right.VIEW_ALERTS),
    Endpoint("POST", "/api/snoozes/1/end/", Right.CHANGE_ALERTS),
    Endpoint("GET", "/api/events/", Right.VIEW_EVENTS),
    Endpoint("GET", "/api/webhooks/", Right.MANAGE_WEBHOOKS),
    Endpoint("POST", "/api/webhooks/", Right.MANAGE_WEBHOOKS),
    Endpoint("GET", "/api/webhooks/1/", Right.MANAGE_WEBHOOKS),
    Endpoint("PATCH", "/api/webhooks/1/", Right.MANAGE_WEBHOOKS),
    Endpoint("DELETE", "/api/webhooks/1/", Right.MANAGE_WEBHOOKS),
    Endpoint("POST", "/api/webhooks/1/rotate/", Right.MANAGE_WEBHOOKS),
    Endpoint("POST", "/api/webhooks/1/off/", Right.MANAGE_WEBHOOKS),
    Endpoint("POST", "/api/webhooks/1/on/", Right.MANAGE_WEBHOOKS),
    Endpoint("POST", "/api/webhooks/1/test/", Right.MANAGE_WEBHOOKS),
    Endpoint("GET", "/api/webhooks/1/deliveries/", Right.MANAGE_WEBHOOKS),
    Endpoint("POST", "/api/webhooks/1/deliveries/1/send-again/", Right.MANAGE_WEBHOOKS),
    Endpoint("GET", "/api/audit/", Right.AUDIT),
    Endpoint("GET", "/metrics", Right.READ),
    Endpoint("GET", "/ws/admin/transactions/", Right.READ, unknown=403),
    Endpoint("GET", "/livez", None),
    Endpoint("GET", "/readyz", None),
    Endpoint("GET", "/admin/", Right.READ, unknown=302, known=302, tokens=False),
    Endpoint("GET", "/admin/transactions/transaction/", Right.READ, unknown=302, known=302, tokens=False),
    Endpoint("GET", "/admin/dashboard/figures/", Right.READ, unknown=403),
    Endpoint("GET", "/admin/dashboard/alarms/", Right.VIEW_EVENTS, unknown=403, any_right=True),
    Endpoint("GET", "/admin/dashboard/alerts/", Right.VIEW_ALERTS, unknown=403),
    Endpoint("GET", "/admin/dashboard/averages/", Right.READ, unknown=403),
    Endpoint("GET", "/admin/dashboard/condition/", Right.READ, unknown=403),
    Endpoint("GET", "/admin/dashboard/names/", Right.READ, unknown=403),
    Endpoint("GET", "/admin/dashboard/refused/", Right.READ, unknown=403),
    Endpoint("GET", "/admin/dashboard/start/", Right.READ, unknown=403),
    Endpoint("GET", "/admin/dashboard/story/", Right.READ, unknown=403),
)
# Who comes with no credentials, or with some that are not valid (any more).
UNKNOWN = ("nobody", "a wrong token", "an expired token", "a revoked token")
TOKENS = (*UNKNOWN[1:], "a token without the right", "a token with the right")
SESSIONS = ("a customer's session", "staff without the right", "staff with the right")
CALLERS = (*UNKNOWN, *TOKENS[3:], *SESSIONS)


@pytest.fixture
def served(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"]
    subprocess.run(collect, cwd=ROOT, env={**os.environ, "STATIC_ROOT": str(tmp_path)}, check=True)
    with daphne(
        STATIC_ROOT=str(tmp_path),
        ALLOW_ANONYMOUS_API="false",
        ALLOW_DELETE_ALL="true",
        WEBHOOK_SECRET_KEYS="k" * 32,
    ) as url:
        yield url


def account(name: str, *rights: Right, staff: bool = False) -> User:
    user = User.objects.create_user(name, is_staff=staff)
    codenames = [PERMISSIONS[right] for right in rights]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def bearer(name: str, *rights: Right) -> dict[str, str]:
    token, row = tokens.create(name, rights=frozenset(rights))
    if "expired" in name:
        ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    if "revoked" in name:
        tokens.revoke(name)
    return {"Authorization": f"Bearer {token}"}


def session(user: User, url: str) -> dict[str, str]:
    """Of a browser that has logged in, and whose page sends what guards against forged requests."""
    client = Client()
    client.force_login(user)
    forged = "a" * 32
    cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}
    cookies[settings.CSRF_COOKIE_NAME] = forged
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {"Cookie": cookie, "X-CSRFToken": forged, "Origin": url}


def credentials(url: str, right: Right | None) -> dict[str, dict[str, str]]:
    others = [each for each in Right if each != right]
    held = [right] if right is not None else []
    return {
        "nobody": {},
        "a wrong token": {"Authorization": f"Bearer {tokens.PREFIX}{'x' * 43}"},
        **{name: bearer(f"{name} {right}", *held) for name in ("an expired token", "a revoked token")},
        "a token without the right": bearer(f"without {right}", *others),
        "a token with the right": bearer(f"with {right}", *held),
        "a customer's session": session(account(f"customer {right}", *held), url),
        "staff without the right": session(account(f"staff without {right}", *others, staff=True), url),
        "staff with the right": session(account(f"staff with {right}", *held, staff=True), url),
    }


def expected(endpoint: Endpoint, caller: str) -> int | None:
    """The status of a refusal, None where the caller is let in."""
    if endpoint.right is None:
        return None
    if caller in UNKNOWN or (caller in TOKENS and not endpoint.tokens):
        return endpoint.unknown
    if caller == "staff without the right" and not endpoint.tokens:
        return 200 if endpoint.path == "/admin/" else 403
    if endpoint.any_right and "without" in caller:
        return None
    return endpoint.known if "without" in caller or "customer" in caller else None


def status_of(url: str, endpoint: Endpoint, headers: dict[str, str]) -> int:
    is_socket = endpoint.path.startswith("/ws/")
    content: dict[str, Any] = {} if endpoint.method in ("GET", "DELETE") else {"json": {}}
    more = {**headers, **(UPGRADE if is_socket else {})}
    address = url + endpoint.path
    with httpx.stream(
        endpoint.method, address, headers=more, timeout=20, trust_env=False, **content
    ) as answer:
        if answer.status_code == 302:
            assert answer.headers["Location"].startswith("/admin/login/")
        return answer.status_code


def test_every_endpoint_lets_in_those_who_may_and_nobody_else(served: str) -> None:
    found, wanted = {}, {}
    for right in (*Right, None):
        callers = credentials(served, right)
        assert tuple(callers) == CALLERS
        for endpoint in ENDPOINTS:
            if endpoint.right != right:
                continue
            for caller, headers in callers.items():
                name = f"{caller}: {endpoint.method} {endpoint.path}"
                status, refusal = status_of(served, endpoint, headers), expected(endpoint, caller)
                found[name] = status
                # What an endpoint makes of an empty body or an unknown id is not the question here.
                let_in = status in (101, 200, 400, 404, 503 if endpoint.path == "/readyz" else 200)
                wanted[name] = refusal if refusal is not None else status if let_in else "let in"
    assert found == wanted
    assert len(found) == len(ENDPOINTS) * len(CALLERS)


def _paths(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$").replace("/?", "/")
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, route) if route != "admin/" else ()
        else:
            assert isinstance(pattern, URLPattern)
            yield "/" + re.sub(r"\(\?P<\w+>[^)]*\)", "1", route.replace("(?P<id>.+?)", "none"))


def test_no_endpoint_is_left_out() -> None:
    listed = {endpoint.path.rstrip("/") for endpoint in ENDPOINTS}
    # "/" leads to the admin site, whose pages have tests of their own, its log-in and the change of a
    # password among them (test_log_ins). Under "/api" is what is not there.
    # The search is for all the staff, and tells each what they may see (test_search_box). So are the
    # project's documents (test_documents) and what leads from an app to its list (test_app_pages).
    # The icon is anybody's.
    others = {
        "",
        "/api",
        "/admin/login",
        "/admin/password_change",
        "/admin/system",
        "/admin/api",
        "/admin/find",
        "/admin/find/found",
        "/admin/r",
        "/admin/<app:label>",
        "/admin/docs/<slug:name>",
        "/favicon.ico",
    }
    paths = {path.rstrip("/") for path in _paths(get_resolver().url_patterns)} - others
    assert len(paths) > 10
    assert paths <= listed
