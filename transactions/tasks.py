"""Celery's way in: a tick carries no data, and any number of them at once is harmless."""

import logging
from typing import Any

import psycopg2
import redis
from celery import shared_task
from celery.signals import worker_init

from . import ticks
from .bulk_insert import Superseded
from .flush import flush

log = logging.getLogger(__name__)

# What a flush may meet at any time, and the next one gets over: a line of the log, no traceback.
EXPECTED = (psycopg2.Error, redis.RedisError, Superseded)


@shared_task(name="transactions.tasks.flush_transactions", ignore_result=True, throws=EXPECTED)
def flush_transactions() -> None:
    """Stores everything that waits in Redis. Raises EXPECTED, which counts as a tick that failed."""
    try:
        report = flush()
    except EXPECTED as error:
        log.error("The flush failed, and the next tick starts over: %s", str(error).partition("\n")[0])
        raise
    if report.busy:
        log.info("Another flush is under way")
    elif report.total:
        log.info("Flushed %s", report)


# Not `worker_ready`: over its memory limit Redis does not let a worker become ready.
@worker_init.connect
def start_clock(**_: Any) -> None:
    """The worker's main process flushes by itself when no tick comes."""
    ticks.start_clock()
