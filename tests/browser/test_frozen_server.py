"""The dashboard while its server stands still, with every connection open: nothing goes on being claimed."""

import os
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CUT, Watched
from tests.browser.dashboard import Dashboard
from tests.support.serving import the_server
from transactions.live.readers import ALIVE_S

pytestmark = pytest.mark.django_db(transaction=True)

# How late a frame may be, and how long a busy machine takes to show what a page has noticed.
SLACK_S = 8.0


def test_a_frozen_server_shows_within_the_alive_time_and_goes_on_once_it_thaws(
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
        expect(feed).to_have_text(said, timeout=1000 * (ALIVE_S + SLACK_S))
        expect(dashboard.page.locator("#system .dot")).to_have_class("dot dot-bad")
    finally:
        os.kill(server, signal.SIGCONT)
    dashboard.is_live()
    dashboard.post("AFTER")
    dashboard.shows("AFTER", "BEFORE")


def test_a_feed_that_has_nothing_to_tell_stays_live(dashboard: Dashboard) -> None:
    dashboard.page.evaluate("""() => {
        window.said = new Set();
        const place = document.getElementById("feed-state");
        new MutationObserver(() => window.said.add(place.textContent)).observe(place, { childList: true });
    }""")
    dashboard.page.wait_for_timeout(1000 * (2 * ALIVE_S + 4))
    assert set(dashboard.page.evaluate("[...window.said]")) <= {"● live"}
