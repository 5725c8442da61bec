"""The admin site's pages of webhooks and mail, as a browser sees them."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import staff
from tests.support.markup import markup
from tests.support.receiving import Receiver
from transactions.admin_site import webhooks
from transactions.notifications import endpoints, signing
from transactions.notifications.models import Delivery, Endpoint, Recipient

from .conftest import deliver

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://example.org/webhooks"


def path(name: str, *args: Any) -> str:
    return reverse(f"admin:notifications_{name}", args=args)


def shown(client: Client, where: str) -> str:
    response = client.get(where)
    assert response.status_code == 200, (where, response.status_code)
    return markup(response)


def posted(client: Client, where: str, **said: Any) -> str:
    """The page that follows."""
    response = client.post(where, said, follow=True)
    assert response.status_code == 200, (where, response.status_code)
    return markup(response)


def test_a_webhook_is_made_and_its_secret_is_on_one_page_alone(root: Client) -> None:
    assert "New webhook" in shown(root, path("endpoint_changelist"))
    assert "Make the webhook" in shown(root, path("endpoint_new"))
    page = posted(root, path("endpoint_new"), url=URL, description="On-call", types=["alert.opened"])
    made = Endpoint.objects.get()
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", page)
    assert signing.decrypt(made.secret) == secret
    assert (made.url, made.types, made.made_by and made.made_by.username) == (URL, ["alert.opened"], "root")
    for where in (path("endpoint_change", made.pk), path("endpoint_changelist")):
        assert "whsec_" not in shown(root, where)
        assert "On-call" in shown(root, where)


def test_the_page_of_a_webhook_is_called_as_it_was_named(root: Client) -> None:
    named, unnamed = endpoints.add(URL, description="webhook_listen")[0], endpoints.add(URL)[0]
    page = shown(root, path("endpoint_change", named.pk))
    assert re.search(r"</span>\s*webhook_listen\s*</h1>", page)
    # Made by a command.
    assert "nobody known" not in page
    assert re.search(
        rf"</span>\s*Webhook {unnamed.pk}\s*</h1>", shown(root, path("endpoint_change", unnamed.pk))
    )


def test_a_state_has_the_same_badge_in_the_list_as_on_its_page(root: Client) -> None:
    made, _ = endpoints.add(URL)
    for changed, state, tone in (
        ({}, "On", "good"),
        ({"failures": 1}, "Fails", "bad"),
        ({"off": "BY_HAND"}, "Off", "bad"),
    ):
        Endpoint.objects.filter(pk=made.pk).update(**changed)
        pill = f'<span class="pill pill-{tone}">{state}</span>'
        assert pill in shown(root, path("endpoint_changelist"))
        assert pill in shown(root, path("endpoint_change", made.pk))


def test_what_is_wrong_stands_beside_its_field(root: Client) -> None:
    page = posted(root, path("endpoint_new"), url="https://10.0.0.1/", description="a\tb")
    assert "The address 10.0.0.1 is not public, and not in WEBHOOK_PRIVATE_NETWORKS." in page
    assert "A description is one line of at most 200 characters." in page
    assert not Endpoint.objects.exists()


def test_without_a_key_the_pages_say_so(root: Client, settings: Any) -> None:
    settings.WEBHOOK_SECRET_KEYS = []
    page = shown(root, path("endpoint_changelist"))
    assert "WEBHOOK_SECRET_KEYS is not set" in page
    assert "New webhook" not in page
    assert "WEBHOOK_SECRET_KEYS is not set" in posted(root, path("endpoint_new"), url=URL)


def test_the_page_changes_tests_switches_rotates_and_removes(root: Client, receiver: Receiver) -> None:
    made, first = endpoints.add(receiver.url)
    page, key = path("endpoint_change", made.pk), made.pk
    assert "It is changed." in posted(root, page, url=receiver.url, description="Ours", types=[])
    assert "A test message is on its way" in posted(root, path("endpoint_step", key, "test"))
    deliver()
    assert "webhook.test" in shown(root, page)
    delivery = Delivery.objects.get()
    again = path("endpoint_send_again", key, delivery.pk)
    assert "The message is on its way again." in posted(root, again)
    deliver()
    assert [each.verified(first)["type"] for each in receiver.got] == ["webhook.test"] * 2
    rotated = posted(root, path("endpoint_step", key, "rotate"))
    (second,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", rotated)
    assert first != second
    assert "It is off: nothing is sent there." in posted(root, path("endpoint_step", key, "off"))
    assert "It is off: switch it on first." in posted(root, again)
    assert "It is on again." in posted(root, path("endpoint_step", key, "on"))
    assert "Ours was removed." in posted(root, path("endpoint_step", key, "remove"))
    assert not Endpoint.objects.exists()


def test_the_log_of_a_webhook_is_read_page_by_page(
    root: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "SHOWN_MAX", 2)
    made, _ = endpoints.add(receiver.url)
    sent = [endpoints.test(made.pk).message.webhook_id for _ in range(3)]
    page = shown(root, path("endpoint_change", made.pk))
    assert [each in page for each in sent] == [False, True, True]
    (older,) = re.findall(r'href="(\?before=\d+)"', page)
    page = shown(root, path("endpoint_change", made.pk) + older)
    assert [each in page for each in sent] == [True, False, False]
    assert "Older ones" not in page
    assert sent[2] in shown(root, path("endpoint_change", made.pk) + "?before=x")


def test_an_answer_is_shown_as_text(root: Client, receiver: Receiver) -> None:
    receiver.answer(500, body=b"<script>alert(1)</script>")
    made, _ = endpoints.add(receiver.url)
    endpoints.test(made.pk)
    deliver()
    page = shown(root, path("endpoint_change", made.pk))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert "Nothing got through since" in page


def test_who_may_not_manage_webhooks_sees_none(client: Client, receiver: Receiver) -> None:
    made, _ = endpoints.add(receiver.url)
    staff(client, "view_transaction", "view_message", "view_endpoint")
    for where in (
        path("endpoint_changelist"), path("endpoint_change", made.pk), path("endpoint_new"),
        path("recipient_changelist"),
    ):  # fmt: skip
        assert client.get(where).status_code == 403, where
    for step in ("off", "rotate", "test", "remove"):
        assert client.post(path("endpoint_step", made.pk, step)).status_code == 403
    assert Endpoint.objects.get().off == ""


@pytest.mark.parametrize("step", ["off", "rotate"])
def test_nothing_is_changed_by_a_link(root: Client, receiver: Receiver, step: str) -> None:
    made, _ = endpoints.add(receiver.url)
    assert root.get(path("endpoint_step", made.pk, step)).status_code == 405


def test_what_there_is_not_is_not_found(root: Client, receiver: Receiver) -> None:
    made, _ = endpoints.add(receiver.url)
    assert root.post(path("endpoint_step", made.pk, "explode")).status_code == 404
    assert root.post(path("endpoint_send_again", made.pk, 1)).status_code == 404
    assert root.get(path("endpoint_change", made.pk + 1)).status_code == 404


def test_who_is_told_by_mail_is_added_and_removed(root: Client, settings: Any) -> None:
    assert "No mail is sent: EMAIL_URL is not set." in shown(root, path("recipient_changelist"))
    settings.EMAIL_ENABLED = True
    posted(root, path("recipient_add"), address="ann@example.org", least="HIGH", system="on")
    assert "ann@example.org" in shown(root, path("recipient_changelist"))
    assert Recipient.objects.get().least == "HIGH"
    posted(root, path("recipient_delete", Recipient.objects.get().pk), post="yes")
    assert not Recipient.objects.exists()


@pytest.mark.parametrize("other", ["ANN@example.org", "ann@Example.ORG", "ann@example.org"])
def test_addresses_that_differ_in_case_alone_are_one_recipient(root: Client, other: str) -> None:
    posted(root, path("recipient_add"), address="ann@example.org", least="HIGH", system="on")
    said = posted(root, path("recipient_add"), address=other, least="LOW")
    assert "There is a recipient with this address already, in whatever case it is written." in said
    assert Recipient.objects.count() == 1
    posted(root, path("recipient_add"), address="bob@example.org", least="HIGH")
    bob = Recipient.objects.get(address="bob@example.org").pk
    said = posted(root, path("recipient_change", bob), address=other, least="LOW")
    assert "There is a recipient with this address already" in said
    # One may be written otherwise, where it is the recipient's own.
    posted(root, path("recipient_change", bob), address="Bob@Example.org", least="LOW")
    assert Recipient.objects.get(pk=bob).address == "Bob@Example.org"


def test_postgres_has_an_address_once_in_any_case() -> None:
    Recipient.objects.create(address="ann@example.org")
    with pytest.raises(IntegrityError, match="recipient_address_once"):
        Recipient.objects.create(address="Ann@example.org")


def test_the_log_of_the_admin_site_has_no_addresses_of_mail(root: Client) -> None:
    posted(root, path("recipient_add"), address="ann@example.org", least="HIGH", system="on")
    key = Recipient.objects.get().pk
    posted(root, path("recipient_change", key), address="bob@example.org", least="LOW")
    assert "bob@example.org" in shown(root, path("recipient_delete", key))
    posted(root, path("recipient_delete", key), post="yes")
    posted(root, path("recipient_add"), address="cid@example.org", least="HIGH")
    chosen = {"action": "delete_selected", "_selected_action": str(Recipient.objects.get().pk), "post": "yes"}
    posted(root, path("recipient_changelist"), **chosen)
    assert not Recipient.objects.exists()
    kept = list(LogEntry.objects.values_list("object_repr", "change_message"))
    assert [name for name, _ in kept].count(f"recipient {key}") == 3
    assert len(kept) == 5
    assert not any("@" in text for entry in kept for text in entry)


@pytest.mark.parametrize("step", ["off", "on", "test", "rotate", "remove"])
def test_a_webhook_that_somebody_removes_meanwhile_is_not_found(
    root: Client, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    made, _ = endpoints.add(URL)
    removed_once_found(monkeypatch)
    response = root.post(path("endpoint_step", made.pk, step))
    assert (response.status_code, Endpoint.objects.exists()) == (404, False)


def test_neither_is_one_that_is_changed_or_sent_to_again(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, again = (endpoints.add(URL)[0].pk for _ in range(2))
    sent = endpoints.test(again).pk
    removed_once_found(monkeypatch)
    changed = root.post(path("endpoint_change", made), {"url": URL, "description": "Another"})
    assert (changed.status_code, Endpoint.objects.filter(pk=made).exists()) == (404, False)
    assert root.post(path("endpoint_send_again", again, sent)).status_code == 404


def removed_once_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else removes a webhook right after a page has found it."""
    found = webhooks._found

    def find(key: str | int) -> Endpoint:
        endpoint = found(key)
        endpoints.remove(endpoint.pk)
        return endpoint

    monkeypatch.setattr(webhooks, "_found", find)
