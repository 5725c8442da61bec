"""Is the process alive, and is the system fit to take money in?"""

import math
from time import time
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from transactions.access.plain_views import may_read_if_told
from transactions.stores import primaries
from transactions.storing import history
from transactions.system import reading

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


def _primary(primary: primaries.Primary) -> dict[str, Any]:
    return {
        "address": primary.address,
        "replicas_online": primary.online,
        "replicas_wanted": primary.wanted,
        "taken_over_at": primary.taken_over_at,
        "sentinels_answering": primary.sentinels,
        "sentinels_wanted": primary.sentinels_wanted,
    }


def look() -> tuple[list[str], dict[str, Any]]:
    """What is wrong, each in a line, and what was seen. Blocks."""
    seen = reading.read()
    if seen.redis_error:
        problem = seen.hindrance or f"Redis refuses what it is asked: {seen.redis_error}"
        redis_is = "up" if seen.refuses else "down"
        silent = seen.redis_fault or "Redis does not answer"
        return [problem if seen.refuses else silent], {
            "stores": {"redis": redis_is, "postgres": "up" if seen.postgres_answers else "down"}
        }
    assert seen.books is not None
    problems = [seen.hindrance] if seen.hindrance else []
    if not seen.postgres_answers:
        problems.append("PostgreSQL does not answer")
    elif seen.books.balanced is False:
        problems.append("the books do not balance")
    # What PostgreSQL does not tell is taken for endless, as before the first flush.
    age_s = seen.flush_age_s
    if history.is_missing(math.inf if age_s is None else age_s):
        why = {"expired": LATE_TICKS, "failed": FAILING}.get(seen.latest_tick, NO_TICKS)
        problems.append(f"no flush has run lately; {why}")
    now = time()
    return [*problems, *seen.rules, *seen.untold, *seen.alarms_of_books], {
        "stores": {"redis": "up", "postgres": "up" if seen.postgres_answers else "down"},
        **({} if seen.primary is None else {"primary": _primary(seen.primary)}),
        "last_flush_seconds": None if age_s in (None, math.inf) else round(age_s, 1),
        "last_ticks_seconds": {
            outcome: round(now - moment) for outcome, moment in sorted(seen.last_ticks.items())
        },
        "alarms": seen.alarms_of_books,
        "books": seen.books.as_dict(),
        "uploads": None if seen.uploads is None else seen.uploads.as_dict(),
    }
