"""Mail: what is critical, what one is given, and alarms of the system at once; other new alerts as a digest.

A mail names the rule and says how grave it is, with a link: no amounts, and nothing of a transaction. Each
recipient has a place in the order of messages for either kind, which moves on once a mail is sent, and over
what they are not mailed of: so a mail server that is away, or refuses somebody, loses nothing, doubles
nothing and holds up nobody else, and nothing is looked through twice. What is older than a day by then is
left out, and so is a mail that the server refuses for what it says: no later attempt would have it taken,
and what follows would wait for it.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage, get_connection
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from ..severity import Severity, gravity
from . import advice, latest, trying_mail, wording
from .models import NO_ALERTS, MailPlace, Message, MessageType, Numbering, Recipient

log = logging.getLogger(__name__)

DIGEST_EVERY = timedelta(minutes=15)
LEASE = trying_mail.LEASE
# What could not be mailed for so long is old news; the pages have it.
TOLD_FOR = timedelta(days=1)
# Seconds between two attempts at most, where mail to a recipient fails again and again.
WAIT_S_MAX = 300.0
# So often in a row a mail is refused for what it says before it is left out: for half a minute.
REFUSALS_MAX = 5
AT_ONCE_MAX, DIGEST_MAX, LISTED_MAX = 20, 5_000, 50
# Of so many messages after a place it is looked which are to be mailed: most are not, and mail that fails for
# hours does not go through all that came since at each attempt. Those behind them come a moment later.
LOOKED_AT_MAX = 100_000

_SYSTEM = Q(type__in=[MessageType.SYSTEM_ALARM, MessageType.SYSTEM_RECOVERED])
_CRITICAL = Q(type=MessageType.ALERT_OPENED, severity=Severity.CRITICAL)
_GIVEN = Q(type=MessageType.ALERT_ASSIGNED)
_OTHERS = Q(type=MessageType.ALERT_OPENED) & ~Q(severity=Severity.CRITICAL)
AT_ONCE, DIGEST = MailPlace.Mailing.AT_ONCE.value, MailPlace.Mailing.DIGEST.value
WHICH = {AT_ONCE: _SYSTEM | _CRITICAL | _GIVEN, DIGEST: _OTHERS}
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
    """Sends what is due, to each recipient by themselves: whom the server refuses holds up nobody.

    Raises the first OSError, SMTPException or ValueError of those that failed, or django.db.Error: then
    the rest is due still.
    """
    trying_mail.send_asked()
    failed: Exception | None = None
    for place in [*_due(AT_ONCE), *_due(DIGEST)]:
        try:
            _take(place)
        except trying_mail.FAILURES as error:
            log.error("Mail to recipient %s failed, and is tried again: %s", place.recipient_id, _told(error))
            failed = failed or error
    if failed is not None:
        raise failed


def wait_s(failures: int) -> float:
    """Seconds until a recipient to whom mail failed so often in a row is tried again; at first none."""
    return 0.0 if failures < 2 else min(5.0 * 2 ** min(failures - 2, 20), WAIT_S_MAX)


def _run() -> None:
    try:
        send()
    except trying_mail.FAILURES:
        pass  # told already, recipient by recipient
    except DatabaseError as error:
        log.error("Mail was not sent, and is tried again: %s", str(error).partition("\n")[0])
    except Exception:
        log.exception("Mail was not sent, and is tried again")
    finally:
        connection.close()
        _sending.release()


def _due(name: str) -> list[MailPlace]:
    """The places of one kind after which there is something, of those nobody has; who fails comes last.

    Where there is nothing they are moved on: it is not looked through again.
    """
    last = _last()
    free = list(MailPlace.objects.filter(_free(name), position__lt=last).order_by("failures", "pk"))
    if not free:
        return []
    lowest = min(place.position for place in free)
    if _since(name, lowest).exists():
        return free
    # None that another worker gives back meanwhile, farther behind.
    MailPlace.objects.filter(_free(name), position__range=(lowest, last - 1)).update(position=last)
    return []


def _free(name: str) -> Q:
    """What may be sent now: nobody sends it, it is time again, and a digest not too soon after another."""
    now = timezone.now()
    free = Q(name=name, due_at__lte=now) & (Q(leased_until=None) | Q(leased_until__lt=now))
    if name == DIGEST:
        free &= Q(sent_at=None) | Q(sent_at__lte=now - DIGEST_EVERY)
    return free


def _take(place: MailPlace) -> None:
    """Sends one recipient what follows their place, which moves on with each mail.

    While it is held no transaction is open: mail servers take their time.
    """
    lease = _Lease(place.pk, place.name)
    if not lease.taken:
        return
    try:
        place.refresh_from_db()
        mails = list(_mails(place))
        if any(mail for mail, _ in mails):
            _send_in_order(lease, place, mails)
        else:
            lease.move(mails[-1][1], sent=False)
    finally:
        lease.end()


def _last() -> int:
    """The last place that was given: whatever comes later has a later one."""
    return Numbering.objects.filter(pk=1).values_list("last", flat=True).first() or 0


def _send_in_order(lease: "_Lease", place: MailPlace, mails: list[tuple[EmailMessage | None, int]]) -> None:
    failures, refusals = place.failures, place.refusals
    try:
        with get_connection() as server:
            for mail, last in mails:
                if mail is None:
                    lease.move(last, sent=False)
                    continue
                if not lease.renewed():
                    return  # another has it by now
                try:
                    server.send_messages([mail])
                except SMTPDataError as error:
                    refusals += _is_refusal(error)
                    if not _is_refusal(error) or refusals < REFUSALS_MAX:
                        raise
                    _leave_out(lease, place, last, error)
                else:
                    lease.move(last, sent=True)
                failures = refusals = 0
    except trying_mail.FAILURES:
        lease.note_failure(failures + 1, refusals)
        raise


def _is_refusal(error: SMTPDataError) -> bool:
    """Whether the server will never take a mail that says this: it has read it, and answers with 5xx."""
    return error.smtp_code >= 500


def _leave_out(lease: "_Lease", place: MailPlace, last: int, error: SMTPDataError) -> None:
    log.error(
        "Mail to recipient %s was refused %s times, and is left out: %s",
        place.recipient_id,
        REFUSALS_MAX,
        _told(error),
    )
    lease.leave_out(last)


class _Lease:
    """A place for this worker alone; another may have it once that is over, and it is theirs then."""

    def __init__(self, key: int, name: str) -> None:
        self._own = MailPlace.objects.filter(pk=key)
        self._until = timezone.now() + LEASE
        self.taken = bool(self._own.filter(_free(name)).update(leased_until=self._until))

    def renewed(self) -> bool:
        """Before each mail: whether it is still ours, and then for as long again."""
        until = timezone.now() + LEASE
        held = self._mine().update(leased_until=until)
        self._until = until
        return bool(held)

    def move(self, last: int, *, sent: bool) -> None:
        """The place is behind what was sent, or what the recipient does not want."""
        moved: dict[str, Any] = {"position": last}
        if sent:
            moved |= {"sent_at": timezone.now(), "failures": 0, "refusals": 0}
        self._mine().filter(position__lt=last).update(**moved)

    def leave_out(self, last: int) -> None:
        """The place is behind what was refused, and when that was is noted."""
        self._mine().filter(position__lt=last).update(
            position=last, refused_at=timezone.now(), failures=0, refusals=0
        )

    def note_failure(self, failures: int, refusals: int) -> None:
        due_at = timezone.now() + timedelta(seconds=wait_s(failures))
        self._mine().update(failures=failures, refusals=refusals, due_at=due_at)

    def end(self) -> None:
        self._mine().update(leased_until=None)

    def _mine(self) -> QuerySet[MailPlace]:
        return self._own.filter(leased_until=self._until)


def _mails(place: MailPlace) -> Iterator[tuple[EmailMessage | None, int]]:
    """What one recipient is to be sent, each with the place behind it; no mail for what they do not want.

    The last place is that up to which messages were read.
    """
    recipient, last = place.recipient, min(_last(), place.position + LOOKED_AT_MAX)
    most = AT_ONCE_MAX if place.name == AT_ONCE else DIGEST_MAX
    messages = list(_since(place.name, place.position).filter(position__lte=last)[:most])
    wanted = [message for message in messages if _wants(recipient, message)]
    if place.name == AT_ONCE:
        for about in _together(wanted):
            told = _one(about[0]) if len(about) == 1 else _list(about, "alerts assigned to you")
            yield _mail(recipient, *told), _position(about[-1])
    elif news := latest.still_news(wanted):
        told = _list(news, "new alerts" if len(news) > 1 else "new alert")
        yield _mail(recipient, *told), _position(messages[-1])
    yield None, _position(messages[-1]) if len(messages) == most else last


def _together(wanted: list[Message]) -> Iterator[list[Message]]:
    """What is told in one mail: somebody may be given many alerts at once, all else is one by one."""
    for type, run in groupby(wanted, lambda message: message.type):
        alike = list(run)
        yield from [alike] if type == MessageType.ALERT_ASSIGNED else ([each] for each in alike)


def _since(name: str, position: int) -> QuerySet[Message]:
    recent = Message.objects.filter(told_at__gt=timezone.now() - TOLD_FOR)
    return recent.filter(WHICH[name], position__gt=position).order_by("position")


def _position(message: Message) -> int:
    assert message.position is not None
    return message.position


def _told(error: Exception) -> str:
    """Without what the server said, in which addresses stand."""
    codes: list[Any] = []
    if isinstance(error, SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    elif isinstance(error, SMTPResponseException):
        codes = [error.smtp_code]
    return " ".join([type(error).__name__, *map(str, codes)])


def _wants(recipient: Recipient, message: Message) -> bool:
    if message.type == MessageType.ALERT_ASSIGNED:
        return _is_account(recipient, message.data["assignee"])
    if message.type != MessageType.ALERT_OPENED:
        return recipient.system
    if recipient.least == NO_ALERTS or message.severity not in Severity:
        return False
    return gravity(message.severity) >= gravity(recipient.least)


def _is_account(recipient: Recipient, username: str) -> bool:
    """Whether the recipient's address is that of an account, by its name when it was given something."""
    accounts = get_user_model()._default_manager.filter(username=username, is_active=True)
    return accounts.filter(email__iexact=recipient.address).exists()


def _one(message: Message) -> tuple[str, str]:
    """Subject and text of a mail about one message."""
    told, subject = message.data, wording.title(message)
    if message.type in (MessageType.ALERT_OPENED, MessageType.ALERT_ASSIGNED):
        due = f"It is due at {wording.moment(told['due_at'])}."
        to_do = advice.of(told["rule"]["id"])
        return subject, "\n\n".join(filter(None, [f"{_line(message)}\n{due}", to_do, f"{told['link']}\n"]))
    over = message.type == MessageType.SYSTEM_RECOVERED
    since = f"Since {wording.moment(told['opened_at'])}."
    if over:
        since += f" Over since {wording.moment(told['recovered_at'])}."
    return subject, f"{told['text']}\n{since}\n\n{told['link']}\n"


def _list(messages: Sequence[Message], what: str) -> tuple[str, str]:
    """Subject and text of a mail about several, or of a digest of one."""
    gravest_first = sorted(messages, key=lambda each: -gravity(each.severity))
    lines = [f"{_line(each)}\n{each.data['link']}\n" for each in gravest_first[:LISTED_MAX]]
    if len(messages) > LISTED_MAX:
        lines.append(f"… and {len(messages) - LISTED_MAX:,} more.\n")
    return f"{len(messages):,} {what}", "\n".join(lines)


def _line(message: Message) -> str:
    told = message.data
    since = f"since {wording.moment(told['opened_at'])}: {wording.hits(told)}"
    return f"{message.severity}: {told['rule']['name']}, {wording.whom(told)}, {since}."


def _mail(recipient: Recipient, subject: str, text: str) -> EmailMessage:
    title = " ".join(subject.split())[:150]
    return EmailMessage(f"[Transaction monitor] {title}", text, to=[recipient.address])
