"""How long ago a flush ended: what `manage.py last_flush` tells a process manager, and `make run` itself."""

import math
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dev.flush_age import Silence, flush_age_s
from tests.support.outages import postgres_away
from tests.support.serving import database_url
from transactions.models import Epoch
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("last_flush", *arguments, stdout=out)
    return out.getvalue().strip()


def test_it_tells_how_long_ago_the_last_flush_ended() -> None:
    flush()
    Epoch.objects.update(flushed_at=timezone.now() - timedelta(seconds=50))
    assert told("--within", "600").startswith("The last flush ended 5")


def test_it_fails_when_the_last_flush_is_too_long_ago_or_never_was() -> None:
    with pytest.raises(CommandError, match="No flush has ended yet"):
        told()
    flush()
    Epoch.objects.update(flushed_at=timezone.now() - timedelta(seconds=61))
    with pytest.raises(CommandError, match="ended 6"):
        told("--within", "60")


def test_a_flush_that_takes_long_is_no_silent_worker() -> None:
    flush()
    Epoch.objects.update(flushed_at=timezone.now() - timedelta(seconds=61))
    with Session() as flusher:
        assert flusher.try_lock(FLUSH_LOCK)
        assert told("--within", "60") == "A flush is under way."


def test_it_names_postgresql_where_that_does_not_answer() -> None:
    with postgres_away(), pytest.raises(CommandError, match="PostgreSQL does not answer"):
        told()


def test_make_run_is_told_the_same() -> None:
    assert flush_age_s(database_url()) == math.inf
    flush()
    Epoch.objects.update(flushed_at=timezone.now() - timedelta(seconds=61))
    assert 61 <= (flush_age_s(database_url()) or 0) < 70
    with Session("another name") as flusher:
        assert flusher.try_lock(FLUSH_LOCK)
        assert flush_age_s(database_url()) == 0


def test_make_run_blames_no_worker_where_postgresql_does_not_answer() -> None:
    assert flush_age_s("postgres://nobody@127.0.0.1:1/none") is None


def test_a_worker_s_silence_counts_from_when_it_last_worked_or_could_not() -> None:
    """A flush that took long may fail, and then the last that ended was long ago."""
    silence = Silence()
    assert silence.seconds(55.0, True, 1000.0) == 55
    assert silence.seconds(0.0, True, 1010.0) == 0
    assert silence.seconds(67.0, True, 1012.0) == 2
    for age_s, redis_answers in ((None, True), (80.0, False)):
        assert silence.seconds(age_s, redis_answers, 1030.0) == 0
    assert silence.seconds(math.inf, True, 1090.0) == 60
