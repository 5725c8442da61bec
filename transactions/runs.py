"""What people ask for and a worker of the queue “backtests” does: taken, given back, ended, taken up again.

A run is a row that says how it is, how often it was taken, when it was asked for and whether it is to end.
It is whoever's who holds its lock, and the lock is held by a session of the one that works: so each is run
once at a time, and where a worker was killed its lock is gone too. What it ran is taken up again, and given
up when that happens twice.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import connection as database
from django.db import models, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from .queue.keys import QUEUE
from .stores.postgres_session import Session
from .stores.redis_connection import connection

# What every run can be; a table may have further states.
QUEUED, RUNNING, CANCELLED, FAILED = "QUEUED", "RUNNING", "CANCELLED", "FAILED"
UNDER_WAY = (QUEUED, RUNNING)
# One that no worker takes is given up.
WAITS_MAX = timedelta(days=1)
ATTEMPTS_MAX = 2
# A tick that no worker took by then is worth nothing: another one is sent.
TICK_S = 60.0
# Between two slices a run waits so long, at most, while the flush is behind.
PAUSE_S_MAX, PAUSE_S = 10.0, 0.5

KILLED = f"The worker was killed while it ran, {ATTEMPTS_MAX} times."
NO_WORKER = "No worker took it within a day: does one of the queue “backtests” run?"
# Purpose: what is said to run, and is no longer run by anybody: queued again, or at its end.
TAKE_BACK = f"""
    UPDATE {{table}} b
       SET state = CASE WHEN cancel_asked THEN '{CANCELLED}'
                        WHEN attempts < {ATTEMPTS_MAX} THEN '{QUEUED}'
                        ELSE '{FAILED}' END,
           ended_at = CASE WHEN cancel_asked OR attempts >= {ATTEMPTS_MAX} THEN now() END,
           error = CASE WHEN cancel_asked OR attempts < {ATTEMPTS_MAX} THEN '' ELSE '{KILLED}' END
     WHERE state = '{RUNNING}' AND NOT EXISTS (
        SELECT FROM pg_locks l
         WHERE l.locktype = 'advisory' AND l.classid::bigint = {{lock_class}} AND l.objsubid = 1
           AND l.objid::bigint = b.id & 4294967295
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


class GivenBack(Exception):
    """The worker is to stop: what it runs goes back to the queue."""


class Runs:
    """The runs of one table; `tick` is the name of the task that runs the next one.

    Locks have `lock_class` in the upper half and the run's key in the lower one. That of 0, which is no
    run's, is held while one more is asked for.
    """

    def __init__(self, model: type[models.Model], *, lock_class: int, tick: str) -> None:
        self._rows: QuerySet[Any] = model._default_manager.all()
        self._lock_class, self._tick = lock_class, tick
        self._take_back = TAKE_BACK.format(table=model._meta.db_table, lock_class=lock_class)

    def under_way(self) -> QuerySet[Any]:
        """Those that wait for a worker, or have one."""
        return self._rows.filter(state__in=UNDER_WAY)

    def waiting(self) -> QuerySet[Any]:
        """Those that wait for a worker."""
        return self._rows.filter(state=QUEUED)

    def ask_alone(self) -> None:
        """Until the transaction ends nobody else asks for one, so that bounds are kept."""
        with database.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_xact_lock({self._lock_class << 32})")

    def send_tick(self) -> None:
        """Has a worker take the run that is next. While Redis is away another tick is sent later."""
        # Loaded here: a process that sends none, as most do, starts without Celery.
        import_string(settings.TICKS_SENT_BY)(self._tick, TICK_S)

    def take_back(self) -> None:
        """Queues what a killed worker left, or ends it; gives up what no worker takes."""
        with database.cursor() as cursor:
            cursor.execute(self._take_back)
        self.waiting().filter(asked_at__lt=Now() - WAITS_MAX).update(
            state=FAILED, ended_at=Now(), error=NO_WORKER
        )

    def take_next(self, session: Session, **fresh: Any) -> int | None:
        """The key of the run that has waited longest, taken, with its lock in `session`; None without any.

        `fresh` is what it begins with.
        """
        for pk in list(self.waiting().order_by("id").values_list("pk", flat=True)):
            if session.try_lock(self._lock_class << 32 | pk & 0xFFFFFFFF) and self._take(pk, fresh):
                return int(pk)
        return None

    def unless_cancelled(self, pk: int) -> QuerySet[Any]:
        """The run, as long as it is to go on."""
        return self._rows.filter(pk=pk, state=RUNNING, cancel_asked=False)

    def give_back(self, pk: int) -> None:
        """To the queue, as if it had not been taken."""
        self._rows.filter(pk=pk).update(state=QUEUED, attempts=F("attempts") - 1)

    def end(self, pk: int, state: str, **more: Any) -> None:
        """Ends a run that has not ended."""
        self._rows.filter(pk=pk, state__in=UNDER_WAY).update(state=state, ended_at=Now(), **more)

    def cancel(self, pk: int) -> str:
        """Ends a run: at once where it waits, within a slice where it runs. Says what it was until now."""
        with transaction.atomic():
            held = self._rows.select_for_update().get(pk=pk)
            state = str(held.state)
            if state == QUEUED:
                self.end(pk, CANCELLED)
            elif state == RUNNING:
                self._rows.filter(pk=pk).update(cancel_asked=True)
        return state

    def _take(self, pk: int, fresh: dict[str, Any]) -> bool:
        """Whether it still waited; under its lock."""
        taken = {"state": RUNNING, "attempts": F("attempts") + 1, "started_at": Now(), "error": ""}
        return bool(self.waiting().filter(pk=pk).update(**taken, **fresh))


def let_flush_go_first(stopping: Callable[[], bool]) -> None:
    """Waits, for PAUSE_S_MAX at most, while more waits to be stored than one chunk has."""
    until = time.monotonic() + PAUSE_S_MAX
    while _flush_is_behind() and time.monotonic() < until and not stopping():
        time.sleep(PAUSE_S)


def _flush_is_behind() -> bool:
    try:
        return int(connection().llen(QUEUE)) > settings.FLUSH_CHUNK_RECORDS
    except redis.RedisError:
        return False
