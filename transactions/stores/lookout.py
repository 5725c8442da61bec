"""A thread that looks twice a second which replicas are there, where sentinels tell the primary.

So a replica that has long been gone is known as such when the first write comes, and one stops counting with
nobody waiting for it. A process has one such thread from the first time that it needs one.
"""

import logging
import os
import threading
import time
from contextlib import suppress

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import primaries, sentinel_url, sentinels
from .replicas import CountedReplicas, replication_in

log = logging.getLogger(__name__)

LOOK_S = 0.5
PATIENCE_S = 1.0
# Who is the primary is noted so often: again and again, since Redis may have been emptied.
NOTE_S = 2.0

counted = CountedReplicas()
_thread: threading.Thread | None = None
_starting = threading.Lock()


def keep() -> None:
    """Has the thread run from now on; it ends by itself where another Redis is meant."""
    global _thread
    if _thread is not None and _thread.is_alive():
        return
    with _starting:
        url = sentinel_url.read(settings.REDIS_URL)
        if url is not None and (_thread is None or not _thread.is_alive()):
            _thread = threading.Thread(target=_run, args=(url,), name="lookout", daemon=True)
            _thread.start()


def _run(url: sentinel_url.SentinelUrl) -> None:
    bounds = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
    client = sentinels.primary(url, retry=Retry(NoBackoff(), 0), **bounds)
    named = sentinels.NamedPrimary(url)
    noted_at = float("-inf")
    try:
        while sentinel_url.read(settings.REDIS_URL) == url:
            with suppress(redis.RedisError):
                _look(client, named)
                if time.monotonic() - noted_at >= NOTE_S:
                    noted_at = time.monotonic()
                    # Over its memory limit Redis refuses it.
                    primaries.note(client, primaries.connected_to(client))
            if counted.missing(time.monotonic()):
                # It may be missing because it has become the primary: the next look asks the sentinels again.
                client.connection_pool.disconnect(inuse_connections=False)
            time.sleep(LOOK_S)
    finally:
        client.close()
        named.close()


def _look(client: "redis.Redis", named: sentinels.NamedPrimary) -> None:
    info = client.info("replication", "server")
    told = replication_in(info)
    counted.look(told, settings.REDIS_REPLICAS, time.monotonic())
    gone = counted.overdue(told.history, settings.REPLICA_GONE_SECONDS, time.monotonic())
    if gone and named.is_this(info["run_id"]):
        counted.let_go(told.history, gone)
        log.warning(
            "%s missing for more than %s s: intake goes on with %s",
            _replicas(len(gone)),
            settings.REPLICA_GONE_SECONDS,
            _replicas(len(told.in_step)),
        )


def _replicas(number: int) -> str:
    return f"{number} replica{'' if number == 1 else 's'}"


def _after_fork() -> None:
    """A child has no thread of its parent's, and locks as they happened to be."""
    global _thread, _starting, counted
    _thread, _starting, counted = None, threading.Lock(), CountedReplicas()


os.register_at_fork(after_in_child=_after_fork)
