"""Celery's way in: a tick carries no data, and any number of them at once is harmless."""

import logging

from celery import shared_task

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
