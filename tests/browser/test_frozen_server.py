"""The dashboard while its server stands still, with every connection open: nothing goes on being claimed."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CUT, Watched
from tests.browser.dashboard import Dashboard, serious, stop_clock
from tests.support.living import everybody_works
from tests.support.serving import daphne, the_server
from transactions.live.readers import ALIVE_S

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(collected: None, transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The last one that was started, which is the one that stands still."""
    with daphne(log=tmp_path / "daphne.log") as url:
        yield url


def test_a_frozen_server_shows_once_the_alive_time_is_over_and_goes_on_once_it_thaws(
    dashboard: Dashboard, watched: Watched
) -> None:
    watched.expected = [CUT]
    feed = dashboard.page.locator("#feed-state")
    dashboard.post("BEFORE")
    dashboard.shows("BEFORE")
    server = the_server()
    os.kill(server, signal.SIGSTOP)
    try:
        said = re.compile(r"^▲ stale since \d\d:\d\d:\d\d$")
        expect(feed).to_have_text(said)
        expect(dashboard.page.locator("#system .dot")).to_have_class("dot dot-bad")
        # And why, and what to do about it, where no page can be opened any more.
        page = dashboard.page
        banner = page.locator("#banner")
        expect(banner).to_contain_text("The server does not answer in time.", timeout=60_000)
        expect(page.locator("#system-said")).to_have_text("The server does not answer in time")
        banner.get_by_role("link", name="What to do").click()
        silent = page.locator("#system-silent")
        expect(silent).to_be_visible()
        expect(silent).to_contain_text("docker compose restart web")
        assert serious(page) == []
        page.keyboard.press("Escape")
    finally:
        os.kill(server, signal.SIGCONT)
    dashboard.is_live()
    expect(dashboard.page.locator("#system-silent")).to_have_attribute("hidden", "")
    dashboard.post("AFTER")
    dashboard.shows("AFTER", "BEFORE")


def test_it_is_told_two_seconds_after_the_alive_time_and_not_before(
    dashboard: Dashboard, watched: Watched
) -> None:
    """By the page's clock, however busy the machine is."""
    watched.expected = [CUT]
    page, feed = dashboard.page, dashboard.page.locator("#feed-state")
    stop_clock(page)
    page.reload()
    dashboard.is_live()
    server = the_server()
    os.kill(server, signal.SIGSTOP)
    try:
        page.wait_for_timeout(1_000)  # What it has sent before has come.
        page.clock.run_for(int(1000 * ALIVE_S) + 1_900)
        assert feed.text_content() == "● live"
        page.clock.run_for(200)
        assert (feed.text_content() or "").startswith("▲ stale since ")
    finally:
        os.kill(server, signal.SIGCONT)


def test_a_feed_that_has_nothing_to_tell_stays_live(dashboard: Dashboard) -> None:
    """By the page's clock each frame comes when it is due, however late a busy machine hands it over."""
    page = dashboard.page
    stop_clock(page)
    with page.expect_websocket() as opened:
        page.reload()
    dashboard.is_live()
    for _ in range(2):
        with opened.value.expect_event("framereceived") as alive:
            page.clock.run_for(int(1000 * ALIVE_S))
            assert page.locator("#feed-state").text_content() == "● live"
        assert json.loads(alive.value)["type"] == "alive"


def test_the_page_of_the_system_claims_nothing_once_the_alive_time_is_over(
    page: Page, server: str, watched: Watched
) -> None:
    """By the page's clock: what it shows is said to be of a moment, and comes back with the next answer."""
    watched.expected = [CUT]
    everybody_works()
    stop_clock(page)
    page.goto(f"{server}/admin/system/")
    health, silent = page.locator("#health"), page.locator("#silent")
    expect(health.locator("#redis .pill")).to_have_text("normal")
    expect(silent).to_be_hidden()
    stopped = the_server()
    os.kill(stopped, signal.SIGSTOP)
    try:
        page.clock.run_for(int(1000 * ALIVE_S) + 1_900)
        expect(health.locator("#redis .pill")).to_have_text("normal")
        page.clock.run_for(200)
        expect(silent).to_contain_text("How the system is now is not known")
        expect(silent).to_contain_text("docker compose restart web")
        assert set(health.locator(".pill:visible").all_text_contents()) == {"not answering", "not known"}
        expect(health.locator("#as-it-should-be h2")).to_have_text("As it was then")
        page.locator("#system summary").click()
        assert set(page.locator("#system-parts .pill").all_text_contents()) == {"not known"}
        # From here on time goes by itself: axe waits for it.
        page.clock.resume()
        assert serious(page) == []
    finally:
        os.kill(stopped, signal.SIGCONT)
    expect(silent).to_be_hidden()
    expect(health.locator("#redis .pill")).to_have_text("normal")
    expect(health.locator("#as-it-should-be h2")).to_have_text("As it should be")


def test_a_page_of_the_system_that_nobody_looked_at_claims_nothing_against_its_server(
    page: Page, server: str
) -> None:
    everybody_works()
    stop_clock(page)
    page.goto(f"{server}/admin/system/")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.clock.run_for(60_000)
    expect(page.locator("#silent")).to_be_hidden()
    expect(page.locator("#health #redis .pill")).to_have_text("normal")
