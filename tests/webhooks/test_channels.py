"""Channels of Slack and Teams by the API: made, changed, and never shown whole."""

from typing import Any

import pytest

from tests.support.alerts import Caller, caller
from transactions.access.rights import Right
from transactions.notifications import signing
from transactions.notifications.models import Endpoint
from transactions.openapi.webhooks import NO_KEY

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://hooks.example.org/services/T0123/B4567/the-secret-of-a-channel-Kx3d"
CUT = "https://hooks.example.org/…Kx3d"


@pytest.fixture
def ann(settings: Any, transactional_db: None) -> Caller:
    settings.WEBHOOK_SECRET_KEYS = ["k" * 32]
    return caller("ann", Right.MANAGE_WEBHOOKS)


def test_a_channel_has_no_secret_but_its_url_which_is_shown_cut(ann: Caller) -> None:
    made = ann.post("webhooks/", {"url": URL, "format": "slack"}, 201)
    assert (made["format"], made["url"], made["secret"]) == ("slack", CUT, None)
    key = made["id"]
    assert ann.get(f"webhooks/{key}/")["url"] == CUT
    ann.api.patch(f"/api/webhooks/{key}/", {"url": URL[:-4] + "Qy4e"}, format="json")
    assert ann.get("webhooks/")["results"][0]["url"].endswith("…Qy4e")
    assert signing.decrypt(Endpoint.objects.get().secret) == URL[:-4] + "Qy4e"


def test_a_webhook_is_signed_unless_said_otherwise(ann: Caller) -> None:
    made = ann.post("webhooks/", {"url": "https://example.org/"}, 201)
    assert (made["format"], made["secret"][:6]) == ("standard", "whsec_")


def test_a_format_that_there_is_not_is_named(ann: Caller) -> None:
    told = ann.post("webhooks/", {"url": URL, "format": "irc"}, 400)
    assert told == {"format": ["The format is one of standard, slack, teams."]}


def test_a_format_is_not_changed_afterwards(ann: Caller) -> None:
    key = ann.post("webhooks/", {"url": URL, "format": "slack"}, 201)["id"]
    answer = ann.api.patch(f"/api/webhooks/{key}/", {"format": "standard"}, format="json")
    assert answer.status_code == 400
    assert list(answer.json()) == ["format"]


def test_a_channel_is_not_rotated(ann: Caller) -> None:
    key = ann.post("webhooks/", {"url": URL, "format": "teams"}, 201)["id"]
    told = ann.post(f"webhooks/{key}/rotate/", status=409)
    assert told == {"detail": "Its URL is its secret: have another one made there, and give it that."}


def test_a_channel_gets_no_other_url_while_there_is_no_key(ann: Caller, settings: Any) -> None:
    key = ann.post("webhooks/", {"url": URL, "format": "slack"}, 201)["id"]
    settings.WEBHOOK_SECRET_KEYS = []
    answer = ann.api.patch(f"/api/webhooks/{key}/", {"url": f"{URL}2"}, format="json")
    assert (answer.status_code, answer.json()) == (409, NO_KEY)
