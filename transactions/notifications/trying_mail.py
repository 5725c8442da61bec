"""A test mail: asked for on a recipient's page, sent by the worker, which alone may reach the mail server.

It is tried once, by one worker (by another where that one was killed amid it), and what it failed by is told
on that page in words.
"""

from datetime import timedelta
from smtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ..audit.actions import Action
from ..audit.entries import note
from . import outbox
from .models import Recipient

SUBJECT, TEXT = "[Transaction monitor] A test mail", "A test mail: whoever reads this is told by mail."
# Longer than any mail takes; where a worker was killed, nobody sends to that recipient for so long.
LEASE = timedelta(minutes=5)
# Characters of what a mail server says.
SAID_MAX = 200
# A mail that cannot be sent, or not to this address.
FAILURES = (OSError, SMTPException, ValueError)


class MailOff(Exception):
    """No mail is sent: EMAIL_URL is not set."""


def ask(recipient: int) -> None:
    """Has a test mail sent to one recipient. Raises MailOff, Recipient.DoesNotExist."""
    if not settings.EMAIL_ENABLED:
        raise MailOff(MailOff.__doc__)
    with transaction.atomic():
        held = Recipient.objects.select_for_update().get(pk=recipient)
        held.test_asked_at, held.test_ended_at, held.test_failure = timezone.now(), None, ""
        # One that is on its way is another one.
        held.test_leased_until = None
        held.save(update_fields=["test_asked_at", "test_ended_at", "test_leased_until", "test_failure"])
        note(Action.RECIPIENT_TESTED, str(held), target_id=held.pk)


def send_asked() -> None:
    """Sends those that were asked for and that no other worker is sending, and notes what came of each.

    Raises django.db.Error.
    """
    for recipient in Recipient.objects.exclude(test_asked_at=None).filter(_free()):
        # As long as it is not asked for once more.
        asked = Recipient.objects.filter(pk=recipient.pk, test_asked_at=recipient.test_asked_at)
        if not asked.filter(_free()).update(test_leased_until=timezone.now() + LEASE):
            continue
        failure = ""
        try:
            EmailMessage(SUBJECT, f"{TEXT}\n\n{outbox.link('/admin/')}\n", to=[recipient.address]).send()
        except FAILURES as error:
            failure = failure_in_words(error)
        asked.update(test_ended_at=timezone.now(), test_failure=failure)


def _free() -> Q:
    """It has not ended, and nobody has it now."""
    return Q(test_ended_at=None) & (Q(test_leased_until=None) | Q(test_leased_until__lt=timezone.now()))


def failure_in_words(error: Exception) -> str:
    """What a mail failed by, in a sentence; with what the server said, in which addresses may stand."""
    match error:
        case SMTPRecipientsRefused():
            code, said = next(iter(error.recipients.values()))
            return f"The mail server refuses this address: {_said(code, said)}"
        case SMTPAuthenticationError():
            what = "does not take the user and password of EMAIL_URL:"
        case SMTPSenderRefused():
            what = "refuses EMAIL_FROM:"
        case SMTPResponseException():
            what = "answered"
        case TimeoutError():
            return "The mail server did not answer in time."
        case SMTPServerDisconnected():
            return "The mail server hung up."
        case SMTPException():
            return f"The mail server cannot be spoken with: {_legible(str(error))}"
        case OSError():
            return f"No connection to the mail server: {_legible(error.strerror or str(error))}."
        case _:
            return f"The mail cannot be written: {_legible(str(error))}"
    return f"The mail server {what} {_said(error.smtp_code, error.smtp_error)}"


def _said(code: int, said: bytes | str) -> str:
    return f"{code} {_legible(said.decode(errors='replace') if isinstance(said, bytes) else said)}"


def _legible(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:SAID_MAX]
