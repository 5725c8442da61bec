"""Mail: what is critical at once, the rest as a digest, to those who want it, and nothing twice."""

import re
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command

from tests.support.reading import pages_read_by
from transactions.alerts import triage
from transactions.alerts.grouping import Raised, group
from transactions.alerts.models import Alert
from transactions.notifications import alarms, latest, mail, numbering
from transactions.notifications.models import NO_ALERTS, MailPlace, Message, Numbering, Recipient, SystemAlarm
from transactions.rules.models import Rule
from transactions.severity import gravity
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
        group(cursor, [Raised(gravity(severity), rule, severity, user, 1)])
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


def close(user: int) -> None:
    alert = Alert.objects.get(user=user)
    triage.close(alert.pk, User.objects.create_user(f"ann-{user}"), alert.version, "EXPECTED", "known")
    numbering.number()


def test_a_digest_does_not_tell_as_new_what_is_closed_by_then() -> None:
    opened("HIGH", 8)
    opened("HIGH", 9)
    close(8)
    mail.send()
    first = outgoing.outbox[0]
    assert first.subject == "[Transaction monitor] 1 new alert"
    assert "user 9, since " in first.body
    assert "user 8" not in first.body


def test_where_all_are_closed_by_then_there_is_no_digest_and_one_that_was_opened_again_is_told() -> None:
    opened("HIGH", 8)
    close(8)
    mail.send()
    assert sent() == []
    opened("HIGH", 9)
    close(9)
    alert = Alert.objects.get(user=9)
    triage.reopen(alert.pk, User.objects.get(username="ann-9"), alert.version, "looked again")
    numbering.number()
    MailPlace.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=16))
    mail.send()
    assert sent() == [
        ("[Transaction monitor] 1 new alert", ["all@example.org"]),
        ("[Transaction monitor] 1 new alert", ["grave@example.org"]),
    ]


def test_moments_are_told_to_the_second_and_what_to_do_as_the_rule_has_it() -> None:
    rule = Rule.objects.create(
        name="Failures in a row", severity="CRITICAL", description="Call the customer."
    )
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(rule.pk, rule.name, "CRITICAL", 7, 1)])
    numbering.number()
    mail.send()
    body = outgoing.outbox[0].body
    opened_at = Alert.objects.get().opened_at
    assert f"user 7, since {opened_at:%Y-%m-%d %H:%M:%S} UTC: 1 hit.\nIt is due at " in body
    assert "\n\nCall the customer.\n\nhttps://" in body


def test_the_end_of_an_alarm_is_told_in_plain_words() -> None:
    alarms.note({"queue": "The queue is full."})
    SystemAlarm.objects.update(seen_at=datetime.now(UTC) - timedelta(minutes=2))
    alarms.note({})
    numbering.number()
    mail.send()
    began, over = outgoing.outbox
    assert over.subject == "[Transaction monitor] Alarm over: The queue is full."
    assert re.search(r"Since \S+ \d\d:\d\d:\d\d UTC. Over since \S+ \d\d:\d\d:\d\d UTC.", str(over.body))
    assert "/admin/#alarms" in began.body


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


def refuse(patch: pytest.MonkeyPatch, address: str) -> list[str]:
    """From now on the mail server refuses one recipient; whom it was asked to send to."""
    asked: list[str] = []
    send_messages = EmailBackend.send_messages

    def judge(self: EmailBackend, mails: Any) -> int:
        (mail,) = mails
        asked.extend(mail.to)
        if mail.to == [address]:
            raise SMTPRecipientsRefused({address: (550, b"No such user here")})
        return send_messages(self, mails)

    patch.setattr(EmailBackend, "send_messages", judge)
    return asked


@pytest.mark.parametrize("severity", ["CRITICAL", "LOW"])
def test_one_whom_the_mail_server_refuses_holds_up_nobody_and_nobody_is_told_twice(
    severity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recipient.objects.all().delete()
    for name in ("first", "refused", "third"):
        Recipient.objects.create(address=f"{name}@example.org")
    opened(severity)
    with monkeypatch.context() as patch:
        asked = refuse(patch, "refused@example.org")
        for _ in range(5):
            with suppress(SMTPRecipientsRefused):
                mail.send()
    assert sorted(to for _, (to,) in sent()) == ["first@example.org", "third@example.org"]
    # At once once more, then after longer and longer.
    assert asked.count("refused@example.org") == 2
    MailPlace.objects.update(due_at=datetime.now(UTC))
    mail.send()
    assert [to for _, (to,) in sent()] == ["refused@example.org"]


def test_one_whom_the_server_refuses_at_once_has_others_told_in_the_digest_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened("CRITICAL")
    opened("HIGH", 8)
    refuse(monkeypatch, "all@example.org")
    with pytest.raises(SMTPRecipientsRefused):
        mail.send()
    assert [to for _, (to,) in sent()] == ["grave@example.org"] * 2


def test_the_log_names_no_address(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    opened("CRITICAL")
    refuse(monkeypatch, "all@example.org")
    with pytest.raises(SMTPRecipientsRefused):
        mail.send()
    key = Recipient.objects.get(address="all@example.org").pk
    assert caplog.messages == [
        f"Mail to recipient {key} failed, and is tried again: SMTPRecipientsRefused 550"
    ]


def test_the_longer_it_fails_the_longer_is_waited() -> None:
    assert [mail.wait_s(failures) for failures in (1, 2, 3, 4, 10_000)] == [0.0, 5.0, 10.0, 20.0, 300.0]


def test_a_lease_that_is_over_amid_a_round_is_another_worker_s(monkeypatch: pytest.MonkeyPatch) -> None:
    Recipient.objects.filter(address="grave@example.org").delete()
    opened("CRITICAL")
    opened("CRITICAL", 8)
    send_messages = EmailBackend.send_messages
    theirs = datetime.now(UTC) + timedelta(hours=1)

    def late(self: EmailBackend, mails: Any) -> int:
        MailPlace.objects.update(leased_until=theirs)
        return send_messages(self, mails)

    monkeypatch.setattr(EmailBackend, "send_messages", late)
    mail.send()
    assert len(sent()) == 1
    # What is another's is not given back by us.
    assert MailPlace.objects.get(name="at once").leased_until == theirs


def test_each_mail_has_the_whole_of_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    Recipient.objects.filter(address="grave@example.org").delete()
    opened("CRITICAL")
    opened("CRITICAL", 8)
    send_messages, ends = EmailBackend.send_messages, list[datetime]()

    def look(self: EmailBackend, mails: Any) -> int:
        until = MailPlace.objects.get(name="at once").leased_until
        assert until is not None
        ends.append(until)
        time.sleep(1.0)
        return send_messages(self, mails)

    monkeypatch.setattr(EmailBackend, "send_messages", look)
    began = datetime.now(UTC)
    mail.send()
    first, second = ends
    assert first >= began + mail.LEASE
    # Taken anew after the first, which took a second.
    assert second >= first + timedelta(seconds=1)


def test_who_is_new_is_told_of_what_comes_from_now_on() -> None:
    opened("CRITICAL")
    Recipient.objects.create(address="late@example.org")
    mail.send()
    assert sorted(to for _, (to,) in sent()) == ["all@example.org", "grave@example.org"]


def test_what_was_mailed_before_the_places_were_each_recipient_s_own_is_not_mailed_again() -> None:
    opened("CRITICAL")
    mail.send()
    opened("CRITICAL", 8)
    assert len(sent()) == 2
    try:
        call_command("migrate", "notifications", "0003", verbosity=0)
    finally:
        call_command("migrate", "notifications", verbosity=0)
    mail.send()
    assert len(sent()) == 2
    assert MailPlace.objects.count() == 4


def positions() -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for name, position in MailPlace.objects.values_list("name", "position"):
        found.setdefault(name, set()).add(position)
    return found


def test_what_nobody_is_mailed_of_is_not_looked_through_again() -> None:
    Recipient.objects.update(least=NO_ALERTS, system=False)
    opened("LOW")
    alarms.note({"flush": "No flush for 45 s."})
    numbering.number()
    mail.send()
    last = Numbering.objects.get().last
    assert (sent(), positions()) == ([], {"at once": {last}, "digest": {last}})
    # Nor what is not of its kind; a digest that is not due yet is not looked for.
    MailPlace.objects.filter(name="digest").update(sent_at=datetime.now(UTC))
    opened("MEDIUM")
    mail.send()
    assert positions() == {"at once": {last + 1}, "digest": {last}}


def test_what_one_is_mailed_of_another_does_not_look_through_again() -> None:
    opened("LOW")
    opened("CRITICAL")
    opened("LOW", 8)
    mail.send()
    assert len(sent()) == 3
    last = Numbering.objects.get().last
    assert positions() == {"at once": {last}, "digest": {last}}


def test_a_digest_waits_only_after_a_digest() -> None:
    """Nor for a look that found nothing for it."""
    MailPlace.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=16))
    opened("CRITICAL")
    mail.send()
    outgoing.outbox.clear()
    opened("LOW")
    mail.send()
    assert sent() == [("[Transaction monitor] 1 new alert", ["all@example.org"])]


def test_whether_an_alert_is_news_still_is_not_looked_for_in_all_that_was_told_since() -> None:
    opened("HIGH", 8)
    message = Message.objects.get()
    Message.objects.bulk_create(
        Message(type="alert.closed", alert=1_000 + number, data={"state": "CLOSED"})
        for number in range(5_000)
    )
    assert latest.still_news([message]) == [message]
    assert pages_read_by(lambda: latest.still_news([message])) <= 10
    close(8)
    assert latest.still_news([message]) == []


def test_what_stands_behind_many_that_are_not_mailed_comes_a_moment_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "LOOKED_AT_MAX", 2)
    Recipient.objects.filter(address="grave@example.org").delete()
    MailPlace.objects.filter(name="digest").delete()
    for user, severity in enumerate(["CRITICAL", "LOW", "LOW", "LOW", "LOW", "CRITICAL", "CRITICAL"]):
        opened(severity, user)
    found = []
    for _ in range(4):
        mail.send()
        found.append(len(sent()))
    assert found == [1, 0, 1, 1]
    assert MailPlace.objects.get().position == Numbering.objects.get().last == 7


def test_an_alert_that_becomes_graver_is_mailed_as_what_it_is_by_then() -> None:
    """Whoever is told of grave ones alone has not heard of it, and nobody reads of it as it was before."""
    for severity in ("LOW", "HIGH", "CRITICAL"):
        group_as(severity)
    numbering.number()
    MailPlace.objects.update(sent_at=None)
    mail.send()
    assert sent() == [
        ("[Transaction monitor] Critical alert: Failures in a row", ["all@example.org"]),
        ("[Transaction monitor] Critical alert: Failures in a row", ["grave@example.org"]),
    ]


def group_as(severity: str) -> None:
    """A hit of one rule and user, as its version of that severity finds it."""
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(1, "Failures in a row", severity, 7, 1)])
