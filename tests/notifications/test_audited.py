"""The audit trail of webhooks, of what is sent to them by hand, and of who is told by mail."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from tests.support.audit_trail import head, since, told
from tests.support.receiving import Receiver
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.notifications import endpoints, numbering, outbox
from transactions.notifications.models import Delivery, Endpoint, MessageType, Recipient

from .conftest import deliver

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://example.org/hooks/a-secret-of-theirs"


def test_each_change_of_a_webhook_is_noted() -> None:
    before = head()
    made, secret = endpoints.add(URL, description="On-call", types=["alert.opened"])
    endpoints.change(made.pk, url=f"{URL}/2", description="On-call", types=[])
    _, second = endpoints.rotate(made.pk)
    endpoints.switch_off(made.pk)
    endpoints.switch_on(made.pk)
    endpoints.remove(made.pk)
    assert told(before) == [
        (
            "webhook.made",
            "On-call",
            {
                "format": "standard",
                "description": "On-call",
                "types": ["alert.opened"],
                "host": "example.org",
            },
        ),
        ("webhook.changed", "On-call", {"types": {"from": ["alert.opened"], "to": []}, "url": "changed"}),
        ("webhook.changed", "On-call", {"secret": "changed"}),
        ("webhook.changed", "On-call", {"off": {"from": "", "to": "BY_HAND"}}),
        ("webhook.changed", "On-call", {"off": {"from": "BY_HAND", "to": ""}}),
        ("webhook.deleted", "On-call", {"host": "example.org"}),
    ]
    assert {entry.target_id for entry in since(before)} == {str(made.pk)}
    kept = json.dumps([vars(entry) for entry in since(before)], default=str)
    assert not any(hidden in kept for hidden in ("a-secret-of-theirs", secret, second))


def test_the_trail_says_to_which_host_messages_went_and_go() -> None:
    before = head()
    made, _ = endpoints.add("https://hooks.slack.com/services/T0/B0/secret-of-the-channel", format="slack")
    endpoints.change(made.pk, url="https://example.org:8443/services/another-secret")
    (_, _, first), (_, _, second) = told(before)
    assert first == {"format": "slack", "types": [], "host": "hooks.slack.com"}
    assert second == {
        "url": "changed",
        "secret": "changed",
        "host": {"from": "hooks.slack.com", "to": "example.org:8443"},
    }


def test_what_changes_nothing_is_not_noted() -> None:
    made, _ = endpoints.add(URL, description="On-call")
    before = head()
    endpoints.change(made.pk, url=URL, description="On-call", types=[])
    with pytest.raises(endpoints.EndpointRefused):
        endpoints.switch_on(made.pk)
    assert told(before) == []


def test_what_is_sent_by_hand_is_noted_with_who_sent_it(receiver: Receiver) -> None:
    made, _ = endpoints.add(receiver.url)
    outbox.write(MessageType.SYSTEM_ALARM, {})
    numbering.number()
    sent = Delivery.objects.select_related("message").get()
    token, _ = create("ann", rights=frozenset({Right.MANAGE_WEBHOOKS}))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    before = head()
    assert api.post(f"/api/webhooks/{made.pk}/deliveries/{sent.pk}/send-again/").status_code == 202
    assert api.post(f"/api/webhooks/{made.pk}/test/").status_code == 202
    test = Delivery.objects.select_related("message").latest("pk")
    called = f"webhook {made.pk}"
    assert told(before) == [
        ("webhook.sent_again", called, {"message": sent.message.webhook_id}),
        ("webhook.tested", called, {"message": test.message.webhook_id}),
    ]
    assert {(entry.actor, entry.via, entry.token) for entry in since(before)} == {("api-ann", "api", "ann")}


def test_a_webhook_that_asks_for_nothing_more_is_noted_as_switched_off(receiver: Receiver) -> None:
    made, _ = endpoints.add(receiver.url)
    receiver.answer(410)
    outbox.write(MessageType.SYSTEM_ALARM, {})
    before = head()
    deliver()
    assert Endpoint.objects.get().off == "GONE"
    assert told(before) == [("webhook.changed", f"webhook {made.pk}", {"off": {"from": "", "to": "GONE"}})]


def test_who_is_told_by_mail_is_noted_without_the_address(root: Client) -> None:
    def post(name: str, *args: object, **said: str) -> None:
        answer = root.post(reverse(f"admin:notifications_recipient_{name}", args=args), said)
        assert answer.status_code == 302

    before = head()
    post("add", address="ann@example.org", least="HIGH", system="on")
    key = Recipient.objects.get().pk
    post("change", key, address="bea@example.org", least="LOW", system="on")
    post("delete", key, post="yes")
    assert told(before) == [
        ("recipient.made", f"recipient {key}", {"least": "HIGH", "system": True}),
        (
            "recipient.changed",
            f"recipient {key}",
            {"address": "changed", "least": {"from": "HIGH", "to": "LOW"}},
        ),
        ("recipient.deleted", f"recipient {key}", {}),
    ]
    assert {(entry.actor, entry.via, entry.target_id) for entry in since(before)} == {
        ("root", "admin", str(key))
    }
