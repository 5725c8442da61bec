"""A test mail: asked for on a recipient's page, sent by the worker, and what came of it in words."""

from collections.abc import Callable
from datetime import timedelta
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from typing import Any

import pytest
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import F
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import staff
from tests.support.audit_trail import head, since, told
from transactions.notifications import mail, numbering, outbox
from transactions.notifications.models import MessageType, Recipient

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ann(transactional_db: None, settings: Any) -> int:
    """Somebody who is told by mail, which is on."""
    settings.EMAIL_ENABLED = True
    Recipient.objects.create(address="bob@example.org")
    return Recipient.objects.create(address="ann@example.org").pk


def page(client: Client, key: int) -> str:
    response = client.get(reverse("admin:notifications_recipient_change", args=[key]))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def ask(client: Client, key: int) -> str:
    """Asks for a test mail: the page that follows."""
    path = reverse("admin:notifications_recipient_test", args=[key])
    assert path in page(client, key)
    response = client.post(path, follow=True)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_test_mail_goes_to_one_once_and_the_page_says_so(root: Client, ann: int) -> None:
    before = head()
    assert "It is on its way: it waits for the worker of notifications." in ask(root, ann)
    mail.send()
    mail.send()
    (sent,) = outgoing.outbox
    assert (sent.subject, sent.to) == ("[Transaction monitor] A test mail", ["ann@example.org"])
    assert "https://localhost/admin/" in sent.body
    assert "the mail server took it" in page(root, ann)
    assert told(before) == [("recipient.tested", f"recipient {ann}", {})]
    assert [entry.actor for entry in since(before)] == ["root"]
    # And again, if it is asked for again.
    assert "It is on its way" in ask(root, ann)
    mail.send()
    assert len(outgoing.outbox) == 2


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            SMTPRecipientsRefused({"ann@example.org": (550, b"no <such> user")}),
            "The mail server refuses this address: 550 no &lt;such&gt; user",
        ),
        (
            SMTPAuthenticationError(535, b"bad\0 password"),
            "The mail server does not take the user and password of EMAIL_URL: 535 bad password",
        ),
        (
            SMTPSenderRefused(553, b"who?", "transactions@localhost"),
            "The mail server refuses EMAIL_FROM: 553 who?",
        ),
        (SMTPDataError(554, b"spam"), "The mail server answered 554 spam"),
        (SMTPServerDisconnected("Connection unexpectedly closed"), "The mail server hung up."),
        (TimeoutError("timed out"), "The mail server did not answer in time."),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "No connection to the mail server: Connection refused.",
        ),
        (SMTPDataError(554, b"x" * 2_000), "x" * 200),
    ],
)
def test_what_it_failed_by_is_told_in_words(
    root: Client, ann: int, monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str
) -> None:
    send_messages = EmailBackend.send_messages

    def fail(self: EmailBackend, mails: Any) -> int:
        if any("test" in each.subject for each in mails):
            raise failure
        return send_messages(self, mails)

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    outbox.write(MessageType.SYSTEM_ALARM, {"text": "x", "opened_at": None, "link": "/"})
    numbering.number()
    ask(root, ann)
    mail.send()
    assert words in page(root, ann)
    # It is not tried again, and holds up nobody.
    monkeypatch.undo()
    mail.send()
    assert {str(each.subject) for each in outgoing.outbox} == {"[Transaction monitor] Alarm: x"}
    assert sorted(each.to[0] for each in outgoing.outbox) == ["ann@example.org", "bob@example.org"]


def send_amid(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Sends what is due; while the mail server has the first mail `act` is done."""
    send_messages, acts = EmailBackend.send_messages, [act]

    def send(self: EmailBackend, mails: Any) -> int:
        while acts:
            acts.pop()()
        return send_messages(self, mails)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    mail.send()


def test_of_two_workers_one_sends_a_test_mail(
    root: Client, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(root, ann)
    send_amid(monkeypatch, mail.send)
    assert len(outgoing.outbox) == 1
    assert "the mail server took it" in page(root, ann)


def test_one_that_is_asked_for_once_more_while_it_is_on_its_way_is_another(
    root: Client, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(root, ann)
    send_amid(monkeypatch, lambda: ask(root, ann))
    assert len(outgoing.outbox) == 1
    assert "It is on its way" in page(root, ann)
    mail.send()
    assert len(outgoing.outbox) == 2
    assert "the mail server took it" in page(root, ann)


def test_where_a_worker_was_killed_amid_it_another_sends_it_five_minutes_later(
    root: Client, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(root, ann)

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_amid(monkeypatch, die)
    mail.send()
    assert outgoing.outbox == []
    held = Recipient.objects.filter(pk=ann)
    held.update(test_leased_until=F("test_leased_until") - timedelta(minutes=5, seconds=1))
    mail.send()
    assert len(outgoing.outbox) == 1
    assert "the mail server took it" in page(root, ann)


def test_what_came_of_a_test_is_forgotten_with_the_address(root: Client, ann: int) -> None:
    ask(root, ann)
    mail.send()
    path = reverse("admin:notifications_recipient_change", args=[ann])
    root.post(path, {"address": "cid@example.org", "least": "LOW"})
    assert "the mail server took it" not in page(root, ann)


def test_without_a_mail_server_the_page_says_so(root: Client, ann: int, settings: Any) -> None:
    settings.EMAIL_ENABLED = False
    assert "No mail is sent: EMAIL_URL is not set." in ask(root, ann)
    assert Recipient.objects.get(pk=ann).test_asked_at is None


def test_who_may_not_manage_webhooks_tests_nothing(client: Client, ann: int) -> None:
    path = reverse("admin:notifications_recipient_test", args=[ann])
    staff(client, "view_message", "view_alert")
    assert client.get(path).status_code == 405
    assert client.post(path).status_code == 403
    assert Recipient.objects.get(pk=ann).test_asked_at is None


def test_nobody_there_is_not_found(root: Client) -> None:
    assert root.post(reverse("admin:notifications_recipient_test", args=[10**9])).status_code == 404
