"""The worker flushes by itself when nobody tells it to.

A tick is a message: Celery Beat sends it through Redis, and the worker flushes. It may fail to come.
Over its memory limit Redis takes no messages, and Celery may stop listening after a reconnect while
its process lives on. So a thread of the worker's main process looks how old the last flush is, and
flushes once that is older than two intervals. A flush too many is harmless.
"""

import logging
import threading

import psycopg2
import redis
from django.conf import settings

from ..stores.postgres_session import Session
from . import history
from .bulk_insert import Superseded
from .flush import flush

log = logging.getLogger(__name__)

# Intervals without a flush after which the thread makes one.
INTERVALS = 2


def flush_if_overdue() -> bool:
    """Flushes where no flush has ended for two intervals; says whether it did.

    Raises psycopg2.Error, redis.RedisError, Superseded, as a flush does.
    """
    with Session() as session, session.transaction() as cursor:
        age_s = history.ask_age_s(cursor)
    if age_s <= INTERVALS * settings.FLUSH_INTERVAL_SECONDS:
        return False
    report = flush()
    if report.total:
        log.warning("No tick came; flushed without one: %s", report)
    return not report.busy


def start_clock() -> threading.Event:
    """Starts the thread, which dies with the process; the event that is returned ends it."""
    ended = threading.Event()
    threading.Thread(target=_run, args=(ended,), name="watchdog", daemon=True).start()
    return ended


def _run(ended: threading.Event) -> None:
    # The last flush may be old because everything was stopped: Beat is given time to send the first tick.
    if ended.wait(INTERVALS * settings.FLUSH_INTERVAL_SECONDS):
        return
    while not ended.wait(settings.FLUSH_INTERVAL_SECONDS):
        try:
            flush_if_overdue()
        except (psycopg2.Error, redis.RedisError, Superseded) as error:
            log.warning("A flush without a tick failed: %s", str(error).partition("\n")[0])
        except Exception:
            log.exception("A flush without a tick failed")
