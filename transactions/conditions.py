"""What is wrong with the system itself, as a worker sees it every half minute: each told once, and its end.

Beside what Prometheus would tell: whoever is on call is told by webhook or mail. What this cannot tell is
that PostgreSQL is away, or the worker that would tell it.
"""

import redis
from django.conf import settings

from .books import alarms as books_alarms
from .books import balance
from .intake import fitness
from .notifications import alarms
from .queue.keys import QUEUE
from .rules import figures
from .stores.redis_connection import connection
from .storing import history

# Seconds without a tick.
SILENT_S_MAX = 30
# Rules that fail and are alarms at once.
RULES_MAX = 100
# The share of MAX_QUEUE_LENGTH from which on the queue is full, or nearly so.
FULL_SHARE = 0.9


def look(silent_s: float = 0.0) -> None:
    """Notes what is wrong now; `silent_s` is for how long no tick has come. Raises django.db.Error."""
    alarms.note(seen(silent_s))


def seen(silent_s: float = 0.0) -> dict[str, str]:
    """What is wrong, in a sentence each, by the key of its alarm. Raises django.db.Error."""
    found = {f"books:{epoch.pk}": f"The books: {epoch.alarm}" for epoch in books_alarms.open_alarms()[:10]}
    found |= alarms.of_endpoints() | alarms.of_mail()
    found |= {f"rules:{key}": f"The rules: {told}." for key, told in figures.wrong(RULES_MAX).items()}
    age_s = history.age_s()
    if history.is_missing(age_s):
        told = "Nothing has been stored yet" if age_s == float("inf") else f"No flush for {age_s:.0f} s"
        found["flush"] = f"{told}: does the worker run, and Celery Beat?"
    found |= _of_redis()
    # The worker that flushes does so without ticks too, and so nothing else would show that Beat is dead.
    if silent_s > SILENT_S_MAX and not found.keys() & {"flush", "redis"}:
        found["ticks"] = f"No tick for {silent_s:.0f} s: does Celery Beat run?"
    return found


def _of_redis() -> dict[str, str]:
    try:
        found = {}
        if hindrance := fitness.hindrance():
            found["intake"] = f"Intake refuses transactions: {hindrance}."
        waiting = int(connection().llen(QUEUE))
        if waiting >= FULL_SHARE * settings.MAX_QUEUE_LENGTH:
            found["queue"] = f"{waiting:,} records wait, of {settings.MAX_QUEUE_LENGTH:,} that may."
        if balance.read().balanced is False:
            found["balance"] = "The books do not balance."
    except redis.RedisError as error:
        return {"redis": f"Redis does not answer: {str(error).partition(chr(10))[0]}."}
    return found
