"""Looks between slices whether a step is to go on, and notes how far it is."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from ..importing.table import Row, Table
from ..runs import GivenBack, let_flush_go_first
from ..stores.postgres_session import Session
from .steps import runs

# How often progress is noted and a cancel looked for, at most; rows between two looks at the clock.
NOTED_EVERY_S, ROWS_BETWEEN = 0.5, 100
# The session that holds a step's lock has nothing to say while a large file is opened.
IDLE = "SET idle_session_timeout = '10min'"


class StepCancelled(Exception):
    """Somebody has cancelled the step."""


class Watch:
    """Of one step. `session` holds its lock: where that is lost, psycopg2.Error ends the step too."""

    def __init__(self, pk: int, session: Session, stopping: Callable[[], bool], total: int = 0) -> None:
        self._pk, self._session, self._stopping = pk, session, stopping
        self.done, self._total = 0, total
        self._noted_at = 0.0
        self._readings: list[Iterator[Row]] = []
        with session.transaction() as cursor:
            cursor.execute(IDLE)

    def over(self, table: Table) -> Table:
        """The same table, of which every reading is watched, row by row."""

        def rows() -> Iterator[Row]:
            reading = table.rows()
            self._readings.append(reading)
            for row in reading:
                self.done += 1
                if self.done % ROWS_BETWEEN == 0:
                    self.look()
                yield row

        return replace(table, rows=rows)

    def end_readings(self) -> None:
        """Ends those that were left in their midst, as by an error, while their file is still open."""
        for reading in self._readings:
            if isinstance(reading, Generator):
                reading.close()
        self._readings.clear()

    def look(self) -> None:
        """Raises GivenBack where the worker is to stop, StepCancelled, psycopg2.Error and django.db.Error."""
        if self._stopping():
            raise GivenBack
        if time.monotonic() - self._noted_at < NOTED_EVERY_S:
            return
        with self._session.transaction() as cursor:
            cursor.execute("SELECT 1")
        if not runs.unless_cancelled(self._pk).update(done=self.done, total=max(self._total, self.done)):
            raise StepCancelled
        self._noted_at = time.monotonic()

    def before_posting(self) -> None:
        """The same between two slices that are posted: the flush goes first."""
        let_flush_go_first(self._stopping)
        self.look_now()

    def look_now(self) -> None:
        """The same however short the last look is ago: nothing of a file that was removed is posted."""
        self._noted_at = -NOTED_EVERY_S
        self.look()
