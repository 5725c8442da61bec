"""The figures as all dashboards of a process share them: each asked for once, and kept for a moment."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import Error as DatabaseError

from ..reading.detail import latest_refusals
from ..reading.spans import HOUR
from ..stores.bounded_queries import all_within, bounded
from . import figures
from .cached import Kept
from .failing import failing_beside_before
from .overview import Counted, Minutes, count_before, count_hour, is_behind, overview
from .periods import ChosenPeriod
from .poll_pace import PollPace
from .wrong import FailureRise, wrong

log = logging.getLogger(__name__)

Data = TypeVar("Data")

# For how many seconds each is kept at least.
STATUS_S = 1.0
HOUR_S = 60.0
ANEW_S = 15.0
OVERVIEW_S = 4.0
WRONG_S = 4.0
FAILING_S = 10.0
REFUSED_S = 4.0
# As many as the live table keeps for a filter.
REFUSED_MAX = 1_000
# What all statements of one figure may take together, and those of all figures of a poll. A browser waits for
# 15 s, and the alerts beside the figures come after them.
FIGURE_MS_MAX = 3_500
POLL_MS_MAX = 7_000


class ToldFigure(NamedTuple, Generic[Data]):
    """What a figure says, and the moment up to which it counts."""

    as_of: datetime
    data: Data


class PollFigures(NamedTuple):
    """What a poll of the dashboard is told; None for a figure that PostgreSQL does not tell in time."""

    status: dict[str, Any]
    again_seconds: float
    overview: ToldFigure[dict[str, Any]] | None
    wrong: ToldFigure[FailureRise | None] | None
    failing: ToldFigure[dict[str, Any]] | None

    def as_dict(self) -> dict[str, Any]:
        wrong = self.wrong and {
            "as_of": self.wrong.as_of,
            "data": self.wrong.data and self.wrong.data.as_dict(),
        }
        return {
            "status": self.status,
            "again_seconds": self.again_seconds,
            "overview": self.overview and self.overview._asdict(),
            "wrong": wrong,
            "failing": self.failing and self.failing._asdict(),
        }


class ChosenFigures:
    """The figures of one choice of period and comparison. Safe for threads."""

    def __init__(self, choice: ChosenPeriod, hour: Kept[Minutes], as_of: Callable[[], datetime]) -> None:
        self._choice = choice
        self._hour = hour
        self._as_of = as_of
        self._before = Kept(lambda: count_before(choice, as_of()), HOUR_S)
        # Of rows that were pruned nothing is found anew, and so it is not looked for at each poll.
        self._anew = Kept(lambda: Counted(hour.renew(), *self._before.renew()), ANEW_S)
        self._overview = Kept(self._ask_overview, OVERVIEW_S)
        self._failing = Kept(self._ask_failing, FAILING_S)

    def overview(self) -> ToldFigure[dict[str, Any]]:
        if self._choice.period.length <= HOUR:
            # First, or what whole hours cost would count as a cost of their newest minutes.
            self._hour.get()
            self._before.get()
        return self._overview.get()

    def failing(self) -> ToldFigure[dict[str, Any]]:
        return self._failing.get()

    def _ask_overview(self) -> ToldFigure[dict[str, Any]]:
        until, counted = self._as_of(), None
        if self._choice.period.length <= HOUR:
            counted = Counted(self._hour.get(), *self._before.get())
        told = overview(self._choice, until, counted)
        if counted and is_behind(told):
            told = overview(self._choice, until, self._anew.get())
        return ToldFigure(until, told)

    def _ask_failing(self) -> ToldFigure[dict[str, Any]]:
        until = self._as_of()
        return ToldFigure(until, failing_beside_before(self._choice, until))


class SharedFigures:
    """All figures of a process. Safe for threads."""

    def __init__(self) -> None:
        self._status = Kept(figures.status, STATUS_S)
        self._minutes = Kept(lambda: count_hour(self._as_of()), HOUR_S)
        self._wrong = Kept(self._ask_wrong, WRONG_S)
        self._refused = Kept(self._ask_refused, REFUSED_S)
        self._chosen: dict[ChosenPeriod, ChosenFigures] = {}
        self._pace = PollPace()

    def everything(self, choice: ChosenPeriod) -> PollFigures:
        """The strip, the figures, and when to ask again.

        Raises redis.RedisError, and django.db.Error where the strip cannot be told.
        """
        chosen = self.chosen(choice)
        status = self._status.get()
        with all_within(POLL_MS_MAX):
            return PollFigures(
                status=status,
                again_seconds=self._pace.again_s(),
                overview=self._if_told("period", chosen.overview),
                wrong=self._if_told("failure rate", self.wrong),
                failing=self._if_told("failures by customer", chosen.failing),
            )

    def chosen(self, choice: ChosenPeriod) -> ChosenFigures:
        """The figures of one choice; there are no more choices than PERIODS and COMPARISONS allow."""
        made = ChosenFigures(choice, self._minutes, self._as_of)
        return self._chosen.setdefault(choice, made)

    def wrong(self) -> ToldFigure[FailureRise | None]:
        return self._wrong.get()

    def refused(self) -> dict[str, Any]:
        """The latest records that the flush refused, and how many the books had counted when they were read.

        Raises redis.RedisError, django.db.Error.
        """
        return self._refused.get()

    def forget(self) -> None:
        """Forgets every kept answer, for a test that begins."""
        self._status.forget()
        self._minutes.forget()
        self._wrong.forget()
        self._refused.forget()
        self._chosen.clear()

    def _if_told(self, name: str, get: Callable[[], ToldFigure[Data]]) -> ToldFigure[Data] | None:
        try:
            with all_within(FIGURE_MS_MAX):
                return get()
        except DatabaseError as error:
            log.warning("The dashboard's %s cannot be told (%s)", name, type(error).__name__)
            return None

    def _ask_wrong(self) -> ToldFigure[FailureRise | None]:
        until = self._as_of()
        return ToldFigure(until, wrong(until))

    def _ask_refused(self) -> dict[str, Any]:
        counted = self._status.get()["books"]["rejected"]
        with bounded():
            return {"rejected": counted, "refused": latest_refusals(REFUSED_MAX)}

    def _as_of(self) -> datetime:
        return figures.as_of(self._status.get()["books"]["last_flush"])


shared_figures = SharedFigures()
