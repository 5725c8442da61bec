"""A system in which everybody works, or one does not: as the signs of life say it."""

from datetime import UTC, datetime, timedelta

from django.db.models.functions import Now

from transactions.metrics import signs, ticks
from transactions.models import Epoch
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

LONG_S = 3600.0


def everybody_works(for_s: float = 0.0) -> None:
    """All that waits is stored; worker, Beat and who tells live, for `for_s` seconds to come."""
    flush()
    worker_was_there(-for_s)
    for who in (signs.BEAT, signs.TELLER):
        was_there(who, -for_s)


def worker_was_there(ago_s: float) -> None:
    """The worker took a tick and flushed `ago_s` seconds ago, and nothing since."""
    Epoch.objects.update(flushed_at=Now() - timedelta(seconds=ago_s))
    connection().delete(ticks.TICKS)
    connection().hset(ticks.TICKS, "done", str(datetime.now(UTC).timestamp() - ago_s))


def was_there(who: str, ago_s: float) -> None:
    """Beat, or who tells, gave its last sign `ago_s` seconds ago."""
    connection().hset(signs.SIGNS, who, str(datetime.now(UTC).timestamp() - ago_s))
