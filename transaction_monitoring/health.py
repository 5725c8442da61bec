"""Is the process alive, and is the system fit to take money in?"""

from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse

from transactions import books
from transactions.models import Epoch

# Flush intervals without a flush after which the system is not ready. The process may well be
# there: Celery on Redis can stop consuming after a reconnect and still answer `inspect ping`.
INTERVALS_MISSED_MAX = 4
STARTED_AT = datetime.now(UTC)


def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "alive"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 when both stores answer, the flush runs and the books balance; else 503. Details for staff."""
    problems, shown = _problems()
    body: dict[str, Any] = {"status": "not ready" if problems else "ready"}
    if getattr(request, "user", None) is not None and _may_see_details(request):
        body |= {"problems": problems, "books": shown}
    return JsonResponse(body, status=503 if problems else 200)


def _may_see_details(request: HttpRequest) -> bool:
    try:
        return bool(request.user.is_staff)
    except DatabaseError:
        return False


def _problems() -> tuple[list[str], dict[str, Any] | None]:
    try:
        found = books.read()
    except redis.RedisError:
        return ["Redis does not answer"], None
    problems = []
    if found.balanced is None:
        problems.append("PostgreSQL does not answer")
    elif found.balanced is False:
        problems.append("the books do not balance")
    since = max(found.last_flush or STARTED_AT, STARTED_AT)
    if (datetime.now(UTC) - since).total_seconds() > INTERVALS_MISSED_MAX * settings.FLUSH_INTERVAL_SECONDS:
        problems.append("no flush has run lately")
    try:
        alarms = Epoch.objects.exclude(alarm="").filter(alarm_acknowledged_at=None)
        problems += list(alarms.values_list("alarm", flat=True)[:3])
    except DatabaseError:
        pass
    return problems, found.as_dict()
