"""Celery's way in: a tick carries no data, and any number of them at once is harmless.

What becomes of ticks is told too, for readiness and the metrics: one that expired before the worker
took it means that the worker is overloaded, or that the clocks of the hosts are apart; no tick at
all, that Beat or the broker is away.
"""

import logging
import threading
from typing import Any

import psycopg2
import redis
from celery import shared_task
from celery.signals import (
    after_task_publish,
    task_failure,
    task_received,
    task_revoked,
    task_success,
    worker_init,
    worker_shutting_down,
)
from django.conf import settings
from django.db import Error as DatabaseError

from .access import tokens
from .audit import known_settings
from .metrics import signs, ticks
from .notifications import delivery, mail, numbering
from .notifications.clock import Chore, Clock
from .rules import backtest_runs
from .storing import retention, watchdog
from .storing.bulk_insert import Superseded
from .storing.flush import flush
from .system import conditions
from .uploads import steps as upload_steps

log = logging.getLogger(__name__)

# What a task may meet at any time, and the next one gets over: a line of the log, no traceback. Django has
# errors of its own, which are not psycopg2's.
EXPECTED = (psycopg2.Error, DatabaseError, redis.RedisError, Superseded)
# Seconds of pruning at a time: the flush waits for it, as there is one worker for both.
PRUNE_S_MAX = 2.0
# Seconds of removing old messages at a time, twice a minute: what is told waits for it, likewise.
REMOVE_S_MAX = 2.0
# Whether this worker was told to stop. One of backtests runs them in its main process (`--pool solo`), so
# that they know, and it starts and costs as little as one process does.
_stopping = threading.Event()
# Seconds between two turns of a worker that tells, and between two looks, while it is told nothing.
TELL_S, LOOK_S = 2.0, 10.0
_clock = Clock()


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
        log.info("Flushed: %s", report)


@shared_task(name="transactions.tasks.prune_transactions", ignore_result=True, throws=EXPECTED)
def prune_transactions() -> None:
    """Removes what is more than RETENTION_DAYS old, a little at a time; 0 removes nothing."""
    if settings.RETENTION_DAYS:
        try:
            retention.go_on_pruning(settings.RETENTION_DAYS, seconds_max=PRUNE_S_MAX)
        except retention.TooShort as error:
            log.error("Nothing is pruned. %s", error)


@shared_task(name="transactions.tasks.look_after_backtests", ignore_result=True, throws=EXPECTED)
def look_after_backtests() -> None:
    """Prunes backtests and uploads, takes back what a killed worker left, sends ticks where any waits."""
    if backtest_runs.look_after():
        backtest_runs.send_tick()
    if upload_steps.look_after():
        upload_steps.runs.send_tick()


@shared_task(name=backtest_runs.TICK, ignore_result=True, throws=EXPECTED)
def run_backtest() -> None:
    """Runs the backtest that has waited longest, in a worker of the queue “backtests” alone.

    With `--pool solo` Celery's time limits do nothing. A run looks at its time between two slices, and
    PostgreSQL ends a slice that takes too long.
    """
    if backtest_runs.run_next(_stopping.is_set) is not None and not _stopping.is_set():
        backtest_runs.send_tick()


@shared_task(name=upload_steps.TICK, ignore_result=True, throws=EXPECTED)
def run_upload() -> None:
    """Takes the next step with an uploaded file, in a worker of the queue “backtests” alone."""
    # Loaded by the first: whoever flushes, or tells, reads no files.
    from .uploads import work

    if work.run_next(_stopping.is_set) is not None and not _stopping.is_set():
        upload_steps.runs.send_tick()


@shared_task(name="transactions.tasks.note_expired_tokens", ignore_result=True, throws=EXPECTED)
def note_expired_tokens() -> None:
    """Notes in the audit trail which tokens have expired since the last look."""
    tokens.note_expired()


@shared_task(name="transactions.tasks.deliver_messages", ignore_result=True, throws=EXPECTED)
def deliver_messages() -> None:
    """Tells what is new, by webhooks and mail, in a worker of the queue “notifications” alone."""
    tell()


@shared_task(name="transactions.tasks.look_after_system", ignore_result=True, throws=EXPECTED)
def look_after_system() -> None:
    """Tells of what is wrong with the system itself, and that it is over; removes old messages."""
    try:
        conditions.look()
    finally:
        numbering.go_on_pruning(seconds_max=REMOVE_S_MAX)


def tell() -> None:
    """Has what is new told, by webhooks and mail. Raises django.db.Error."""
    signs.show(signs.TELLER)
    delivery.deliver(_stopping.is_set)
    mail.start()


def connect_signals() -> None:
    """Lets Celery call the functions below; for the start of its own processes."""
    # Not `worker_ready`: over its memory limit Redis does not let a worker become ready.
    worker_init.connect(start_clocks)
    after_task_publish.connect(note_sent_tick)
    task_received.connect(note_tick)
    worker_shutting_down.connect(note_stop)
    worker_init.connect(note_settings)
    task_revoked.connect(note_expired_tick)
    task_failure.connect(note_failed_tick)
    task_success.connect(note_done_tick)


def start_clocks(sender: Any, **_: Any) -> None:
    """The main process of a worker that flushes, or tells, does so by itself when no tick comes."""
    if flushes(sender):
        watchdog.start_clock()
    if tells(sender):
        _clock.start(Chore(TELL_S, tell), Chore(LOOK_S, lambda: conditions.look(_clock.silent_s())))


def flushes(worker: Any) -> bool:
    """Whether a worker takes the flush's ticks, and not those of another queue alone."""
    return worker.app.conf.task_default_queue in worker.app.amqp.queues.consume_from


def tells(worker: Any) -> bool:
    """Whether a worker takes the ticks of messages."""
    queue = worker.app.conf.task_routes[deliver_messages.name]["queue"]
    return queue in worker.app.amqp.queues.consume_from


def note_sent_tick(sender: str | None = None, **_: Any) -> None:
    """Beat sent a tick of the flush, which nobody else sends: it lives, whoever takes the tick."""
    if sender == flush_transactions.name:
        signs.show(signs.BEAT)


def note_tick(request: Any, **_: Any) -> None:
    """A worker that tells was told to: Beat lives, and so does what is between."""
    if request.name == deliver_messages.name:
        _clock.hear()


def note_stop(**_: Any) -> None:
    """The worker ends: what it runs ends soon, or goes back."""
    _stopping.set()


def note_settings(**_: Any) -> None:
    """Settings that differ from the worker's last start are noted in the audit trail."""
    known_settings.start_noting("worker")


def note_expired_tick(sender: Any, expired: bool, **_: Any) -> None:
    """A tick came too late to be worth anything; one that somebody revoked says nothing."""
    if expired and sender.name == flush_transactions.name:
        ticks.tick("expired")


def note_failed_tick(sender: Any, **_: Any) -> None:
    """A flush failed."""
    if sender.name == flush_transactions.name:
        ticks.tick("failed")


def note_done_tick(sender: Any, **_: Any) -> None:
    """A flush ran to its end, or left since another one was under way."""
    if sender.name == flush_transactions.name:
        ticks.tick("done")
