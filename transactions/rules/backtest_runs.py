"""Backtests that people ask for: queued, run one after the other by a worker of their own, watched, ended.

How each is taken, ended and taken up again is `transactions/runs.py`; it is taken up from the beginning.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

import psycopg2
from django.db import DatabaseError, transaction
from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Now

from ..runs import GivenBack, Runs, let_flush_go_first
from ..stores.postgres_session import Session
from . import backtest, lifecycle
from .backtest_result import BacktestResult
from .kinds.kind import Kind, as_json
from .kinds.registry import read
from .models import UNFINISHED, Backtest, BacktestState, Rule, Version, VersionState

log = logging.getLogger(__name__)

# Of each rule, and in all, so many may wait or run.
UNFINISHED_OF_RULE_MAX, UNFINISHED_MAX = 5, 50
# How many of each rule are kept, and how long.
KEPT_OF_RULE, KEPT = 50, timedelta(days=90)
RANGE_DAYS, RANGE_DAYS_MAX = 30, 3_650
# How often progress is noted and a cancel looked for, at most.
NOTED_EVERY_S = 0.5
# How often it is looked whether what runs is to end, however long a slice takes.
LOOKED_EVERY_S = 1.0

# The task that runs the next one.
TICK = "transactions.tasks.run_backtest"
# Locks of runs: "txbt" as a number.
LOCK_CLASS = 0x74786274

_runs = Runs(Backtest, lock_class=LOCK_CLASS, tick=TICK)


class BacktestRefused(Exception):
    """A backtest cannot be asked for, or ended; says why."""


class RangeRefused(BacktestRefused):
    """The range makes no sense; says why."""


class TooManyBacktests(BacktestRefused):
    """Too many wait already."""


def ask(
    rule: Rule,
    *,
    version: Version | None = None,
    form: Kind | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    timezone: str = "UTC",
    by: Any = None,
) -> Backtest:
    """Queues a backtest of a version of the rule, or of a wording that is in none yet.

    By default it looks at the RANGE_DAYS up to `end`, and that is now, and counts by days of UTC. Beside it
    stands the version in force, if that is another one. A worker is told once it is committed. Raises
    RangeRefused and TooManyBacktests.
    """
    if (version is None) == (form is None):
        raise ValueError("either a version or a form")
    if form is None and version is not None:
        form = read(version.kind, version.parameters)
    assert form is not None
    begin, end = range_of(begin, end)
    with transaction.atomic():
        # One after the other, whatever their rules, so that the bounds are kept.
        _runs.ask_alone()
        _check_room(rule)
        asked = Backtest.objects.create(
            rule=rule,
            version=version,
            kind=form.name,
            parameters=as_json(form),
            beside=beside(rule, version),
            begin=begin,
            end=end,
            timezone=timezone,
            asked_by=by,
        )
        old = rule.backtests.exclude(state__in=UNFINISHED).order_by("-id")[KEPT_OF_RULE:]
        Backtest.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
        transaction.on_commit(send_tick)
    asked.refresh_from_db()
    return asked


def range_of(
    begin: datetime | None, end: datetime | None, days: int | None = None
) -> tuple[datetime, datetime]:
    """The range that is meant: `days` (RANGE_DAYS) up to `end`, and that is now, where nothing is said.

    Raises RangeRefused.
    """
    with database.cursor() as cursor:
        cursor.execute("SELECT now()")
        now: datetime = cursor.fetchone()[0]
    end = now if end is None else end
    try:
        begin = end - timedelta(days=days or RANGE_DAYS) if begin is None else begin
    except OverflowError:
        begin = end
    try:
        lifecycle.check_not_before_all(begin)
    except lifecycle.MomentRefused as refused:
        raise RangeRefused(str(refused)) from None
    if begin >= end:
        raise RangeRefused("The range must end after it begins.")
    if begin > now:
        raise RangeRefused("The range must begin before now: nothing is known of the future.")
    if end - begin > timedelta(days=RANGE_DAYS_MAX):
        raise RangeRefused(f"The range must not be longer than {RANGE_DAYS_MAX:,} days.")
    return begin, end


def beside(rule: Rule, version: Version | None) -> Version | None:
    """What a version, or a wording that is in none yet, is compared with: the version in force."""
    active: Version | None = rule.versions.filter(state=VersionState.ACTIVE).first()
    return None if active is None or (version is not None and active.pk == version.pk) else active


def cancel(asked: Backtest) -> Backtest:
    """Ends a backtest: at once where it waits, within a slice where it runs. Raises BacktestRefused.

    One that was cancelled before stays so.
    """
    state = _runs.cancel(asked.pk)
    if state not in (*UNFINISHED, BacktestState.CANCELLED):
        raise BacktestRefused(f"The backtest has ended: it is {BacktestState(state).label.lower()}.")
    return Backtest.objects.get(pk=asked.pk)


def look_after() -> bool:
    """Takes back what a killed worker left, gives up and prunes what is old; whether any waits."""
    _runs.take_back()
    Backtest.objects.exclude(state__in=UNFINISHED).filter(ended_at__lt=Now() - KEPT).delete()
    return _runs.waiting().exists()


def send_tick() -> None:
    """Has a worker take the backtest that is next. While Redis is away another tick is sent later."""
    _runs.send_tick()


def waits_in_vain(longer: timedelta) -> Backtest | None:
    """A backtest that has waited longer than that while none runs; None where all is well."""
    unfinished = Backtest.objects.filter(state__in=UNFINISHED)
    if unfinished.filter(state=BacktestState.RUNNING).exists():
        return None
    return unfinished.filter(asked_at__lt=Now() - longer).order_by("id").first()


def run_next(stopping: Callable[[], bool] = lambda: False) -> Backtest | None:
    """Takes the backtest that has waited longest, and runs it to its end; None if there is none to take.

    Where `stopping` says so, it goes back to the queue. Raises django.db.Error and psycopg2.Error where
    PostgreSQL is away; what is wrong with one backtest is told in it.
    """
    with backtest.opened() as session:
        pk = _runs.take_next(session, steps_done=0, steps=0)
        if pk is None:
            return None
        _run(Backtest.objects.select_related("beside").get(pk=pk), session, stopping)
        # It is gone where everything was deleted meanwhile.
        return Backtest.objects.filter(pk=pk).first()


def _check_room(rule: Rule) -> None:
    unfinished = Backtest.objects.filter(state__in=UNFINISHED)
    if unfinished.filter(rule=rule).count() >= UNFINISHED_OF_RULE_MAX:
        raise TooManyBacktests(
            f"{UNFINISHED_OF_RULE_MAX} backtests of this rule wait or run: cancel one, or wait for its end."
        )
    if unfinished.count() >= UNFINISHED_MAX:
        raise TooManyBacktests(f"{UNFINISHED_MAX} backtests wait or run: wait for one to end.")


def _run(taken: Backtest, session: Session, stopping: Callable[[], bool]) -> None:
    began = time.monotonic()
    watch = _Watch(taken.pk, stopping)
    try:
        result = watch.over(
            session,
            lambda: backtest.run(
                read(taken.kind, taken.parameters),
                taken.begin,
                taken.end,
                beside=None if taken.beside is None else read(taken.beside.kind, taken.beside.parameters),
                rule=taken.rule_id,
                timezone=taken.timezone,
                progress=watch,
                session=session,
            ),
        )
    except backtest.Cancelled:
        _runs.end(taken.pk, BacktestState.CANCELLED)
    except GivenBack:
        _runs.give_back(taken.pk)
    except Exception as error:
        # A fault of ours deserves its traceback; what the statement met, a line.
        log.error("Backtest %s failed: %r", taken.pk, error, exc_info=not isinstance(error, psycopg2.Error))
        reason = str(error).partition("\n")[0] or type(error).__name__
        _runs.end(taken.pk, BacktestState.FAILED, error=reason[:200])
    else:
        _runs.end(taken.pk, BacktestState.DONE, result=result.as_dict(), steps_done=F("steps"))
        log.info("Backtest %s: %s hits in %.1f s", taken.pk, result.hits, time.monotonic() - began)


def _closing_connection(work: Callable[[], BacktestResult]) -> BacktestResult:
    """What comes of the work; the connection of its thread goes with it."""
    try:
        return work()
    finally:
        database.close()


class _Watch:
    """Looks whether a run is to end: between two slices, where it also notes how far it is and lets the
    flush go first, and amid a slice, whose statement is cancelled then.
    """

    def __init__(self, pk: int, stopping: Callable[[], bool]) -> None:
        self._pk, self._stopping = pk, stopping
        self._deadline = time.monotonic() + backtest.RUN_S_MAX
        self._noted_at = 0.0
        self._ended_by: Exception | None = None

    def __call__(self, done: int, total: int) -> bool:
        if done < total:
            let_flush_go_first(self._stopping)
        ended_by = self._is_over()
        # What is done to its end is not given back.
        if ended_by is not None and (done < total or not isinstance(ended_by, GivenBack)):
            raise ended_by
        if time.monotonic() - self._noted_at >= NOTED_EVERY_S:
            if not _runs.unless_cancelled(self._pk).update(steps_done=done, steps=total):
                return False
            self._noted_at = time.monotonic()
        return True

    def over(self, session: Session, work: Callable[[], BacktestResult]) -> BacktestResult:
        """What comes of the work, done in a thread. This one looks meanwhile, and cancels its statement.

        Not the other way round: of a signal Python hears in the main thread alone, and not before the
        statement that this waits for has ended.
        """
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(_closing_connection, work)
            try:
                while not wait([working], LOOKED_EVERY_S).done:
                    self._look(session)
                return working.result()
            except psycopg2.errors.QueryCanceled:
                if self._ended_by is None:
                    raise
                raise self._ended_by from None
            finally:
                if not working.done():
                    session.cancel()

    def _look(self, session: Session) -> None:
        try:
            cancelled = not _runs.unless_cancelled(self._pk).exists()
            self._ended_by = backtest.Cancelled() if cancelled else self._is_over()
            if self._ended_by is not None:
                session.cancel()
        except (DatabaseError, psycopg2.Error) as error:
            # The run itself finds out whether PostgreSQL is away.
            log.warning("It was not seen whether backtest %s is to end: %r", self._pk, error)

    def _is_over(self) -> Exception | None:
        if self._stopping():
            return GivenBack()
        if time.monotonic() > self._deadline:
            return TimeoutError(f"It took longer than {backtest.RUN_S_MAX:.0f} s.")
        return None
