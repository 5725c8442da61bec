"""One look at the system: both stores are asked for what they know of it, and are waited for once each.

Readiness and the parts of the system go by the same look, so that they never say two things.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import redis
from django.conf import settings
from django.db import Error as DatabaseError

from ..books import alarms, balance
from ..intake import fitness
from ..metrics import loop_delay, signs, ticks
from ..notifications import untold
from ..notifications.models import SystemAlarm
from ..reading.detail import open_refusals_count
from ..rules import figures
from ..stores import primaries, redis_faults
from ..storing import history
from ..uploads import figures as upload_figures

# Alarms of the books that are told at most.
ALARMS_MAX = 3
# For how long a tick that expired or failed explains that no flush ran, in intervals.
INTERVALS_TOLD = 12
# Rejected records are counted up to so many.
REJECTED_COUNTED_MAX = 10_000

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class SystemReading:
    """What was seen at `now`; what nobody told is None or empty.

    `redis_error` and `postgres_answers` say who did not answer; a Redis that answers and refuses is one
    that `refuses`. `hindrance` is why no record could be accepted. Moments are in seconds since 1970.
    """

    now: datetime
    redis_error: str = ""
    # What is wrong with how it is asked, which waiting does not mend.
    redis_fault: str = ""
    refuses: bool = False
    hindrance: str = ""
    books: balance.Books | None = None
    # Who is the primary of Redis; None where it is all there is.
    primary: primaries.Primary | None = None
    last_ticks: dict[str, float] = field(default_factory=dict)
    last_signs: dict[str, float] = field(default_factory=dict)
    postgres_answers: bool = True
    # Seconds without a flush: 0 amid one, endless before the first.
    flush_age_s: float | None = None
    # Rejected records that nobody has resolved.
    rejected_open: int = 0
    alarms_of_books: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    uploads: upload_figures.UploadFigures | None = None
    untold: list[str] = field(default_factory=list)
    # The system's own alarms that are not over: since when, by key.
    alarms_since: dict[str, datetime] = field(default_factory=dict)
    # When a store that answers now was last seen silent, by its name, in seconds since 1970: see `silences`.
    silent_at: dict[str, float] = field(default_factory=dict)
    # Seconds that a turn of this process's event loop took to come; None where it serves none.
    loop_delay_s: float | None = None

    @property
    def latest_tick(self) -> str:
        """What the latest tick came to: "done", "failed" or "expired"; "" where none came lately."""
        latest = max(self.last_ticks, key=lambda outcome: self.last_ticks[outcome], default="")
        longest_s = INTERVALS_TOLD * settings.FLUSH_INTERVAL_SECONDS
        if not latest or self.now.timestamp() - self.last_ticks[latest] > longest_s:
            return ""
        return latest


def read() -> SystemReading:
    """Looks. Raises nothing that a store may do; blocks, for some seconds where one is silent."""
    now = datetime.now(UTC)
    hindrance, books, last_ticks, last_signs, primary = "", None, {}, {}, None
    redis_error, redis_fault, refuses = "", "", False
    try:
        hindrance = fitness.hindrance()
        books = balance.read()
        primary = primaries.read()
        last_ticks, last_signs = ticks.last_ticks(), signs.last_signs()
    except redis.RedisError as error:
        redis_error, refuses = str(error) or type(error).__name__, isinstance(error, redis.ResponseError)
        redis_fault = redis_faults.fault(error)
    # A PostgreSQL that is silent is waited for once.
    answers = books is None or books.postgres_answers
    age_s = _told(history.age_s, None) if answers else None
    answers = answers and (books is not None or age_s is not None)
    return SystemReading(
        now=now,
        redis_error=redis_error.partition("\n")[0],
        redis_fault=redis_fault,
        refuses=refuses,
        hindrance=hindrance,
        books=books,
        primary=primary,
        last_ticks=last_ticks,
        last_signs=last_signs,
        postgres_answers=answers,
        flush_age_s=age_s,
        rejected_open=_told(lambda: open_refusals_count(REJECTED_COUNTED_MAX), 0) if answers else 0,
        alarms_of_books=_told(_alarms, []) if answers else [],
        rules=_told(lambda: figures.problems(redis_answers=not redis_error), []) if answers else [],
        uploads=_told(upload_figures.read, None) if answers else None,
        untold=_told(untold.problems, []) if answers else [],
        alarms_since=_told(_alarms_since, {}) if answers else {},
        loop_delay_s=loop_delay.delay_s(),
    )


def _told(ask: Callable[[], Told], otherwise: Told) -> Told:
    """What PostgreSQL tells; it may be too busy for one question, and answer the next."""
    try:
        return ask()
    except DatabaseError:
        return otherwise


def _alarms() -> list[str]:
    return list(alarms.open_alarms().values_list("alarm", flat=True)[:ALARMS_MAX])


def _alarms_since() -> dict[str, datetime]:
    return dict(SystemAlarm.objects.filter(recovered_at=None).values_list("key", "opened_at")[:100])
