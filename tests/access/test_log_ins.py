"""Log-ins by the hundred: how many passwords are hashed, and who is served meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from tests.support.outages import redis_away
from tests.support.serving import collect_static_files, daphne
from transactions.access import log_ins
from transactions.stores.redis_connection import connection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_hashes")]

LOGIN = "/admin/login/"
CHANGE = "/admin/password_change/"
PASSWORD = "correct horse battery staple"  # noqa: S105


class Hashes:
    """How many passwords have been hashed, and how many at once at the most."""

    def __init__(self) -> None:
        self.made, self.at_once, self.at_once_most = 0, 0, 0


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_superuser("ann", password=PASSWORD)


def test_a_log_in_that_was_asked_for_by_itself_ends_on_the_first_page(ann: User) -> None:
    browser = Client()
    answer = browser.post(LOGIN, {"username": "ann", "password": PASSWORD}, follow=True)
    assert answer.redirect_chain == [("/admin/", 302)]
    assert answer.status_code == 200
    there = browser.post(
        f"{LOGIN}?next=/admin/audit/entry/",
        {"username": "ann", "password": PASSWORD, "next": "/admin/audit/entry/"},
    )
    assert there.headers["Location"] == "/admin/audit/entry/"


@pytest.fixture
def hashes(ann: User, monkeypatch: pytest.MonkeyPatch) -> Hashes:
    counted, encode, lock = Hashes(), PBKDF2PasswordHasher.encode, threading.Lock()

    def counting(*args: Any, **more: Any) -> str:
        with lock:
            counted.made += 1
            counted.at_once += 1
            counted.at_once_most = max(counted.at_once, counted.at_once_most)
        try:
            return encode(*args, **more)
        finally:
            with lock:
                counted.at_once -= 1

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counting)
    monkeypatch.setattr(log_ins._Times, "ask_redis", 0.0)
    # However busy the machine is, no attempt comes back within a test.
    monkeypatch.setattr(log_ins, "EVERY_S", 600.0)
    return counted


def log_in(name: str, password: str = "guess", address: str = "203.0.113.9") -> Any:
    return Client().post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address)


def test_an_address_is_bounded_whatever_names_it_tries(hashes: Hashes) -> None:
    answers = [log_in(f"name {number}") for number in range(30)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 20
    assert hashes.made == 10
    assert 1 <= int(answers[-1]["Retry-After"]) <= log_ins.EVERY_S
    assert b"Too many log-ins from this address. Try again in" in answers[-1].content
    # What is refused has not been looked at: the right password neither.
    assert log_in("ann", PASSWORD).status_code == 429
    assert hashes.made == 10
    assert log_in("ann", PASSWORD, "203.0.113.10").status_code == 302


@pytest.mark.parametrize(
    "addresses",
    [
        [f"2001:db8::{number:x}" for number in range(12)],
        ["203.0.113.9", "::ffff:203.0.113.9"] * 6,
        [f"203.0.113.9:{port}" for port in range(50_000, 50_012)],
    ],
)
def test_other_spellings_are_the_same_address(hashes: Hashes, addresses: list[str]) -> None:
    statuses = [
        log_in(f"name {number}", address=address).status_code for number, address in enumerate(addresses)
    ]
    assert statuses == [200] * 10 + [429] * 2


def test_who_waits_as_long_as_was_said_gets_in(hashes: Hashes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_ins, "AT_ONCE", 1)
    assert log_in("name").status_code == 200
    refused = log_in("name")
    assert refused.status_code == 429
    # As long ago as was said: of ten minutes none passes by itself.
    said_s = int(refused["Retry-After"])
    connection().hincrby(log_ins._bucket("203.0.113.9"), "at", -said_s * 1_000_000)
    assert log_in("ann", PASSWORD).status_code == 302
    # And nobody who shares the address pays for the guesses any more.
    assert log_in("another").status_code == 200


def test_few_are_hashed_at_once_from_however_many_addresses(
    hashes: Hashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each takes its time, or they would be hashed one after another.
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1_000_000)

    def attempt(number: int) -> Any:
        try:
            return log_in(f"name {number}", address=f"198.51.100.{number}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(attempt, range(60)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) == hashes.made
    assert hashes.at_once_most == log_ins.HASHING_MAX
    assert {answer["Retry-After"] for answer in answers if answer.status_code == 503} == {"2"}
    assert log_in("ann", PASSWORD).status_code == 302


@pytest.mark.parametrize("name", ["a" * 151, "ü" * 256, "a" * 300, "x" * 60_000, "ﷺ" * 150])
def test_a_name_that_nobody_can_have_is_the_form_s_error_and_counts(hashes: Hashes, name: str) -> None:
    agent, path = "Mozilla " + "y" * 3_000, f"{LOGIN}?next=/admin/{'z' * 3_000}"
    for _ in range(4):
        answer = Client().post(path, {"username": name, "password": "guess"}, HTTP_USER_AGENT=agent)
        assert answer.status_code == 200
        assert b"At most 150 characters: this has" in answer.content
    assert AccessAttempt.objects.get().failures_since_start == 4
    assert log_in(name, address="127.0.0.1").status_code == 429
    assert hashes.made == 0


def test_guesses_at_a_session_s_own_password_are_bounded_too(hashes: Hashes, ann: User) -> None:
    client = Client()
    client.force_login(ann)
    fields = {"old_password": "guess", "new_password1": "x", "new_password2": "x"}
    assert [client.post(CHANGE, fields).status_code for _ in range(12)] == [200] * 10 + [429] * 2


def test_a_post_that_is_sent_to_the_log_in_forgives_nothing(hashes: Hashes) -> None:
    for number in range(9):
        log_in(f"name {number}")
    assert Client().post(CHANGE, {}, REMOTE_ADDR="203.0.113.9").status_code == 302
    assert log_in("name").status_code == 429


def test_without_redis_the_log_in_is_open(hashes: Hashes) -> None:
    with redis_away():
        assert [log_in(f"name {number}").status_code for number in range(12)] == [200] * 12
        assert log_in("ann", PASSWORD).status_code == 302


def test_a_foreign_page_s_post_costs_the_address_nothing(hashes: Hashes) -> None:
    strict = Client(enforce_csrf_checks=True)
    fields = {"username": "ann", "password": "guess"}
    assert [strict.post(LOGIN, fields, REMOTE_ADDR="203.0.113.9").status_code for _ in range(15)] == [
        403
    ] * 15
    assert hashes.made == 0
    assert log_in("ann", PASSWORD).status_code == 302


def test_a_hundred_log_ins_at_once_keep_nobody_waiting(people: list[User], ann: User) -> None:
    """From a hundred addresses, so that each has a bucket of its own."""
    collect_static_files()
    with daphne(TRUSTED_PROXIES="1", DJANGO_THREADS="8") as url, httpx.Client(trust_env=False) as ours:
        token = ours.get(url + LOGIN).cookies["csrftoken"]

        def attempt(number: int) -> int:
            fields = {"username": f"name {number}", "password": "guess", "csrfmiddlewaretoken": token}
            headers = {"X-Forwarded-For": f"198.51.100.{number}", "Cookie": f"csrftoken={token}"}
            return httpx.post(
                url + LOGIN, data=fields, headers=headers, timeout=60, trust_env=False
            ).status_code

        with ThreadPoolExecutor(100) as threads:
            attempts = [threads.submit(attempt, number) for number in range(100)]
            time.sleep(0.5)
            waits = []
            for number in range(5):
                record = {"transaction_id": f"T{number}", "user": people[0].pk, "amount": 1}
                for answer in (
                    ours.post(f"{url}/api/add-transaction/", json=record, timeout=30),
                    ours.get(f"{url}/api/transactions/T{number}/", timeout=30),
                ):
                    assert answer.status_code == 200, answer.text
                    waits.append(answer.elapsed.total_seconds())
            statuses = [each.result() for each in attempts]
    assert set(statuses) == {200, 503}
    # A bound for any machine: it was a minute before.
    assert max(waits) < 20.0
