"""Mail that the server refuses for what it says: left out after some attempts, and the rest goes on."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from smtplib import SMTPDataError, SMTPException
from typing import Any

import pytest
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend

from transactions.alerts.grouping import Raised, group
from transactions.notifications import alarms, mail, numbering
from transactions.notifications.models import MailPlace, Recipient
from transactions.stores.postgres_session import Session
from transactions.system import conditions

pytestmark = pytest.mark.django_db(transaction=True)

SPAM = "Buy now"


@pytest.fixture(autouse=True)
def recipients(transactional_db: None, settings: Any) -> list[int]:
    """Mail is on, and two people are told of everything."""
    settings.EMAIL_ENABLED = True
    return [Recipient.objects.create(address=f"{name}@example.org").pk for name in ("ann", "bob")]


def opened(severity: str, rule: str, user: int) -> None:
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(user, rule, severity, user, 1)])
    numbering.number()


def refuse(patch: pytest.MonkeyPatch, code: int = 554) -> None:
    """From now on the mail server refuses what says SPAM, once it has read it."""
    send_messages = EmailBackend.send_messages

    def judge(self: EmailBackend, mails: Any) -> int:
        if any(SPAM in f"{each.subject}{each.body}" for each in mails):
            raise SMTPDataError(code, b"Spam from transactions@localhost to ann@example.org")
        return send_messages(self, mails)

    patch.setattr(EmailBackend, "send_messages", judge)


def rounds(count: int) -> None:
    """Looks for mail so often, each time when it is time again."""
    for _ in range(count):
        with suppress(SMTPException):
            mail.send()
        MailPlace.objects.update(due_at=datetime.now(UTC))


def sent() -> list[tuple[str, str]]:
    return sorted((each.to[0], str(each.subject)) for each in outgoing.outbox)


CRITICAL = "[Transaction monitor] Critical alert: Failures in a row"


def test_a_mail_that_is_refused_for_what_it_says_does_not_hold_up_the_rest(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    recipients: list[int],
) -> None:
    refuse(monkeypatch)
    opened("CRITICAL", SPAM, 7)
    opened("CRITICAL", "Failures in a row", 8)
    rounds(mail.REFUSALS_MAX - 1)
    assert sent() == []
    caplog.clear()
    rounds(1)
    assert sent() == [("ann@example.org", CRITICAL), ("bob@example.org", CRITICAL)]
    assert caplog.messages == [
        f"Mail to recipient {each} was refused 5 times, and is left out: SMTPDataError 554"
        for each in recipients
    ]
    # And is not tried any more.
    rounds(2)
    assert len(sent()) == 2
    assert set(MailPlace.objects.values_list("failures", "refusals")) == {(0, 0)}


def test_a_digest_that_is_refused_is_left_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch)
    opened("HIGH", SPAM, 7)
    rounds(mail.REFUSALS_MAX)
    opened("HIGH", "Failures in a row", 8)
    rounds(1)
    assert sent() == [
        ("ann@example.org", "[Transaction monitor] 1 new alert"),
        ("bob@example.org", "[Transaction monitor] 1 new alert"),
    ]


def test_a_server_that_takes_no_mail_for_now_refuses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    opened("CRITICAL", SPAM, 7)
    with monkeypatch.context() as patch:
        refuse(patch, 451)
        rounds(2 * mail.REFUSALS_MAX)
    rounds(1)
    assert len(sent()) == 2


def test_attempts_while_the_server_is_away_are_no_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    opened("CRITICAL", SPAM, 7)
    with monkeypatch.context() as patch:
        refuse(patch, 451)
        rounds(mail.REFUSALS_MAX)
    with monkeypatch.context() as patch:
        refuse(patch)
        rounds(1)
    rounds(1)
    assert len(sent()) == 2


def test_mail_that_was_refused_is_an_alarm_for_an_hour_and_names_no_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened("CRITICAL", SPAM, 7)
    with monkeypatch.context() as patch:
        refuse(patch)
        rounds(mail.REFUSALS_MAX)
    assert conditions.seen()["mail:refused"] == (
        "Mail to 2 recipients was refused for what it says, and is left out: the log of the worker of "
        "notifications has the answers of the mail server."
    )
    MailPlace.objects.update(refused_at=datetime.now(UTC) - timedelta(minutes=61))
    assert alarms.of_mail() == {}


def test_mail_that_fails_again_and_again_is_an_alarm_until_one_is_sent(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    opened("CRITICAL", SPAM, 7)
    with monkeypatch.context() as patch:
        refuse(patch, 451)
        rounds(alarms.MAIL_FAILURES_MIN - 1)
        assert alarms.of_mail() == {}
        rounds(1)
    assert alarms.of_mail() == {
        "mail": "Mail to 2 recipients fails: the log of the worker of notifications has the answers of the "
        "mail server."
    }
    settings.EMAIL_ENABLED = False
    assert alarms.of_mail() == {}
    settings.EMAIL_ENABLED = True
    rounds(1)
    assert alarms.of_mail() == {}
