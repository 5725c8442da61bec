"""The system's own alarms: opened once, told once; over once, and told once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from . import outbox
from .models import FAILING_DAYS_MAX, Endpoint, MailPlace, MessageType, SystemAlarm

# What comes and goes is one alarm: it is over once nobody has seen it for so long.
OVER_AFTER = timedelta(seconds=60)
TEXT_CHARACTERS_MAX = 500
# How the keys of alarms of endpoints begin; then comes the endpoint's own.
OF_ENDPOINT = "endpoint:"
# Mail to somebody fails once it did so often in a row; one that was refused is told of for so long.
MAIL_FAILURES_MIN, MAIL_REFUSED_FOR = 5, timedelta(hours=1)
MAIL_LOG = "the log of the worker of notifications has the answers of the mail server"
# Where those that are not over are shown.
PAGE = "/admin/#alarms"
# Two who look at the same time would both tell: "txal" as a number.
ALARMS_LOCK = 0x7478616C


def note(seen: dict[str, str], unasked: Sequence[str] = ()) -> None:
    """Notes what is wrong now, each by a key that stays the same while it lasts, and what is not any more.

    One that goes on is not told again: a key stands for one thing. What it says is kept as it is by now.
    Whose key begins as one of `unasked` is neither seen nor over: nobody could tell.
    Raises django.db.Error.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s), clock_timestamp()", [ALARMS_LOCK])
            _, now = cursor.fetchone()
        open_alarms = {alarm.key: alarm for alarm in SystemAlarm.objects.filter(recovered_at=None)}
        for key, text in seen.items():
            alarm = open_alarms.get(key) or SystemAlarm(key=key, opened_at=now)
            is_new = alarm.pk is None
            alarm.text, alarm.seen_at = text[:TEXT_CHARACTERS_MAX], now
            alarm.save()
            if is_new:
                _tell(MessageType.SYSTEM_ALARM, alarm)
        for key, alarm in open_alarms.items():
            is_known = key not in seen and not key.startswith(tuple(unasked))
            if is_known and now - alarm.seen_at > OVER_AFTER:
                alarm.recovered_at = now
                alarm.save(update_fields=["recovered_at"])
                _tell(MessageType.SYSTEM_RECOVERED, alarm)


def of_endpoints() -> dict[str, str]:
    """Endpoints that were switched off by what they answered, by the keys of their alarms."""
    off = Endpoint.objects.filter(off__in=[Endpoint.Off.GONE, Endpoint.Off.FAILING]).order_by("pk")[:100]
    return {f"{OF_ENDPOINT}{each.pk}": f"The {_named(each)} was switched off: {_why(each)}." for each in off}


def of_mail() -> dict[str, str]:
    """Mail that does not get through, and mail that was left out, by the keys of their alarms."""
    if not settings.EMAIL_ENABLED:
        return {}
    found = {}
    if failing := _recipients(failures__gte=MAIL_FAILURES_MIN):
        found["mail"] = f"Mail to {failing} fails: {MAIL_LOG}."
    if refused := _recipients(refused_at__gt=timezone.now() - MAIL_REFUSED_FOR):
        found["mail:refused"] = (
            f"Mail to {refused} was refused for what it says, and is left out: {MAIL_LOG}."
        )
    return found


def _recipients(**which: Any) -> str:
    """How many are told by mail of whose places this holds, without their addresses; "" where none is."""
    count = MailPlace.objects.filter(**which).values("recipient").distinct().count()
    return f"{count:,} recipient{'s' if count > 1 else ''}" if count else ""


def _named(endpoint: Endpoint) -> str:
    """Without its URL, which may hold a secret, and which others are told of."""
    return f"webhook {endpoint.pk}" + (f" ({endpoint.description})" if endpoint.description else "")


def _why(endpoint: Endpoint) -> str:
    if endpoint.off == Endpoint.Off.GONE:
        return "it answered 410"
    return f"nothing got through for {FAILING_DAYS_MAX} days"


def _tell(type: MessageType, alarm: SystemAlarm) -> None:
    data = {
        "alarm": alarm.pk,
        "key": alarm.key,
        "text": alarm.text,
        "opened_at": outbox.moment(alarm.opened_at),
        "recovered_at": alarm.recovered_at and outbox.moment(alarm.recovered_at),
        "link": outbox.link(PAGE),
    }
    outbox.write(type, data)
