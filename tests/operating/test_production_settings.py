"""What the settings refuse before anything is served, and what `check --deploy` says of them."""

import os
import subprocess
import sys

import pytest

from tests.support.serving import ROOT

PROGRAMS = {
    "manage.py": ["manage.py", "check"],
    "daphne": ["-m", "daphne", "-p", "1", "transaction_monitoring.asgi:application"],
    "celery inspect": ["-m", "celery", "-A", "transaction_monitoring", "inspect", "registered"],
    "celery worker": ["-m", "celery", "-A", "transaction_monitoring", "worker"],
    "celery beat": ["-m", "celery", "-A", "transaction_monitoring", "beat"],
}
# What a system for others states; nothing else is in its environment.
STATED = {"SECRET_KEY": "k9" * 32 + "-_xyzZYX", "ALLOWED_HOSTS": "transactions.example.org"}


def ended(arguments: list[str], **environment: str) -> tuple[int, str]:
    """The status of a program and all that it said, under nothing but `environment`."""
    told = {"PATH": os.environ["PATH"], "DATA_DIR": "/nonexistent", **environment}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=told, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("stated", "told"),
    [
        (
            {},
            "SECRET_KEY is not set, and no `make run` of yours runs in /nonexistent: set DATA_DIR to "
            "the directory of one that does, start one, or put a long random value into SECRET_KEY",
        ),
        ({"SECRET_KEY": "x", "DEBUG": "perhaps"}, "DEBUG must be true or false, not 'perhaps'"),
    ],
)
def test_every_program_ends_with_a_line_that_says_what_to_set(
    program: str, stated: dict[str, str], told: str
) -> None:
    assert ended(PROGRAMS[program], **stated) == (1, f"{told}\n")


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        (
            {"LOG_LEVEL": "LOUD"},
            "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'LOUD'",
        ),
        (
            {"SENTRY_DSN": "x"},
            "SENTRY_DSN must be the address of a project, as in https://KEY@HOST/NUMBER, or empty",
        ),
    ],
)
def test_a_value_that_nobody_can_take_ends_the_program_with_a_line(stated: dict[str, str], told: str) -> None:
    assert ended(PROGRAMS["celery inspect"], **STATED, **stated) == (1, f"{told}\n")


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ("eur", "CURRENCY must be a currency of ISO 4217 in capitals, as in EUR, or empty; not 'eur'"),
        ("EURO", "CURRENCY must be a currency of ISO 4217 in capitals, as in EUR, or empty; not 'EURO'"),
        ("ABC", "CURRENCY must be a currency of ISO 4217 in capitals, as in EUR, or empty; not 'ABC'"),
        ("978", "CURRENCY must be a currency of ISO 4217 in capitals, as in EUR, or empty; not '978'"),
        ("€", "CURRENCY must be a currency of ISO 4217 in capitals, as in EUR, or empty; not '€'"),
        ("XAU", "CURRENCY must be a currency that has a smallest unit, as in EUR; XAU has none"),
    ],
)
def test_a_currency_that_there_is_not_ends_the_program_with_a_line(stated: str, told: str) -> None:
    assert ended(PROGRAMS["manage.py"], SECRET_KEY="x", CURRENCY=stated) == (1, f"{told}\n")


@pytest.mark.parametrize("stated", ["EUR", "JPY", "BHD", "", " "])
def test_a_currency_is_taken_as_it_is_and_may_be_left_out(stated: str) -> None:
    show = "from transaction_monitoring.settings import *; print(CURRENCY)"
    assert ended(["-c", show], SECRET_KEY="x", CURRENCY=stated) == (0, f"{stated.strip()}\n")


def test_production_is_what_is_left_when_nothing_is_said() -> None:
    show = "from transaction_monitoring.settings import *; print(DEBUG, ALLOWED_HOSTS, ALLOW_ANONYMOUS_API)"
    assert ended(["-c", show], SECRET_KEY="x") == (0, "False [] False\n")


def test_options_of_postgresql_in_its_url_stay() -> None:
    show = (
        "from transaction_monitoring.settings import *; print(DATABASES['default']['OPTIONS'].get('options'))"
    )
    url = "postgres://localhost/transactions_database?options=-c%20statement_timeout=30s"
    said = "-c statement_timeout=30s\n"
    assert ended(["-c", show], SECRET_KEY="x", DATABASE_URL=url) == (0, said)
    assert ended(["-c", show], SECRET_KEY="x") == (0, "None\n")


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({}, ""),
        ({"ALLOW_ANONYMOUS_API": "true"}, "transactions.E001"),
        ({"ALLOW_DELETE_ALL": "true"}, "transactions.W001"),
        ({"SECURE_SSL_REDIRECT": "false"}, "security.W008"),
        ({"ALLOWED_HOSTS": ""}, "security.W020"),
        ({"SECRET_KEY": "short"}, "security.W009"),
    ],
)
def test_the_deployment_check_finds_what_is_open(stated: dict[str, str], told: str) -> None:
    check = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    status, said = ended(check, **{**STATED, **stated})
    assert (status != 0) == bool(told), said
    assert told in said
