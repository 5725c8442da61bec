"""Mail: what is critical, and the system's own alarms, at once; all other new alerts as a digest.

A mail names the rule and says how grave it is, with a link: no amounts, and nothing of a transaction. Each
kind has a place in the order of messages, which moves on once a mail is sent: so a mail server that is away
loses nothing, and what is older than a day by then is left out.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from . import wording
from .models import MailPlace, Message, MessageType, Numbering, Recipient

log = logging.getLogger(__name__)

DIGEST_EVERY = timedelta(minutes=15)
# Longer than any mail takes; where a worker was killed, nobody sends for so long.
LEASE = timedelta(minutes=5)
# What could not be mailed for so long is old news; the pages have it.
TOLD_FOR = timedelta(days=1)
AT_ONCE_MAX, DIGEST_MAX, LISTED_MAX = 20, 5_000, 50
GRAVITY = ("LOW", "MEDIUM", "HIGH", "CRITICAL")

_SYSTEM = Q(type__in=[MessageType.SYSTEM_ALARM, MessageType.SYSTEM_RECOVERED])
_CRITICAL = Q(type=MessageType.ALERT_OPENED, severity="CRITICAL")
_OTHERS = Q(type=MessageType.ALERT_OPENED) & ~Q(severity="CRITICAL")
# One at a time in a process: a mail server may hang, and nothing else waits for it.
_sending = threading.Lock()


def start() -> threading.Thread | None:
    """Sends what is due in a thread of its own; None where mail is off, or one is under way."""
    if not settings.EMAIL_ENABLED or not _sending.acquire(blocking=False):
        return None
    thread = threading.Thread(target=_run, name="mail", daemon=True)
    thread.start()
    return thread


def send() -> None:
    """Sends what is due. Raises OSError, SMTPException and django.db.Error: then the rest is due still."""
    send_at_once()
    send_digest()


def send_at_once() -> int:
    """A mail for each critical alert that was opened, and each alarm of the system; how many it were."""
    with _held("at once") as place:
        if place is None:
            return 0
        messages = list(_since(place, _SYSTEM | _CRITICAL)[:AT_ONCE_MAX])
        recipients = list(Recipient.objects.order_by("pk"))
        for message in messages:
            _mail([each.address for each in recipients if _wants(each, message)], *_one(message))
            _move(place, message)
        return len(messages)


def send_digest() -> int:
    """One mail for all other alerts that were opened, DIGEST_EVERY at most; how many messages it were."""
    with _held("digest") as place:
        if place is None or place.sent_at > timezone.now() - DIGEST_EVERY:
            return 0
        messages = list(_since(place, _OTHERS)[:DIGEST_MAX])
        for recipient in Recipient.objects.order_by("pk") if messages else []:
            wanted = [message for message in messages if _wants(recipient, message)]
            if wanted:
                _mail([recipient.address], *_digest(wanted))
        if messages:
            _move(place, messages[-1])
        return len(messages)


def _run() -> None:
    try:
        send()
    except (OSError, SMTPException, DatabaseError) as error:
        log.error("Mail was not sent, and is tried again: %s", str(error).partition("\n")[0])
    except Exception:
        log.exception("Mail was not sent, and is tried again")
    finally:
        connection.close()
        _sending.release()


@contextmanager
def _held(name: str) -> Iterator[MailPlace | None]:
    """The place of this kind for this worker alone, None where another has it; at first the last one given.

    While it is held no transaction is open: mail servers take their time.
    """
    if not MailPlace.objects.filter(pk=name).exists():
        last = Numbering.objects.filter(pk=1).values_list("last", flat=True).first() or 0
        long_ago = timezone.now() - DIGEST_EVERY
        MailPlace.objects.get_or_create(pk=name, defaults={"position": last, "sent_at": long_ago})
    now = timezone.now()
    free = MailPlace.objects.filter(Q(leased_until=None) | Q(leased_until__lt=now), pk=name)
    if not free.update(leased_until=now + LEASE):
        yield None
        return
    try:
        yield MailPlace.objects.get(pk=name)
    finally:
        MailPlace.objects.filter(pk=name).update(leased_until=None)


def _since(place: MailPlace, which: Q) -> QuerySet[Message]:
    recent = Message.objects.filter(told_at__gt=timezone.now() - TOLD_FOR)
    return recent.filter(which, position__gt=place.position).order_by("position")


def _move(place: MailPlace, last: Message) -> None:
    assert last.position is not None
    MailPlace.objects.filter(pk=place.pk, position__lt=last.position).update(
        position=last.position, sent_at=timezone.now()
    )


def _wants(recipient: Recipient, message: Message) -> bool:
    if message.type != MessageType.ALERT_OPENED:
        return recipient.system
    if recipient.least == Recipient.Least.NONE or message.severity not in GRAVITY:
        return False
    return GRAVITY.index(message.severity) >= GRAVITY.index(recipient.least)


def _one(message: Message) -> tuple[str, str]:
    """Subject and text of a mail about one message."""
    told, subject = message.data, wording.title(message)
    if message.type == MessageType.ALERT_OPENED:
        return subject, f"{_line(message)}\nIt is due at {told['due_at']}.\n\n{told['link']}\n"
    over = message.type == MessageType.SYSTEM_RECOVERED
    since = f"Since {told['opened_at']}." + (f" Over since {told['recovered_at']}." if over else "")
    return subject, f"{told['text']}\n{since}\n\n{told['link']}\n"


def _digest(messages: Sequence[Message]) -> tuple[str, str]:
    gravest_first = sorted(messages, key=lambda each: -GRAVITY.index(each.severity))
    lines = [f"{_line(each)}\n{each.data['link']}\n" for each in gravest_first[:LISTED_MAX]]
    if len(messages) > LISTED_MAX:
        lines.append(f"… and {len(messages) - LISTED_MAX:,} more.\n")
    return f"{len(messages):,} new alert{'s' if len(messages) > 1 else ''}", "\n".join(lines)


def _line(message: Message) -> str:
    told = message.data
    return f"{message.severity}: {told['rule']['name']}, {wording.whom(told)}, since {told['opened_at']}."


def _mail(to: Iterable[str], subject: str, text: str) -> None:
    """A mail to each, who does not see the others. Raises OSError, SMTPException."""
    title = " ".join(subject.split())[:150]
    mails = [EmailMessage(f"[Transaction monitor] {title}", text, to=[address]) for address in to]
    if mails:
        get_connection().send_messages(mails)
