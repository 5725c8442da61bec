"""The parts of the system: how each is, since when, why, and what to do about it.

A reading becomes parts here, without asking anybody anything. The gravest part stands for the whole. Of
several that are as grave it is the first in order of cause: a store that is away takes the worker along, and
the worker storing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from math import inf
from typing import NamedTuple

from django.conf import settings

from ..intake.fitness import TOO_FEW_DISKS
from ..metrics import loop_delay, signs
from ..notifications.alarms import OF_ENDPOINT
from ..storing import history
from . import advice
from .advice import Advice
from .reading import REJECTED_COUNTED_MAX, SystemReading

# Intervals of the flush without a sign after which a part is slow, as readiness has it, and ill.
SLOW_INTERVALS = history.INTERVALS_MISSED_MAX
ILL_INTERVALS = 6
# Intervals after which storing is slow where the oldest record has waited for so long.
WAITING_INTERVALS = 2
# Seconds without a turn after which the worker of notifications is slow, and ill. A turn comes every 2
# seconds, and may take longer where a backlog is given its places.
TELLER_SLOW_S, TELLER_ILL_S = 30.0, 60.0
# Seconds from which on the event loop is late.
LOOP_SLOW_S = 1.0
# Through which signs come.
_STORES = {"redis": "Redis", "postgres": "PostgreSQL"}
# The share of MAX_QUEUE_LENGTH from which on the queue is full, or nearly so.
FULL_SHARE = 0.9


class PartState(IntEnum):
    """From well to grave."""

    OK = 0
    UNKNOWN = 1
    SLOW = 2
    ILL = 3


class Finding(NamedTuple):
    """How a part is: `cause` in a sentence, and `brief` in a few words where it is slow or ill."""

    state: PartState
    cause: str
    brief: str = ""
    since: datetime | None = None
    # Where it is not the part's usual one.
    advice: Advice | None = None


@dataclass(frozen=True, slots=True)
class SystemPart:
    """One part, and what to do about it."""

    name: str
    title: str
    state: PartState
    cause: str
    brief: str
    since: datetime | None
    advice: Advice


@dataclass(frozen=True, slots=True)
class Condition:
    """The system at one moment: its parts in order of cause, and up to when what was accepted is stored.

    `stored_up_to` is None where nobody knows. `waiting` counts the records that are not stored yet, and
    `rejected_open` those that could not be, and that nobody has resolved.
    """

    as_of: datetime
    parts: list[SystemPart]
    stored_up_to: datetime | None
    waiting: int | None
    rejected_open: int = 0

    @property
    def gravest(self) -> SystemPart:
        return max(self.parts, key=lambda part: part.state)

    @property
    def state(self) -> PartState:
        return self.gravest.state


def condition_of(seen: SystemReading) -> Condition:
    """What follows from a reading."""
    parts = []
    for name, title, usual, judge in _PARTS:
        found = judge(seen)
        what = found.advice or usual
        parts.append(SystemPart(name, title, found.state, found.cause, found.brief, found.since, what))
    books = seen.books
    if books is None:
        return Condition(seen.now, parts, None, None)
    waiting = books.buffered + (books.in_flight or 0)
    stored_up_to = seen.now - timedelta(seconds=books.oldest_buffered_seconds or 0)
    return Condition(seen.now, parts, stored_up_to, waiting, seen.rejected_open)


def rejected_in_words(rejected_open: int) -> str:
    """How many could not be stored, in words: 1 rejected record, 2 rejected records."""
    least = "at least " * (rejected_open >= REJECTED_COUNTED_MAX)
    return f"{least}{rejected_open:,} rejected record{'' if rejected_open == 1 else 's'}"


def _redis(seen: SystemReading) -> Finding:
    since = seen.alarms_since.get("redis") or seen.alarms_since.get("intake")
    if seen.hindrance:
        # The primary is well then: what it lacks are replicas, and to start it anew would be one loss more.
        what = advice.UNCONFIRMED if seen.hindrance.startswith(TOO_FEW_DISKS) else None
        told = f"No transaction is accepted: {seen.hindrance}."
        return Finding(PartState.ILL, told, seen.hindrance, since, what)
    if seen.redis_fault:
        cause = f"{_sentence(seen.redis_fault)} No transaction is accepted, and none is stored."
        return Finding(PartState.ILL, cause, "Redis cannot be asked", since, advice.REDIS_URL)
    if seen.refuses:
        cause = f"Redis refuses what it is asked: {seen.redis_error}."
        return Finding(PartState.ILL, cause, "Redis refuses what it is asked", since)
    if seen.redis_error:
        cause = "Redis does not answer: no transaction is accepted, and none is stored."
        return Finding(PartState.ILL, cause, "Redis does not answer", since)
    if (primary := seen.primary) is None:
        return Finding(PartState.OK, "It answers, and takes what is accepted.")
    told = f"{primary.online} of {primary.wanted} replicas of {primary.address} are online"
    if primary.missing:
        cause = f"{told}: one more machine that is lost, and nothing is accepted."
        since = seen.alarms_since.get("replicas")
        return Finding(PartState.SLOW, cause, "A replica of Redis is missing", since, advice.REPLICAS)
    if primary.sentinels_missing:
        asked = f"{primary.sentinels} of {primary.sentinels_wanted} sentinels answer"
        cause = f"{asked}: with less than a majority no other Redis takes the primary's place."
        since = seen.alarms_since.get("sentinels")
        return Finding(PartState.SLOW, cause, "A sentinel of Redis is missing", since, advice.SENTINELS)
    return Finding(PartState.OK, f"It answers, and takes what is accepted; {told}.")


def _postgres(seen: SystemReading) -> Finding:
    if seen.postgres_answers:
        return Finding(PartState.OK, "It answers.")
    cause = "PostgreSQL does not answer: what is accepted waits in Redis, and nothing stored can be read."
    return Finding(PartState.ILL, cause, "PostgreSQL does not answer")


def _books(seen: SystemReading) -> Finding:
    if seen.books is None or not seen.postgres_answers:
        return Finding(PartState.UNKNOWN, "They are kept in both stores, and one does not answer.")
    if seen.books.balanced is False:
        cause = "The books do not balance: something was added or taken behind the system's back."
        return Finding(PartState.ILL, cause, "The books do not balance", seen.alarms_since.get("balance"))
    if seen.alarms_of_books:
        cause = _sentence(seen.alarms_of_books[0])
        return Finding(PartState.ILL, cause, "Data went missing", advice=advice.ALARM_OF_BOOKS)
    if seen.books.balanced is None:
        return Finding(PartState.OK, "Being read: flushes commit faster than both stores can be.")
    return Finding(PartState.OK, f"Balanced: all {seen.books.accepted:,} accepted records are accounted for.")


def _worker(seen: SystemReading) -> Finding:
    """By its flushes: a tick that failed or came late was taken too, and one under way is a sign."""
    ages = [seen.now.timestamp() - moment for moment in seen.last_ticks.values()]
    age_s = max(0.0, min([inf if seen.flush_age_s is None else seen.flush_age_s, *ages]))
    state = _by_silence(age_s)
    if state == PartState.OK:
        if age_s == inf:
            return Finding(PartState.UNKNOWN, "It has not taken a flush yet.")
        return Finding(state, f"It took a flush {_span(age_s)} ago." if age_s else "It is flushing.")
    if seen.redis_error or (not seen.postgres_answers and _beat(seen).state != PartState.OK):
        return Finding(PartState.UNKNOWN, "Flushes are its signs, and none can run now.")
    if excuse := _excuse(seen, *_STORES):
        return Finding(PartState.UNKNOWN, f"{excuse}: its next flush tells.")
    if age_s == inf:
        return Finding(state, "No worker has ever taken a flush: does one run?", "No worker runs")
    cause = f"No worker has taken a flush for {_span(age_s)}: the worker is stopped or stuck."
    return Finding(state, cause, f"Worker silent for {_span(age_s)}", _before(seen, age_s))


def _beat(seen: SystemReading) -> Finding:
    """By the ticks that it sent. One that was taken was sent, too, by a Beat of the release before, say."""
    if seen.redis_error:
        return Finding(PartState.UNKNOWN, "Its ticks go through Redis, which does not answer.")
    sent = seen.last_signs.get(signs.BEAT)
    moments = [*seen.last_ticks.values()] if sent is None else [sent]
    age_s = max(0.0, min((seen.now.timestamp() - moment for moment in moments), default=inf))
    state = _by_silence(age_s)
    if state == PartState.OK:
        if age_s == inf:
            return Finding(PartState.UNKNOWN, "It has not sent a tick yet.")
        return Finding(state, f"It sent a tick {_span(age_s)} ago.")
    if excuse := _excuse(seen, "redis"):
        return Finding(PartState.UNKNOWN, f"{excuse}: its next tick tells.")
    if age_s == inf:
        return Finding(state, "Nobody has ever sent a tick: does Celery Beat run?", "Beat does not run")
    cause = f"No tick was sent for {_span(age_s)}: Celery Beat is stopped or stuck."
    return Finding(state, cause, f"Beat silent for {_span(age_s)}", _before(seen, age_s))


def _storing(seen: SystemReading) -> Finding:
    books = seen.books
    if books is None:
        return Finding(PartState.UNKNOWN, "What waits is in Redis, which does not answer.")
    waiting, oldest_s = books.buffered + (books.in_flight or 0), books.oldest_buffered_seconds or 0.0
    wait = f"{waiting:,} wait, the oldest for {_span(oldest_s)}" if waiting else "nothing waits"
    since = _before(seen, oldest_s) if waiting else None
    if not seen.postgres_answers:
        cause = f"Nothing is stored while PostgreSQL does not answer; {wait}."
        return Finding(PartState.ILL, cause, "Nothing is stored", since)
    if waiting >= FULL_SHARE * settings.MAX_QUEUE_LENGTH:
        cause = f"{waiting:,} records wait, of {settings.MAX_QUEUE_LENGTH:,} that may; more are refused."
        return Finding(PartState.ILL, cause, "The queue is nearly full", since)
    age_s = inf if seen.flush_age_s is None else seen.flush_age_s
    why = {"failed": "flushes fail", "expired": "ticks come too late"}.get(seen.latest_tick, "no flush runs")
    if state := _by_silence(age_s):
        if excuse := _excuse(seen, *_STORES):
            return Finding(PartState.UNKNOWN, f"{excuse}: the next flush tells; {wait}.")
        span = "yet" if age_s == inf else f"for {_span(age_s)}"
        cause = f"Nothing has been stored {span}: {why}; {wait}."
        return Finding(state, cause, f"Nothing stored {span}", since or _before(seen, age_s))
    if oldest_s > WAITING_INTERVALS * settings.FLUSH_INTERVAL_SECONDS:
        why = "a flush is under way" if age_s == 0 else "flushes do not keep up"
        brief = f"Storing is {_span(oldest_s)} behind"
        return Finding(PartState.SLOW, f"Storing is behind: {wait}; {why}.", brief, since)
    if seen.rejected_open:
        rejected = rejected_in_words(seen.rejected_open)
        told = f"{wait}; apart from that, {rejected}" if waiting else f"All is stored but for {rejected}"
        return Finding(PartState.OK, f"{told}.")
    return Finding(PartState.OK, f"{wait}." if waiting else "All that was accepted is stored.")


def _notifications(seen: SystemReading) -> Finding:
    if seen.redis_error or not seen.postgres_answers:
        return Finding(PartState.UNKNOWN, "Signs of its worker are in both stores, and one does not answer.")
    if seen.untold:
        return Finding(PartState.ILL, _sentence(seen.untold[0]), "Nobody is told")
    told_at = seen.last_signs.get(signs.TELLER)
    age_s = inf if told_at is None else max(0.0, seen.now.timestamp() - told_at)
    silent_s = min(age_s, (seen.now - history.STARTED_AT).total_seconds())
    if silent_s > TELLER_SLOW_S:
        if excuse := _excuse(seen, *_STORES):
            return Finding(PartState.UNKNOWN, f"{excuse}: the next turn of its worker tells.")
        state = PartState.ILL if silent_s > TELLER_ILL_S else PartState.SLOW
        cause = f"The worker of notifications has been silent for {_span(age_s)}: it is stopped or stuck."
        if age_s == inf:
            cause = "No worker of notifications has ever shown itself: does one run?"
        return Finding(state, cause, "Nobody is told", _before(seen, age_s))
    if off := [moment for key, moment in seen.alarms_since.items() if key.startswith(OF_ENDPOINT)]:
        cause = f"Webhooks that were switched off, as nothing got through: {len(off)}."
        return Finding(PartState.SLOW, cause, "A webhook is off", min(off), advice.WEBHOOKS)
    if age_s == inf:
        return Finding(PartState.UNKNOWN, "Its worker has not shown itself yet.")
    return Finding(PartState.OK, "Webhooks and mail are sent as events happen.")


def _rules(seen: SystemReading) -> Finding:
    if not seen.postgres_answers:
        return Finding(PartState.UNKNOWN, "They are kept in PostgreSQL, which does not answer.")
    if seen.rules:
        cause = _sentence("; ".join(seen.rules))
        return Finding(PartState.SLOW, cause, "Rules are behind, or fail", seen.alarms_since.get("rules"))
    return Finding(PartState.OK, "They judge transactions as they are stored.")


def _uploads(seen: SystemReading) -> Finding:
    found = seen.uploads
    if not seen.postgres_answers or found is None:
        return Finding(PartState.UNKNOWN, "They are kept in PostgreSQL, which does not answer.")
    if found.problem:
        since = _before(seen, found.running_s or found.waiting_s)
        return Finding(PartState.SLOW, _sentence(found.problem), "An import waits, or is stuck", since)
    if found.waiting or found.running:
        wait = "file waits" if found.waiting == 1 else "files wait"
        have = "has" if found.running == 1 else "have"
        told = f"{found.waiting:,} uploaded {wait} for a worker, and {found.running:,} {have} one."
        return Finding(PartState.OK, told)
    return Finding(PartState.OK, "No uploaded file waits for a worker.")


def _feed(seen: SystemReading) -> Finding:
    if seen.redis_error:
        return Finding(PartState.ILL, "Nothing is shown live while Redis does not answer.", "Nothing is live")
    return Finding(PartState.OK, "What is accepted is shown as it is accepted.")


def _web(seen: SystemReading) -> Finding:
    """Of the process that looks, alone: it does not see the others."""
    delay_s = seen.loop_delay_s
    if delay_s is not None and delay_s >= loop_delay.PATIENCE_S:
        cause = (
            f"The event loop of this process has not turned for {_span(delay_s)}: it is stuck, or overrun."
        )
        return Finding(PartState.ILL, cause, "Web is stuck")
    if delay_s is not None and delay_s >= LOOP_SLOW_S:
        cause = f"The event loop of this process is late by {_span(delay_s)}: requests and live pages wait."
        return Finding(PartState.SLOW, cause, "Web is slow")
    turns = "" if delay_s is None else f", its event loop turns within {max(1, round(delay_s * 1000))} ms"
    cause = f"This process made this page{turns}. Of other web processes nothing is known here."
    return Finding(PartState.OK, cause, since=history.STARTED_AT)


# In order of cause: name, title, what to do as a rule, and who judges.
_PARTS: list[tuple[str, str, Advice, Callable[[SystemReading], Finding]]] = [
    ("redis", "Redis", advice.REDIS, _redis),
    ("postgres", "PostgreSQL", advice.POSTGRES, _postgres),
    ("books", "Books", advice.BOOKS, _books),
    ("worker", "Worker", advice.WORKER, _worker),
    ("beat", "Beat", advice.BEAT, _beat),
    ("storing", "Storing", advice.STORING, _storing),
    ("notifications", "Notifications", advice.NOTIFICATIONS, _notifications),
    ("rules", "Rules", advice.RULES, _rules),
    ("uploads", "Imports", advice.UPLOADS, _uploads),
    ("feed", "Live feed", advice.FEED, _feed),
    ("web", "Web", advice.WEB, _web),
]


def _by_silence(age_s: float) -> PartState:
    """How grave it is that what gives a sign in each interval has given none for `age_s` seconds."""
    missed = history.intervals_missed(age_s)
    if missed > ILL_INTERVALS:
        return PartState.ILL
    return PartState.SLOW if missed > SLOW_INTERVALS else PartState.OK


def _excuse(seen: SystemReading, *stores: str) -> str:
    """Why nobody could give a sign through these stores lately, in words; "" where that is no excuse."""
    now = seen.now.timestamp()
    ages = {store: now - moment for store, moment in seen.silent_at.items() if store in stores}
    latest = min(ages, key=lambda store: ages[store], default="")
    if not latest or _by_silence(ages[latest]):
        return ""
    return f"{_STORES[latest]} did not answer until {_span(ages[latest])} ago"


def _before(seen: SystemReading, age_s: float) -> datetime | None:
    """The moment `age_s` seconds before the reading; None where that is endless."""
    return None if age_s == inf else seen.now - timedelta(seconds=age_s)


def _span(seconds: float) -> str:
    """A span of time in words: under 1 s, 4.2 s, 40 s, 12 min, 3 h, 5 days."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for most, unit, name in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < most:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds // 86_400:.0f} days"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?")) else ".")
