"""Mail: what is critical at once, the rest as a digest, to those who want it, and nothing twice."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend

from transactions.alerts.grouping import Raised, group
from transactions.notifications import alarms, mail, numbering
from transactions.notifications.models import MailPlace, Message, Numbering, Recipient
from transactions.stores.postgres_session import Session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def places(transactional_db: None, settings: Any) -> None:
    """Mail is on from now on, and one digest has just been sent."""
    settings.EMAIL_ENABLED = True
    mail.send()
    Recipient.objects.create(address="all@example.org", least="LOW")
    Recipient.objects.create(address="grave@example.org", least="HIGH", system=False)


def opened(severity: str, user: int = 7, rule: str = "Failures in a row") -> None:
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(mail.GRAVITY.index(severity), rule, severity, user, 1)])
    numbering.number()


def sent() -> list[tuple[str, list[str]]]:
    found = [(str(each.subject), each.to) for each in outgoing.outbox]
    outgoing.outbox.clear()
    return found


def test_a_critical_alert_is_mailed_at_once_and_once_to_each_by_themselves() -> None:
    opened("CRITICAL")
    mail.send()
    text = outgoing.outbox[0].body
    assert sent() == [
        ("[Transaction monitor] Critical alert: Failures in a row", ["all@example.org"]),
        ("[Transaction monitor] Critical alert: Failures in a row", ["grave@example.org"]),
    ]
    assert "CRITICAL: Failures in a row, user 7, since " in text
    assert "https://localhost/admin/alerts/alert/" in text
    mail.send()
    assert sent() == []


def test_other_alerts_come_as_one_mail_and_the_next_a_quarter_of_an_hour_later() -> None:
    opened("LOW")
    opened("HIGH", 8)
    mail.send()
    first, second = outgoing.outbox
    assert (first.subject, first.to) == ("[Transaction monitor] 2 new alerts", ["all@example.org"])
    assert (second.subject, second.to) == ("[Transaction monitor] 1 new alert", ["grave@example.org"])
    assert first.body.index("HIGH: ") < first.body.index("LOW: ")
    outgoing.outbox.clear()
    opened("MEDIUM")
    mail.send()
    assert sent() == []
    MailPlace.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=16))
    mail.send()
    assert sent() == [("[Transaction monitor] 1 new alert", ["all@example.org"])]


def test_alarms_of_the_system_and_their_ends_go_to_those_who_want_them() -> None:
    alarms.note({"flush": "No flush for 45 s."})
    numbering.number()
    mail.send()
    assert sent() == [("[Transaction monitor] Alarm: No flush for 45 s.", ["all@example.org"])]


def test_a_mail_server_that_is_away_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened("CRITICAL")
    with monkeypatch.context() as patch:

        def fail(self: EmailBackend, messages: Any) -> int:
            raise ConnectionRefusedError

        patch.setattr(EmailBackend, "send_messages", fail)
        with pytest.raises(ConnectionRefusedError):
            mail.send()
    mail.send()
    assert len(sent()) == 2


def test_what_could_not_be_mailed_for_a_day_is_old_news() -> None:
    opened("CRITICAL")
    Message.objects.update(told_at=datetime.now(UTC) - timedelta(days=1, minutes=1))
    mail.send()
    assert sent() == []


def test_a_name_with_lines_makes_no_other_headers() -> None:
    opened("CRITICAL", rule="x\r\nBcc: everybody@example.org")
    mail.send()
    assert sent()[0][0] == "[Transaction monitor] Critical alert: x Bcc: everybody@example.org"


def test_without_a_mail_server_nothing_is_sent_and_nothing_waits_for_it(settings: Any) -> None:
    settings.EMAIL_ENABLED = False
    assert mail.start() is None


def test_mail_is_sent_beside_the_deliveries() -> None:
    opened("CRITICAL")
    thread = mail.start()
    assert thread is not None
    thread.join()
    assert len(sent()) == 2


def test_two_workers_do_not_send_the_same_mail() -> None:
    opened("CRITICAL")
    MailPlace.objects.update(leased_until=datetime.now(UTC) + timedelta(minutes=1))
    mail.send()
    assert sent() == []
    MailPlace.objects.update(leased_until=datetime.now(UTC))
    mail.send()
    assert len(sent()) == 2


def test_what_nobody_is_mailed_of_is_not_looked_through_again() -> None:
    opened("LOW")
    alarms.note({"flush": "No flush for 45 s."})
    numbering.number()
    Recipient.objects.all().delete()
    MailPlace.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=16))
    mail.send()
    opened("MEDIUM")
    mail.send_at_once()
    last = Numbering.objects.get().last
    places = dict(MailPlace.objects.values_list("name", "position"))
    assert places == {"at once": last, "digest": last - 1}


def test_a_digest_waits_only_after_a_digest() -> None:
    """Nor for a look that found nothing for it."""
    MailPlace.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=16))
    opened("CRITICAL")
    mail.send()
    outgoing.outbox.clear()
    opened("LOW")
    mail.send()
    assert sent() == [("[Transaction monitor] 1 new alert", ["all@example.org"])]


def test_a_worker_whose_lease_is_over_stops_and_leaves_the_lease_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened("CRITICAL", 7)
    opened("CRITICAL", 8)
    Recipient.objects.filter(address="grave@example.org").delete()
    next_lease = datetime.now(UTC) + timedelta(minutes=5)
    send_messages = EmailBackend.send_messages

    def slow(self: EmailBackend, messages: Any) -> int:
        """So slow that the lease is over, and another worker has taken over."""
        time.sleep(0.2)
        MailPlace.objects.filter(pk="at once").update(leased_until=next_lease)
        return send_messages(self, messages)

    with monkeypatch.context() as patch:
        patch.setattr(mail, "SENDING_FOR", timedelta(seconds=0.1))
        patch.setattr(EmailBackend, "send_messages", slow)
        assert mail.send_at_once() == 1
    assert len(sent()) == 1
    assert MailPlace.objects.get(pk="at once").leased_until == next_lease
