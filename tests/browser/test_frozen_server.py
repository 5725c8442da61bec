"""The dashboard while its server stands still, with every connection open: nothing goes on being claimed."""

import json
import os
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CUT, Watched
from tests.browser.dashboard import Dashboard, stop_clock
from tests.support.serving import the_server
from transactions.live.readers import ALIVE_S

pytestmark = pytest.mark.django_db(transaction=True)


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
    finally:
        os.kill(server, signal.SIGCONT)
    dashboard.is_live()
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
