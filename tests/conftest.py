"""What several modules of the suite begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.test import Client

from tests.support.admin_pages import superuser
from tests.support.reading import ROWS, a_minute_each
from tests.support.serving import daphne
from tests.support.watching import failures
from transactions.access import token_checks


@pytest.fixture
def root(client: Client, people: list[User]) -> Client:
    """A client on the admin site who may do everything."""
    return superuser(client)


@pytest.fixture
def busy(people: list[User]) -> User:
    """Alice, with a row a minute from BEGIN on, 20,000; nobody has told the planner so."""
    a_minute_each(*[people[0]] * ROWS)
    return people[0]


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password is hashed as ever, in one round of a million: for tests that ask who is let in, not how hard
    a stolen hash is to guess. Servers in processes of their own take a fifth of a second for each, as always.
    """
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What this process takes for the monotonic time of tokens, in seconds: a list of one, to be moved."""
    now = [1000.0]
    monkeypatch.setattr(token_checks, "monotonic", lambda: now[0])
    return now


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the servers of a module say."""
    return tmp_path_factory.mktemp("log") / "daphne.log"


@pytest.fixture(scope="module")
def open_url(django_db_setup: None, log: Path) -> Iterator[str]:
    """A private run."""
    with daphne(log=log) as url:
        yield url


@pytest.fixture(scope="session")
def private_url(django_db_setup: None) -> Iterator[str]:
    """The same for all tests that look at nothing but its answers: a second and a half less for each."""
    with daphne() as url:
        yield url


@pytest.fixture(scope="session")
def token_url(django_db_setup: None) -> Iterator[str]:
    """Likewise one that lets nobody in without a token."""
    with daphne(ALLOW_ANONYMOUS_API="false") as url:
        yield url


@pytest.fixture
def nothing_failed_aloud(log: Path) -> Iterator[None]:
    """Whatever a client does, and whichever server dies, no traceback gets into the log."""
    yield
    said = log.read_text() if log.exists() else ""
    assert failures(said) == []
