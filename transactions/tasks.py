"""Celery's way in: a tick carries no data, and any number of them at once is harmless."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init

from . import ticks
from .flush import flush

log = logging.getLogger(__name__)


@shared_task(name="transactions.tasks.flush_transactions", ignore_result=True)
def flush_transactions() -> None:
    """Stores everything that waits in Redis."""
    report = flush()
    if report.busy:
        log.info("Another flush is under way")
    elif report.total:
        log.info("Flushed %s", report)


# Not `worker_ready`: over its memory limit Redis does not let a worker become ready.
@worker_init.connect
def start_clock(**_: Any) -> None:
    """The worker's main process flushes by itself when no tick comes."""
    ticks.start_clock()
