"""Mail to whoever is given an alert by somebody else: where the account's address is a recipient's."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail as outgoing
from django.core.management import call_command

from tests.support.receiving import Receiver
from transactions.access.rights import Right, grant
from transactions.alerts import triage
from transactions.alerts.grouping import Raised, group
from transactions.alerts.models import Alert
from transactions.notifications import endpoints, mail, numbering
from transactions.notifications.models import Endpoint, MailPlace, Message, Numbering, Recipient
from transactions.stores.postgres_session import Session

from .conftest import deliver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ann(transactional_db: None, settings: Any) -> User:
    """Ann gives alerts, and is told by mail too; mail is on."""
    settings.EMAIL_ENABLED = True
    Recipient.objects.create(address="ann@example.org", least="CRITICAL")
    return analyst("ann")


@pytest.fixture
def bob() -> User:
    """Bob is told by mail of what he is given alone; his account has his address in another case."""
    Recipient.objects.create(address="bob@example.org", least="NONE", system=False)
    return analyst("bob", "Bob@Example.org")


def analyst(name: str, email: str = "") -> User:
    made = User.objects.create_user(name, email=email or f"{name}@example.org")
    grant(made, [Right.VIEW_ALERTS, Right.CHANGE_ALERTS])
    return made


def opened(user: int) -> Alert:
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(1, "Failures in a row", "HIGH", user, 3)])
    return Alert.objects.get(user=user)


def assigned(user: int, by: User, to: User) -> Alert:
    alert = opened(user)
    return triage.assign(alert.pk, by, alert.version, to)


def mailed() -> list[tuple[str, str]]:
    """Looks for mail once: to whom, and about what."""
    numbering.number()
    outgoing.outbox.clear()
    mail.send()
    return [(each.to[0], str(each.subject)) for each in outgoing.outbox]


def test_whoever_is_given_an_alert_is_told_once_and_nobody_else(ann: User, bob: User) -> None:
    alert = assigned(7, ann, bob)
    assert mailed() == [
        ("bob@example.org", "[Transaction monitor] High alert assigned to bob: Failures in a row")
    ]
    text = outgoing.outbox[0].body
    assert "HIGH: Failures in a row, user 7, since " in text
    assert f"https://localhost/admin/alerts/alert/{alert.pk}/change/" in text
    assert mailed() == []


def test_many_at_once_are_one_mail(ann: User, bob: User) -> None:
    for user in (7, 8, 9):
        assigned(user, ann, bob)
    assert mailed() == [("bob@example.org", "[Transaction monitor] 3 alerts assigned to you")]
    assert outgoing.outbox[0].body.count("https://localhost/admin/alerts/alert/") == 3


def test_who_takes_one_is_not_told(bob: User) -> None:
    alert = opened(7)
    triage.claim(alert.pk, bob, alert.version)
    other = opened(8)
    triage.assign(other.pk, bob, other.version, bob)
    assert not Message.objects.filter(type="alert.assigned").exists()
    assert mailed() == []


@pytest.mark.parametrize("left", ["address", "recipient", "account"])
def test_without_an_address_a_recipient_or_an_account_nobody_is_told(ann: User, bob: User, left: str) -> None:
    assigned(7, ann, bob)
    if left == "address":
        User.objects.filter(pk=bob.pk).update(email="")
    elif left == "recipient":
        Recipient.objects.filter(address="bob@example.org").delete()
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert mailed() == []
    last = Numbering.objects.get().last
    assert set(MailPlace.objects.values_list("position", flat=True)) == {last}


def test_it_is_a_message_of_its_own_to_webhooks_and_channels(
    ann: User, bob: User, receiver: Receiver
) -> None:
    endpoints.add(receiver.url, types=["alert.assigned"])
    assigned(7, ann, bob)
    deliver()
    (message,) = Message.objects.filter(type="alert.assigned")
    assert (message.severity, message.data["assignee"], message.data["state"]) == ("HIGH", "bob", "OPEN")
    (sent,) = receiver.got
    assert b'"type":"alert.assigned"' in sent.body


def test_the_release_before_goes_on_with_what_it_knows(ann: User, bob: User) -> None:
    for types in (["alert.assigned"], ["alert.assigned", "system.alarm"], []):
        Endpoint.objects.create(url="https://example.org/", secret="x", types=types)
    assigned(7, ann, bob)
    numbering.number()
    assigned(8, ann, bob)
    places = Message.objects.exclude(position=None).count()
    try:
        call_command("migrate", "notifications", "0007", verbosity=0)
        assert not Message.objects.filter(type="alert.assigned").exists()
        assert Message.objects.exclude(position=None).count() == places
        assert list(Endpoint.objects.order_by("pk").values_list("types", flat=True)) == [
            ["alert.updated"], ["system.alarm"], [],
        ]  # fmt: skip
    finally:
        call_command("migrate", "notifications", verbosity=0)
