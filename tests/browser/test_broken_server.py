"""The dashboard while its server is away, and after."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import BrowserContext, WebSocket, WebSocketRoute, expect

from tests.browser.conftest import CUT, Watched
from tests.browser.dashboard import Dashboard, look_again
from tests.support.accepting import record, take
from tests.support.serving import daphne
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_comes_back_from_a_lost_server_with_nothing_missing(
    context: BrowserContext, people: list[User], root: User, tmp_path: Path, watched: Watched
) -> None:
    watched.expected = [CUT]
    client = Client()
    client.force_login(root)
    page = context.new_page()
    with daphne(log=tmp_path / "first.log") as url:
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])
        dashboard = Dashboard(page, url, people)
        dashboard.open()
        dashboard.post("BEFORE")
        dashboard.shows("BEFORE")
    expect(page.locator("#feed-state")).to_have_text(re.compile(r"^▲ stale since \d\d:\d\d:\d\d$"))
    expect(page.locator("#banner")).to_contain_text("The server does not answer")
    expect(page.locator("#buffered")).to_have_text("? not known")
    # Others of the same Redis go on taking transactions meanwhile.
    with ThreadPoolExecutor(1) as elsewhere:  # This thread has the loop of the browser's driver.
        elsewhere.submit(take, *(record(f"AWAY{n}", people[0]) for n in range(150))).result()
    flush()
    port = int(url.rpartition(":")[2])
    with daphne(port, log=tmp_path / "second.log"):
        dashboard.is_live()
        dashboard.post("AFTER")
        dashboard.shows("AFTER", *(f"AWAY{n}" for n in reversed(range(150))), "BEFORE")
        expect(page.locator("#rows tbody tr").nth(1).locator("td").last).to_have_text("● stored")
        expect(page.locator("#banner")).to_be_hidden()
    page.close()


def test_without_its_websocket_the_books_tell_what_waits(dashboard: Dashboard, watched: Watched) -> None:
    watched.expected = [CUT]
    sockets: list[WebSocketRoute] = []

    def take(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) == 1:
            socket.connect_to_server()
        else:
            socket.close()

    dashboard.page.route_web_socket("**/ws/**", take)
    dashboard.page.reload()
    dashboard.is_live()
    dashboard.post("T1")
    expect(dashboard.page.locator("#buffered")).to_have_text("1")
    sockets[0].close()
    expect(dashboard.page.locator("#feed-state")).to_have_text(re.compile("^▲ stale since"))
    flush()
    expect(dashboard.page.locator("#buffered")).to_have_text("0")


def test_a_banner_tells_that_something_waits_too_long_and_is_not_said_anew_every_second(
    dashboard: Dashboard,
) -> None:
    dashboard.post("T1")
    banner = dashboard.page.locator("#banner")
    # By what the chip says is the cause: how long it has been so stands there.
    told = re.compile(r"^Accepted transactions wait to be stored\. \w+: \w+\.\s*What to do$")
    expect(banner).to_have_text(told)
    dashboard.page.wait_for_timeout(2_500)
    expect(banner).to_have_text(told)
    expect(banner.get_by_role("link")).to_have_attribute("href", re.compile(r"/admin/system/#\w+$"))
    flush()
    expect(banner).to_be_hidden()


def test_after_new_books_it_begins_anew(dashboard: Dashboard) -> None:
    dashboard.post("OLD")
    dashboard.shows("OLD")
    connection().flushdb()
    dashboard.post("NEW")
    dashboard.shows("NEW")


def test_a_slow_answer_leaves_the_live_feed_as_it_is(dashboard: Dashboard) -> None:
    """Whoever has an answer late still has the server at the other end of the websocket."""
    page, others = dashboard.page, list[WebSocket]()
    page.on("websocket", lambda socket: others.append(socket))
    page.route("**/admin/dashboard/figures/**", lambda route: None)
    look_again(page)
    expect(page.locator("#banner")).to_have_text(
        re.compile(r"^The server does not answer in time\.\s*What to do$")
    )
    dashboard.post("T1")
    dashboard.shows("T1")
    assert others == []


def test_who_may_no_longer_read_is_told_so(dashboard: Dashboard, watched: Watched) -> None:
    watched.expected = ["status of 403"]
    User.objects.update(is_superuser=False)
    expect(dashboard.page.locator("#banner")).to_contain_text("Log in again")
