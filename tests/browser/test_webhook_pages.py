"""Webhooks as an operator uses their pages: made, tried, seen to fail and why, sent again, rotated."""

import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django import Settings

from tests.browser.dashboard import serious
from tests.browser.layout import faults
from tests.support.receiving import Receiver, deliver
from tests.support.rule_pages import HOSTILE_NAME
from tests.support.serving import daphne
from transactions.notifications import endpoints, outbox
from transactions.notifications.models import TYPES, Endpoint, MessageType, Recipient

pytestmark = pytest.mark.django_db(transaction=True)

LIST, MAIL = "/admin/notifications/endpoint/", "/admin/notifications/recipient/"
KEYS = "k" * 32


@pytest.fixture
def server(collected: None, transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[str]:
    """One that keeps secrets, and may post to loopback."""
    settings.WEBHOOK_SECRET_KEYS = [KEYS]
    settings.WEBHOOK_PRIVATE_NETWORKS = [ip_network("127.0.0.0/8")]
    log = tmp_path / "daphne.log"
    with daphne(log=log, WEBHOOK_SECRET_KEYS=KEYS, WEBHOOK_PRIVATE_NETWORKS="127.0.0.0/8") as url:
        yield url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.end()


def open_to_all(page: Page) -> None:
    """Nothing that keeps somebody out, and nothing beside the screen."""
    assert serious(page) == []
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [1400, 390])
def test_a_webhook_is_made_tried_seen_to_fail_sent_again_and_rotated(
    page: Page, server: str, receiver: Receiver, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server}{LIST}")
    expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
    page.get_by_role("link", name="New webhook").click()
    page.get_by_label("URL").fill("https://10.0.0.1/")
    page.get_by_role("button", name="Make the webhook").click()
    expect(page.get_by_text("The address 10.0.0.1 is not public")).to_be_visible()
    open_to_all(page)
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_label("Description").fill("On-call")
    page.get_by_label("System alarm").check()
    page.get_by_role("button", name="Make the webhook").click()

    secret = page.locator("#secret").inner_text()
    assert secret.startswith("whsec_")
    open_to_all(page)
    page.get_by_role("link", name="To the webhook").click()
    expect(page.get_by_text("Nothing was sent to it yet.")).to_be_visible()
    assert "whsec_" not in page.content()

    # It is delivered while somebody looks, and the page shows it without a reload.
    page.get_by_role("button", name="Send a test message").click()
    rows = page.get_by_role("table", name="Latest messages").locator("tbody tr")
    expect(rows).to_contain_text("Waiting")
    open_to_all(page)
    deliver()
    expect(rows).to_contain_text("Delivered")
    expect(rows).to_contain_text("A test message.")
    assert receiver.got[0].verified(secret)["type"] == "webhook.test"

    receiver.answer(503, body=b"<b>down for repairs</b>")
    outbox.write(MessageType.SYSTEM_ALARM, {"text": "The queue is full.", "link": f"{server}/admin/"})
    deliver()
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The latest: Answered 503.")
    expect(rows.first).to_contain_text("Alarm: The queue is full.")
    expect(rows.first).to_contain_text("<b>down for repairs</b>")
    open_to_all(page)

    receiver.answer(204)
    failed = receiver.got[1]
    page.get_by_role("button", name=f"Send {failed.headers['webhook-id']} again").click()
    deliver()
    expect(rows.first).to_contain_text("Delivered")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert receiver.got[2].headers["webhook-id"] == failed.headers["webhook-id"]

    page.get_by_text("Rotate the secret …").click()
    page.get_by_role("button", name="Rotate", exact=True).click()
    second = page.locator("#secret").inner_text()
    assert second.startswith("whsec_")
    assert second != secret
    page.get_by_role("link", name="To the webhook").click()
    expect(page.get_by_text("The one before signs too, until")).to_be_visible()
    page.get_by_role("button", name="Send a test message").click()
    expect(rows.first).to_contain_text("Waiting")
    deliver()
    for each in (secret, second):
        assert receiver.got[3].verified(each)["type"] == "webhook.test"
    expect(rows.first).to_contain_text("Delivered")
    open_to_all(page)
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("alert")).to_contain_text("Off since")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("It is on again.")).to_be_visible()


def test_a_channel_of_slack_is_made_and_its_url_is_never_whole_again(
    page: Page, server: str, receiver: Receiver
) -> None:
    receiver.answer(200, body=b"ok")
    url = f"{receiver.url}/services/T0123/B4567/the-secret-of-a-channel"
    page.goto(f"{server}{LIST}new/")
    page.get_by_label("A channel of Slack").check()
    page.get_by_label("URL").fill(url)
    page.get_by_role("button", name="Make the webhook").click()
    expect(page.get_by_text("It is made.")).to_be_visible()
    assert "the-secret-of" not in page.content()
    page.get_by_role("button", name="Send a test message").click()
    expect(page.locator("#log tbody tr")).to_contain_text("Waiting")
    deliver()
    expect(page.locator("#log tbody tr")).to_contain_text("Delivered")
    assert json.loads(receiver.got[0].body)["text"] == "A test message."
    open_to_all(page)
    # What is not given stays.
    page.get_by_label("Description").fill("#fraud")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("It is changed.")).to_be_visible()
    page.get_by_role("button", name="Send a test message").click()
    deliver()
    assert [got.path for got in receiver.got] == [urlsplit(url).path] * 2


@pytest.fixture
def filled(server: str, receiver: Receiver, root: User) -> list[str]:
    """Webhooks in every state, with whatever can stand on their pages; the paths of these."""
    receiver.answers = lambda number: (200, {}, b"ok") if number % 3 else (503, {}, b"<b>" + b"away " * 90)
    works, _ = endpoints.add(receiver.url, description="On-call", by=root)
    for number in range(6):
        outbox.write(MessageType.SYSTEM_ALARM, {"text": f"Alarm {number}", "link": "https://example.org/"})
        deliver()
    endpoints.rotate(works.pk)
    long, _ = endpoints.add(
        f"https://example.org/{'x' * 470}", description=HOSTILE_NAME + "x" * 150, types=TYPES
    )
    channel, _ = endpoints.add("https://example.org/services/the-secret", format="slack")
    gone, _ = endpoints.add("https://example.org/old", by=root)
    Endpoint.objects.filter(pk=gone.pk).update(off="GONE", off_at="2026-01-31T12:00:00Z")
    Endpoint.objects.filter(pk=long.pk).update(failing_since="2026-01-31T12:00:00Z", failures=7)
    Recipient.objects.create(address=f"{'x' * 60}@example.org")
    pages = [f"{LIST}{each.pk}/change/" for each in (works, long, channel, gone)]
    return [LIST, f"{LIST}new/", *pages, MAIL, f"{MAIL}add/"]


def test_every_page_is_open_to_everybody_on_any_screen(page: Page, server: str, filled: list[str]) -> None:
    found = []
    for theme, width in (("light", 1400), ("dark", 390), ("dark", 1400), ("light", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{server}{LIST}")
        page.evaluate(f"localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
        for path in filled:
            page.goto(f"{server}{path}")
            expect(page.locator("html")).to_have_class(theme)
            found += [f"{path} {theme} {width}: {fault}" for fault in (*faults(page), *serious(page))]
    assert not found, "\n".join(found)
