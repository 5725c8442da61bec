"""Is the process alive, and is the system fit to take money in?"""

import math
from time import time
from typing import Any

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from transactions.access.plain_views import may_read_if_told
from transactions.books import alarms, balance
from transactions.intake import fitness
from transactions.metrics import ticks
from transactions.notifications import untold
from transactions.rules import figures
from transactions.storing import history

# For how long a tick that expired or failed explains that no flush ran, in intervals.
INTERVALS_TOLD = 12

LATE_TICKS = "ticks come too late: is the worker overloaded, or are the clocks of the hosts apart?"
FAILING = "flushes fail: see the worker's log"
NO_TICKS = "no tick comes: do Celery Beat and a worker run?"


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when both stores answer, the flush runs and the books balance; else 503.

    Whoever may read sees why: the stores, the last flush, the ticks, the books, open alarms.
    """
    problems, details = look()
    body: dict[str, Any] = {"status": "not ready" if problems else "ready"}
    if may_read_if_told(request):
        body |= {"problems": problems, **details}
    return JsonResponse(body, status=503 if problems else 200)


def look() -> tuple[list[str], dict[str, Any]]:
    """What is wrong, each in a line, and what was seen. Blocks."""
    hindrance = ""
    try:
        hindrance = fitness.hindrance()
        found = balance.read()
        last_ticks = ticks.last_ticks()
    except redis.ResponseError as error:
        refused = hindrance or f"Redis refuses what it is asked: {error}"
        return [refused], {"stores": {"redis": "up", "postgres": "unknown"}}
    except redis.RedisError:
        return ["Redis does not answer"], {"stores": {"redis": "down", "postgres": "unknown"}}
    problems = [hindrance] if hindrance else []
    if not found.postgres_answers:
        problems.append("PostgreSQL does not answer")
    elif found.balanced is False:
        problems.append("the books do not balance")
    # A PostgreSQL that is silent is waited for once. What it does not tell is taken for endless, as
    # before the first flush.
    age_s, told = (_age_s(), _alarms()) if found.postgres_answers else (None, [])
    if history.is_missing(math.inf if age_s is None else age_s):
        problems.append(f"no flush has run lately; {_why(last_ticks)}")
    problems += _of_rules_and_messages() if found.postgres_answers else []
    now = time()
    return problems + told, {
        "stores": {"redis": "up", "postgres": "up" if found.postgres_answers else "down"},
        "last_flush_seconds": None if age_s in (None, math.inf) else round(age_s, 1),
        "last_ticks_seconds": {
            outcome: round(now - moment) for outcome, moment in sorted(last_ticks.items())
        },
        "alarms": told,
        "books": found.as_dict(),
    }


def _of_rules_and_messages() -> list[str]:
    """What is wrong with judging and telling, as far as it is known."""
    try:
        return figures.problems() + untold.problems()
    except DatabaseError:
        return []


def _age_s() -> float | None:
    """Seconds without a flush, endless before the first; None where PostgreSQL does not tell."""
    try:
        return history.age_s()
    except DatabaseError:
        return None


def _why(last_ticks: dict[str, float]) -> str:
    """What the latest tick came to, where there was one lately."""
    latest = max(last_ticks, key=lambda outcome: last_ticks[outcome], default="")
    if not latest or time() - last_ticks[latest] > INTERVALS_TOLD * settings.FLUSH_INTERVAL_SECONDS:
        return NO_TICKS
    return {"expired": LATE_TICKS, "failed": FAILING}.get(latest, NO_TICKS)


def _alarms() -> list[str]:
    try:
        return list(alarms.open_alarms().values_list("alarm", flat=True)[:3])
    except DatabaseError:
        return []
