"""What somebody wrote by hand into Redis' hashes and is no number is passed over, and said once."""

import logging
from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.accepting import record, take
from transactions.books import balance
from transactions.intake.outcomes import IntakeUnavailable
from transactions.metrics import counters, signs, ticks
from transactions.models import Epoch, Transaction
from transactions.queue.keys import BOOKS
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

NO_NUMBERS = [b"nonsense", b"nan", b"inf", b"-1", b"1e400", b"9" * 400, b"\xff\xfe", b"", b"\0"]
PAGES = (
    "/admin/",
    "/readyz",
    "/metrics",
    "/api/pipeline/",
    "/admin/dashboard/condition/",
    "/admin/dashboard/start/",
    "/admin/transactions/transaction/?state=waiting",
)


def all_answer(root: Client) -> None:
    for path in PAGES:
        assert root.get(path).status_code in (200, 503), path


@pytest.mark.parametrize("key", [signs.SIGNS, ticks.TICKS, counters.TALLY, counters.WATCHING])
def test_pages_are_shown_whatever_stands_among_counts_and_moments(root: Client, key: str) -> None:
    for number, garbage in enumerate(NO_NUMBERS):
        connection().hset(key, f"x{number}", garbage)
    connection().hset(key, b"\xff", b"nonsense")
    signs.show(signs.BEAT)
    ticks.tick("done")
    all_answer(root)
    assert (list(signs.last_signs()), list(ticks.last_ticks())) == (["beat"], ["done"])
    counts, websockets = counters.read()
    assert counts["ticks|done"] >= 1
    assert ([field for field in counts if field.startswith(("x", "\ufffd"))], websockets) == ([], 0)


def test_what_is_passed_over_is_said_once(transactional_db: None, caplog: pytest.LogCaptureFixture) -> None:
    connection().hset(signs.SIGNS, "said-once", "nonsense")
    with caplog.at_level(logging.WARNING):
        signs.last_signs()
        signs.last_signs()
    assert [line.getMessage() for line in caplog.records] == [
        "{transactions_list}:signs in Redis has 'nonsense' for 'said-once': no moment, and passed over"
    ]


@pytest.mark.parametrize("field", ["accepted", "epoch", "generation", "indexes", "released"])
@pytest.mark.parametrize("garbage", [b"nonsense", b"nan", b"\xff\0"])
def test_books_that_cannot_be_read_are_begun_anew_and_nothing_is_lost(
    root: Client, people: list[User], field: str, garbage: bytes
) -> None:
    take(record("T1", people[0]))
    flush()
    connection().hset(BOOKS, field, garbage)
    all_answer(root)
    with suppress(IntakeUnavailable):
        take(record("T2", people[0]))
    all_answer(root)
    flush()
    take(record("T2", people[0]))
    flush()
    assert sorted(Transaction.objects.values_list("transaction_id", flat=True)) == ["T1", "T2"]
    assert balance.read().balanced is True
    if field in ("accepted", "generation"):
        assert Epoch.objects.get(closed_at=None).alarm.startswith("The Redis data is damaged: of 1 record")
    all_answer(root)
