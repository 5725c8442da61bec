"""What is asked of a log-in before its password is hashed, which takes a third of a second of a processor.

Each address has a token bucket in Redis: AT_ONCE attempts, then one every EVERY_S seconds, whatever
names are tried; whoever gets in has a full one again. And a process hashes for HASHING_MAX at once.
A few more wait for that; whoever finds those places taken too is answered 503 at once, so that
log-ins never hold all of Django's threads. Without an answer from Redis the second bound is the only one.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import redis
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.debug import sensitive_variables

from ..stores.redis_connection import connection
from .addresses import client_address
from .lockout import shown
from .rate_limits import AWAY_S, LIMIT, PATIENCE_S, TAKE

log = logging.getLogger(__name__)

AT_ONCE = 10
EVERY_S = 6.0
# Passwords that a process hashes at once, log-ins that wait for that, and for how long, in seconds.
HASHING_MAX = 2
WAITING_MAX = 2
WAIT_S = 3.0
RETRY_AFTER_S = 2
# How often the log says that log-ins are refused.
SAY_AGAIN_S = 60.0

TOO_MANY = "Too many log-ins from this address. Try again in {} seconds."
BUSY = "Others are logging in at this moment. Try again in a few seconds."

View = Callable[..., HttpResponseBase]

_places = threading.BoundedSemaphore(HASHING_MAX + WAITING_MAX)
_hashing = threading.BoundedSemaphore(HASHING_MAX)


class _Times:
    """When something may be done again, of `time.monotonic()`."""

    ask_redis = 0.0
    say = 0.0


def bounded(view: View) -> View:
    """`view`, whose POSTs hash a password: 429 or 503, both with Retry-After, for those beyond the bounds."""

    @wraps(view)
    @sensitive_variables()
    def guarded(request: HttpRequest, *args: Any, **more: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **more)
        address = client_address(request)
        if wait_s := _wait_s(address):
            return _refused(429, TOO_MANY.format(wait_s), wait_s, address)
        response = _in_turn(lambda: view(request, *args, **more))
        if response is None:
            return _refused(503, BUSY, RETRY_AFTER_S, address)
        if response.status_code == 302 and request.user.is_authenticated:
            _forgive(address)
        return response

    return guarded


def _in_turn(work: Callable[[], HttpResponseBase]) -> HttpResponseBase | None:
    """What `work` returns, done beside few others; None where too many are there already."""
    if not _places.acquire(blocking=False):
        return None
    try:
        if not _hashing.acquire(timeout=WAIT_S):
            return None
        try:
            return work()
        finally:
            _hashing.release()
    finally:
        _places.release()


def _wait_s(address: str) -> int:
    """Takes one attempt from the address' bucket: 0, or the whole seconds until it holds one again."""
    if time.monotonic() < _Times.ask_redis:
        return 0
    try:
        script = connection(PATIENCE_S).register_script(TAKE)
        taken, left = script([_bucket(address)], [1 / EVERY_S, AT_ONCE, 1, 1])
    except (redis.RedisError, OSError) as error:
        _no_answer(error)
        return 0
    return 0 if taken else max(1, math.ceil((1 - float(left)) * EVERY_S))


def _forgive(address: str) -> None:
    """Somebody has got in from the address: its bucket is full again."""
    if time.monotonic() < _Times.ask_redis:
        return
    try:
        connection(PATIENCE_S).delete(_bucket(address))
    except (redis.RedisError, OSError) as error:
        _no_answer(error)


def _bucket(address: str) -> str:
    return f"{LIMIT}log-in:{address}"


def _no_answer(error: Exception) -> None:
    _Times.ask_redis = time.monotonic() + AWAY_S
    log.warning("Redis cannot be asked about log-ins (%s): none is refused", type(error).__name__)


def _refused(status: int, why: str, wait_s: int, address: str) -> HttpResponse:
    if (now := time.monotonic()) >= _Times.say:
        _Times.say = now + SAY_AGAIN_S
        log.warning("More log-ins than are let in, the last from %s: some are answered %d", address, status)
    return shown(why, status, wait_s)
