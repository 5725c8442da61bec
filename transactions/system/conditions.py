"""What is wrong with the system itself, as a worker sees it every half minute: each told once, and its end.

Beside what Prometheus would tell: whoever is on call is told by webhook or mail. What this cannot tell is
that PostgreSQL is away, or the worker that would tell it.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from time import time

import redis
from django.conf import settings
from django.db import Error as DatabaseError

from ..books import alarms as books_alarms
from ..books import balance
from ..intake import fitness
from ..metrics import ticks
from ..notifications import alarms
from ..notifications.models import SystemAlarm
from ..queue.keys import QUEUE
from ..rules import figures
from ..stores import primaries, redis_faults
from ..stores.redis_connection import reader
from ..storing import history
from .parts import FULL_SHARE

log = logging.getLogger(__name__)

# Seconds without a tick.
SILENT_S_MAX = 30
# Rules that fail and are alarms at once.
RULES_MAX = 100


def look(silent_s: float = 0.0) -> None:
    """Notes what is wrong now; `silent_s` is for how long no tick has come. Raises django.db.Error."""
    found, unasked = _ask(silent_s)
    alarms.note(found, unasked)


def seen(silent_s: float = 0.0) -> dict[str, str]:
    """What is wrong, in a sentence each, by the key of its alarm, as far as that could be asked."""
    return _ask(silent_s)[0]


def over_by_now(keys: Collection[str]) -> set[str]:
    """Those of the keys of alarms that are not so any more, as far as that can be asked.

    Whoever was told of them is told that they are over only when nobody has seen them for a while.
    """
    seen_now, unasked = set[str](), set[str]()
    for begin, source in {**SOURCES, "redis": _redis, "ticks": _ticks}.items():
        if not any(key.startswith(begin) for key in keys):
            continue
        try:
            seen_now |= source().keys()
        except (redis.RedisError, DatabaseError, _Unknown) as error:
            log.warning("%s could not be asked: %s", begin, error)
            unasked.add(begin)
    return {key for key in keys if key not in seen_now and not key.startswith(tuple(unasked))}


def _ask(silent_s: float) -> tuple[dict[str, str], list[str]]:
    """What is wrong, and how the keys begin of what could not be asked: each source by itself, and no more
    of Redis once it has not answered.
    """
    found, unasked = dict[str, str](), list[str]()
    for key, source in SOURCES.items():
        if key in OF_REDIS and "redis" in found:
            unasked.append(key)
            continue
        try:
            found |= source()
            continue
        except redis.RedisError as error:
            why = redis_faults.fault(error) or type(error).__name__
            found["redis"] = f"Redis does not answer: {why}."
        except (DatabaseError, _Unknown) as error:
            why = str(error).partition("\n")[0]
        log.warning("%s could not be asked: %s", key, why)
        unasked.append(key)
    # The worker that flushes does so without ticks too, and so nothing else would show that Beat is dead.
    if silent_s > SILENT_S_MAX and "flush" not in found:
        found["ticks"] = f"No tick for {silent_s:.0f} s: does Celery Beat run?"
    if {"flush", "ticks"} & found.keys() and ("redis" in found or _redis_was_away()):
        # Ticks go through Redis: while it is away, and until the next ones have come, neither worker nor Beat
        # is to blame.
        for key in ("flush", "ticks"):
            found.pop(key, None)
            unasked.append(key)
    return found, unasked


def _redis_was_away() -> bool:
    """Whether the alarm of Redis is not over yet, as far as PostgreSQL tells."""
    with suppress(DatabaseError):
        return SystemAlarm.objects.filter(key="redis", recovered_at=None).exists()
    return False


class _Unknown(Exception):
    """There is no telling now; says why."""


def _books() -> dict[str, str]:
    return {f"books:{epoch.pk}": f"The books: {epoch.alarm}" for epoch in books_alarms.open_alarms()[:10]}


def _rules() -> dict[str, str]:
    return {f"rules:{key}": f"The rules: {told}." for key, told in figures.wrong(RULES_MAX).items()}


def _left() -> dict[str, str]:
    return {f"rules:{key}": f"The rules: {told}." for key, told in figures.left().items()}


def _flush() -> dict[str, str]:
    age_s = history.age_s()
    if not history.is_missing(age_s):
        return {}
    told = "Nothing has been stored yet" if age_s == float("inf") else f"No flush for {age_s:.0f} s"
    return {"flush": f"{told}: do the worker and Celery Beat run, and do both stores answer?"}


def _intake() -> dict[str, str]:
    hindrance = fitness.hindrance()
    return {"intake": f"Intake refuses transactions: {hindrance}."} if hindrance else {}


def _replicas() -> dict[str, str]:
    primary = primaries.read()
    if primary is None or not primary.missing:
        return {}
    return {"replicas": f"{primary.online} of {primary.wanted} replicas of Redis are online."}


def _sentinels() -> dict[str, str]:
    primary = primaries.read()
    if primary is None or not primary.sentinels_missing:
        return {}
    return {"sentinels": f"{primary.sentinels} of {primary.sentinels_wanted} sentinels of Redis answer."}


def _queue() -> dict[str, str]:
    waiting = int(reader().llen(QUEUE))
    if waiting < FULL_SHARE * settings.MAX_QUEUE_LENGTH:
        return {}
    return {"queue": f"{waiting:,} records wait, of {settings.MAX_QUEUE_LENGTH:,} that may."}


def _balance() -> dict[str, str]:
    balanced = balance.read().balanced
    if balanced is None:
        raise _Unknown("PostgreSQL does not answer, or the stores move on too fast")
    return {} if balanced else {"balance": "The books do not balance."}


def _redis() -> dict[str, str]:
    """Raises redis.RedisError where it does not answer."""
    reader().ping()
    return {}


def _ticks() -> dict[str, str]:
    silent_s = time() - max(ticks.last_ticks().values(), default=0.0)
    return {"ticks": f"No tick for {silent_s:.0f} s."} if silent_s > SILENT_S_MAX else {}


# What is asked, by how the keys of its alarms begin.
SOURCES: dict[str, Callable[[], dict[str, str]]] = {
    "books:": _books,
    alarms.OF_ENDPOINT: alarms.of_endpoints,
    "mail": alarms.of_mail,
    "rules": _rules,
    "rules:left": _left,
    "flush": _flush,
    "intake": _intake,
    "queue": _queue,
    "replicas": _replicas,
    "sentinels": _sentinels,
    "balance": _balance,
}
# Those which ask Redis.
OF_REDIS = frozenset({"rules:left", "intake", "queue", "replicas", "sentinels", "balance"})
