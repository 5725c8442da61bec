"""Headers of pages, and the log-in: what a browser may do, and how often one may guess."""

import json
import re
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from tests.support.serving import collect_static_files, daphne
from transactions.access.rights import Right
from transactions.access.tokens import create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_hashes")]

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery staple"  # noqa: S105


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_superuser("ann", password=PASSWORD)


# --- Headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api/pipeline/", "/api/nothing/", "/nothing", "/livez", "/", "/adminx", "/admin"]
)
def test_the_policy_is_strict_everywhere(client: Client, path: str) -> None:
    policy = client.get(path)["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("path", ["/admin/", LOGIN, "/admin/nothing/"])
def test_the_policy_is_relaxed_for_the_admin_s_theme_alone(client: Client, path: str) -> None:
    policy = client.get(path)["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert policy.endswith("style-src 'self' 'unsafe-inline'")
    assert "frame-ancestors 'none'" in policy


@pytest.mark.slow
def test_no_answer_is_without_the_headers(people: list[User]) -> None:
    wanted = {
        "Content-Security-Policy": "default-src 'self'; .*",
        "Permissions-Policy": r"camera=\(\), .*",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=60; .*",
    }
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    with daphne(
        SECURE_SSL_REDIRECT="true",
        SECURE_HSTS_SECONDS="60",
        SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https",
        ALLOW_ANONYMOUS_API="false",
    ) as url:
        client = httpx.Client(base_url=url, headers={"X-Forwarded-Proto": "https"}, trust_env=False)
        answers = [
            client.get(path) for path in ("/livez", "/admin/login/", "/nothing", "/api/pipeline/", "/")
        ]
        answers.append(client.post("/api/add-transaction/", json=record))
        for answer in answers:
            for name, value in wanted.items():
                assert re.fullmatch(value, answer.headers.get(name, "")), (answer.url, name)
        # A redirect to https may be read by anybody, so it says nothing else; it is not a page either.
        assert client.get("/", headers={"X-Forwarded-Proto": "http"}).status_code == 301
        for cookie in client.cookies.jar:
            assert cookie.secure
        client.close()


def test_probes_and_figures_are_asked_from_inside_without_tls_and_open_to_nobody_for_it(
    client: Client, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOW_ANONYMOUS_API = False
    token, _ = create("prometheus", rights=frozenset({Right.READ}))
    for slash in ("", "/"):
        assert client.get(f"/livez{slash}").status_code == 200
        assert set(client.get(f"/readyz{slash}").json()) == {"status"}
        assert client.get(f"/metrics{slash}").status_code == 401
        read = client.get(f"/metrics{slash}", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert (read.status_code, b"transactions_accepted_total" in read.content) == (200, True)
    for path in ("/api/pipeline/", "/admin/", "/metricsx", "/x/metrics", "/api/metrics/"):
        assert client.get(path, HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 301, path


@pytest.mark.slow
def test_nobody_keeps_an_answer_of_the_moment(people: list[User]) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    paths = ["/livez", "/readyz", "/metrics", "/api/pipeline/", "/api/transactions/", "/api/nothing"]
    paths += ["/nothing", "/api/schema/", "/", "/admin/login/", "/admin/"]
    collect_static_files()
    for lane in ("true", "false"):
        with daphne(FAST_LANE=lane) as url, httpx.Client(base_url=url, trust_env=False) as client:
            answers = [client.get(path) for path in paths]
            for type, content in (
                ("application/json", json.dumps(record).encode()),
                ("application/json", b"{}"),
                ("a/b; charset*=nix''a", b"{}"),
            ):
                headers = {"Content-Type": type}
                answers.append(client.post("/api/add-transaction/", content=content, headers=headers))
            packed = {"Content-Encoding": "nothing"}
            answers.append(client.post("/api/add-transaction/", content=b"{}", headers=packed))
            answers.append(client.get("/livez", headers={"Host": "evil.example"}))
            answers.append(client.get("/api/", headers={"Host": "evil.example"}))
            for answer in answers:
                assert "no-store" in answer.headers.get_list("Cache-Control", split_commas=True), answer.url
                assert len(answer.headers.get_list("Cache-Control")) == 1
            icon = client.get("/static/transactions/icon.svg")
            assert (icon.status_code, "public" in icon.headers["Cache-Control"]) == (200, True)


# --- The log-in --------------------------------------------------------------------------------


def log_in(client: Client, name: str, password: str, **extra: Any) -> int:
    return client.post(LOGIN, {"username": name, "password": password}, **extra).status_code


def test_the_right_password_opens_and_forgives_what_was_wrong_before(client: Client, ann: User) -> None:
    for _ in range(3):
        assert [log_in(client, "ann", "guess") for _ in range(4)] == [200] * 4
        assert log_in(client, "ann", PASSWORD) == 302


def test_guesses_close_the_log_in_to_a_name_from_an_address(client: Client, ann: User) -> None:
    User.objects.create_superuser("bob", password=PASSWORD)
    statuses = [log_in(client, "ann", f"guess {number}") for number in range(6)]
    assert statuses == [200, 200, 200, 200, 429, 429]
    assert log_in(client, "ann", PASSWORD) == 429
    assert log_in(client, "bob", PASSWORD) == 302
    assert log_in(client, "ann", PASSWORD, REMOTE_ADDR="203.0.113.9") == 302


def test_the_address_of_a_guess_is_not_the_guesser_s_to_choose(
    client: Client, ann: User, settings: Settings
) -> None:
    for number in range(6):
        status = log_in(client, "ann", "guess", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert status == 429
    settings.TRUSTED_PROXIES = 1
    for number in range(6):
        forwarded = f"203.0.113.{number}, 198.51.100.7"
        status = log_in(client, "ann", "guess", HTTP_X_FORWARDED_FOR=forwarded)
    assert status == 429
    assert log_in(client, "ann", PASSWORD, HTTP_X_FORWARDED_FOR="203.0.113.1, 198.51.100.8") == 302


def test_guesses_from_elsewhere_lock_nobody_out_whatever_ports_a_proxy_notes(
    client: Client, ann: User, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 1
    guessers = ("203.0.113.9:{}", "[2001:db8::9]:{}")
    for guesser in guessers:
        statuses = [
            log_in(client, "ann", "guess", HTTP_X_FORWARDED_FOR=guesser.format(50_000 + number))
            for number in range(6)
        ]
        # Each connection has a port of its own, and is the same guesser all the same.
        assert statuses == [200, 200, 200, 200, 429, 429]
    for here in ("198.51.100.7:50000", "[2001:db8:1::7]:50000"):
        assert log_in(client, "ann", PASSWORD, HTTP_X_FORWARDED_FOR=here) == 302


def test_an_operator_opens_it_again(client: Client, ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        log_in(client, "ann", "guess")
    call_command("axes_list_attempts")
    call_command("axes_reset_username", "ann")
    shown = capsys.readouterr().out
    assert "ann" in shown
    assert log_in(client, "ann", PASSWORD) == 302


def test_no_guess_is_kept_or_told(client: Client, ann: User, caplog: pytest.LogCaptureFixture) -> None:
    from axes.models import AccessAttempt  # noqa: PLC0415

    with caplog.at_level("DEBUG"):
        for _ in range(6):
            log_in(client, "ann", "nearly my password")
    (attempt,) = AccessAttempt.objects.all()
    assert "nearly" not in f"{attempt.post_data}{attempt.get_data}{caplog.text}"
    assert "The log-in as 'ann' from 127.0.0.1 is closed" in caplog.text
    assert client.post(LOGIN, {"username": "ann", "password": "x"})["Retry-After"] == "900"


def test_a_session_is_nobody_s_while_the_log_in_is_closed(client: Client, ann: User) -> None:
    """Who is in stays in: guessing from outside ends nobody's work."""
    client.force_login(ann)
    for _ in range(6):
        log_in(Client(), "ann", "guess")
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("password", ["short", "password123", "8675309867530", "ann-ann-ann"])
def test_a_weak_password_is_not_taken(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, User(username="ann-ann-ann"))
