"""The dashboard in a browser: what arrives, and what one does with it."""

import json
import re
import shlex
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, Watched
from tests.browser.dashboard import Dashboard, look_again, stop_clock
from transactions.live.readers import ACKNOWLEDGE_EVERY
from transactions.storing.flush import flush

ASK_ANOTHER_HOST = """() => new Promise((stopped) => {
  document.addEventListener("securitypolicyviolation", stopped);
  setTimeout(stopped, 5_000);
  new Image().src = "https://example.org/";
})"""

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_is_the_first_page_after_logging_in(context: BrowserContext, server: str, root: User) -> None:
    page = context.new_page()
    page.goto(f"{server}/")
    page.locator("#id_username").fill("root")
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{server}/admin/")
    expect(page.locator("#feed-state")).to_have_text("● live")
    expect(page.locator("#empty")).to_contain_text("Nothing has been accepted yet")


def test_transactions_arrive_and_turn_from_waiting_to_stored(dashboard: Dashboard) -> None:
    dashboard.post("T1", amount=1234567, status="SUCCESS")
    dashboard.post("T2")
    dashboard.shows("T2", "T1")
    cells = dashboard.page.locator("#rows tbody tr").last.locator("td")
    expect(cells.nth(3)).to_have_text("1,234,567")
    expect(cells.nth(4)).to_have_text("Succeeded")
    expect(cells.nth(5)).to_have_text("○ waiting")
    expect(dashboard.page.locator("#buffered")).to_have_text("2")
    assert flush().stored == 2
    expect(cells.nth(5)).to_have_text("● stored")
    expect(dashboard.page.locator("#buffered")).to_have_text("0")
    expect(dashboard.page.locator("#books")).to_have_text("✓ balanced")


def test_what_asks_another_host_is_noted_and_stopped(dashboard: Dashboard, watched: Watched) -> None:
    """These tests' own eyes: each of them fails on what is noted."""
    dashboard.page.evaluate(ASK_ANOTHER_HOST)
    assert any(error.startswith("Content-Security-Policy: img-src") for error in watched.errors)
    watched.expected = ["example.org"]
    assert watched.foreign.pop() == "https://example.org/"


def test_it_acknowledges_as_often_as_the_server_asks(dashboard: Dashboard) -> None:
    said: list[dict[str, int]] = []
    dashboard.page.on(
        "websocket", lambda socket: socket.on("framesent", lambda text: said.append(json.loads(text)))
    )
    dashboard.page.reload()
    dashboard.is_live()
    for n in range(1, 3 * ACKNOWLEDGE_EVERY):
        dashboard.post(f"T{n}")
        expect(dashboard.page.locator("#rows tbody tr")).to_have_count(n)
    assert said == [{"ack": ACKNOWLEDGE_EVERY}, {"ack": 2 * ACKNOWLEDGE_EVERY}]


def test_a_fresh_page_shows_what_had_just_arrived(dashboard: Dashboard) -> None:
    dashboard.post("T1")
    flush()
    dashboard.post("T2")
    dashboard.shows("T2", "T1")
    dashboard.page.reload()
    dashboard.shows("T2", "T1")
    expect(dashboard.page.locator("#rows tbody tr td:last-child")).to_have_text(["○ waiting", "● stored"])


def test_paused_it_counts_what_is_new_and_shows_it_when_resumed(dashboard: Dashboard) -> None:
    dashboard.post("T1")
    dashboard.shows("T1")
    button = dashboard.page.locator("#pause")
    button.click()
    expect(button).to_have_text("Resume")
    dashboard.post_all([{"transaction_id": f"T{n}"} for n in (2, 3, 4)])
    expect(button).to_have_text("Resume (3 new)")
    dashboard.shows("T1")
    button.click()
    dashboard.shows("T4", "T3", "T2", "T1")
    expect(button).to_have_text("Pause")


def test_scrolling_down_pauses_it_and_back_at_the_top_it_goes_on(dashboard: Dashboard) -> None:
    dashboard.post_all([{"transaction_id": f"T{n}"} for n in range(60)])
    # A burst is sampled while one watches; a page that comes later gets it whole.
    dashboard.page.reload()
    expect(dashboard.page.locator("#rows tbody tr")).to_have_count(60)
    dashboard.page.locator("#rows").evaluate("box => { box.scrollTop = 300 }")
    expect(dashboard.page.locator("#pause")).to_have_text("Paused by scrolling: resume")
    dashboard.post("LATE")
    expect(dashboard.page.locator("#pause")).to_have_text("Paused by scrolling: resume (1 new)")
    assert "LATE" not in dashboard.ids()
    dashboard.page.locator("#rows").evaluate("box => { box.scrollTop = 0 }")
    expect(dashboard.page.locator("#rows tbody button").first).to_have_text("LATE")


def test_filters_narrow_the_table_and_are_kept_in_the_url(dashboard: Dashboard) -> None:
    alice, bob, _ = dashboard.people
    dashboard.post_all(
        [
            {"transaction_id": "A", "amount": 5, "status": "FAILED"},
            {"transaction_id": "B", "amount": 50, "status": "FAILED"},
            {"transaction_id": "C", "amount": 50, "user": bob.pk, "status": "FAILED"},
            {"transaction_id": "D", "amount": 50, "status": "SUCCESS"},
        ]
    )
    dashboard.shows("D", "C", "B", "A")
    form = dashboard.page.locator("#filters")
    form.locator("[name=status]").select_option("FAILED")
    dashboard.shows("C", "B", "A")
    form.locator("[name=user]").fill(str(alice.pk))
    dashboard.shows("B", "A")
    form.locator("[name=min]").fill("6")
    dashboard.shows("B")
    assert dashboard.page.url.endswith(f"?status=FAILED&user={alice.pk}&min=6")
    dashboard.post_all(
        [{"transaction_id": "E", "amount": 7, "status": "FAILED"}, {"transaction_id": "F", "amount": 7}]
    )
    dashboard.shows("E", "B")
    dashboard.page.reload()
    dashboard.shows("E", "B")
    form.get_by_role("button", name="Clear").click()
    dashboard.shows("F", "E", "D", "C", "B", "A")
    assert dashboard.page.url.endswith("/admin/")


def test_a_filter_misses_nothing_of_what_is_more_than_can_be_shown(dashboard: Dashboard) -> None:
    def burst(name: str) -> None:
        """2,000 records at once, of which every 250th failed."""
        facts = [
            {"transaction_id": f"{name}{n}", "status": "SUCCESS" if n % 250 else "FAILED"}
            for n in range(2_000)
        ]
        dashboard.post_all(facts)

    def failed(name: str) -> list[str]:
        return [f"{name}{n}" for n in reversed(range(0, 2_000, 250))]

    # What has passed, unfiltered and sampled by then, is found again.
    dashboard.note_texts("#pace")
    burst("EARLIER-")
    dashboard.has_shown("#pace", "showing .*")
    dashboard.page.locator("#filters [name=status]").select_option("FAILED")
    dashboard.shows(*failed("EARLIER-"))
    dashboard.is_live()
    burst("LATER-")
    # "Showing" where the second ended before they were drawn.
    dashboard.has_shown("#pace", r"(showing \d of )?\d/s that pass the filter, of [\d,]+/s")
    dashboard.shows(*failed("LATER-"), *failed("EARLIER-"))
    dashboard.page.locator("#pause").click()
    burst("UNSEEN-")
    expect(dashboard.page.locator("#pause")).to_have_text("Resume (8 new)")
    dashboard.page.locator("#filters").get_by_role("button", name="Clear").click()
    expect(dashboard.page.locator("#rows tbody button").first).to_have_text("UNSEEN-1999")


NONSENSE = {
    "?user=abc": "A customer is a number",
    "?min=-5": "An amount is not negative. Write it without a sign, as in 1050.",
    "?min=1.5": "An amount is in the smallest unit, a whole number. Write it as in 1050.",
    "?min=12,34": "In your locale “,” groups digits. Write 1050.",
    "?min=1e9": "This is no amount. Write digits, as in 1050.",
    f"?max={2**63}": "An amount is at most 9,223,372,036,854,775,807.",
    "?min=9&max=1": "The amounts end before they begin",
    "?status=<b>LOST": "There is no status <b>LOST",
}


def test_a_filter_that_makes_no_sense_says_so(dashboard: Dashboard) -> None:
    for query, said in NONSENSE.items():
        dashboard.open(query)
        expect(dashboard.page.locator("#filter-error")).to_contain_text(said)


def test_a_row_opens_a_drawer_with_the_whole_story(dashboard: Dashboard) -> None:
    dashboard.post("EARLIER", status="SUCCESS")
    dashboard.post("T1", amount=77)
    flush()
    dashboard.post("T1", amount=77, status="FAILED")
    flush()
    # One row, which has changed.
    dashboard.shows("T1", "EARLIER")
    dashboard.page.locator("#rows tbody tr").first.click()
    drawer = dashboard.page.locator("#drawer")
    expect(drawer.locator("#drawer-title")).to_have_text("T1")
    expect(drawer.locator("#story-events li")).to_have_text(
        [re.compile(rf"^\s*{event}.*:\d\d\s*$") for event in ("accepted", "stored", "settled")]
    )
    expect(drawer.locator("#story-facts")).to_contain_text("Failed")
    expect(drawer.locator("#story-latest a")).to_have_text(["EARLIER"])
    expect(drawer.locator("#story-curl")).to_contain_text(f"curl -i {dashboard.server}/api/transactions/T1/ ")
    drawer.locator("#story-latest a").last.click()
    expect(drawer.locator("#drawer-title")).to_have_text("EARLIER")
    dashboard.page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_what_the_drawer_shows_can_be_sent_to_a_colleague(dashboard: Dashboard) -> None:
    dashboard.post("a&b #1", user=dashboard.people[0].pk)
    flush()
    page = dashboard.page
    page.locator("#rows tbody button").first.click()
    expect(page.locator("#story-facts")).to_contain_text("alice")
    sent = page.url
    page.locator("#drawer-close").click()
    expect(page).not_to_have_url(re.compile("#"))
    page.goto("about:blank")
    page.goto(sent)
    expect(page.locator("#drawer-title")).to_have_text("a&b #1")
    page.locator("#drawer-page").click()
    expect(page.locator("#payload")).to_contain_text('"transaction_id": "a&b #1"')
    page.get_by_role("link", name="alice").first.click()
    expect(page.locator("#totals-title")).to_have_text(f"In all customer number {dashboard.people[0].pk}")


def test_a_colleague_who_has_to_log_in_first_sees_it_too(
    dashboard: Dashboard, context: BrowserContext
) -> None:
    dashboard.post("SENT")
    flush()
    page = dashboard.page
    context.clear_cookies()
    page.goto("about:blank")
    page.goto(f"{dashboard.server}/admin/?period=24h#transaction=SENT")
    page.locator("#id_username").fill("root")
    for password in ("wrong", PASSWORD):
        page.locator("#id_password").fill(password)
        page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{dashboard.server}/admin/?period=24h#transaction=SENT")
    expect(page.locator("#drawer-title")).to_have_text("SENT")


def test_a_page_in_the_background_asks_nothing_until_somebody_looks(
    page: Page, server: str, people: list[User]
) -> None:
    dashboard, asked = Dashboard(page, server, people), list[str]()
    stop_clock(page)
    dashboard.open()
    expect(page.locator("#figures-moment")).to_contain_text("as of")
    page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    # Longer than it waits for any of its polls, and shorter than it takes a silent feed for dead.
    page.clock.run_for(23_000)
    page.clock.resume()
    dashboard.post("T1")
    dashboard.shows("T1")
    expect(page.locator("#rows tbody .name")).to_have_text(f"customer {people[0].pk}")
    # But for the alerts, after a break of the feed: the tab's title counts them.
    others = [path for path in asked if path.startswith("/admin/") and not path.endswith("/alerts/")]
    assert others == []
    page.evaluate("delete document.hidden")
    with page.expect_response("**/admin/dashboard/figures/**"), page.expect_response("**/dashboard/names/**"):
        look_again(page)
    expect(page.locator("#rows tbody .name")).to_have_text("alice")


def test_the_drawer_tells_of_one_that_waits(dashboard: Dashboard) -> None:
    dashboard.post("T1")
    dashboard.shows("T1")
    dashboard.page.get_by_role("button", name="T1").press("Enter")
    expect(dashboard.page.locator("#story-facts")).to_contain_text("waits to be stored")
    expect(dashboard.page.locator("#story-events li").last).to_have_text("storednot yet")


def test_the_curl_command_is_copied(dashboard: Dashboard, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    dashboard.post("a b/'c")
    dashboard.page.locator("#rows tbody button").click()
    dashboard.page.get_by_role("button", name="Copy as curl").click()
    expect(dashboard.page.locator("#drawer").get_by_text("copied", exact=True)).to_be_visible()
    copied = dashboard.page.evaluate("navigator.clipboard.readText()")
    assert shlex.split(copied.replace("\\\n", "")) == [
        "curl", "-i", f"{dashboard.server}/api/transactions/a%20b%2F%27c/",
        "-H", "Authorization: Bearer $TOKEN",
    ]  # fmt: skip


def test_another_time_zone_moves_every_time(dashboard: Dashboard) -> None:
    dashboard.post("T1")
    dashboard.shows("T1")
    cell = dashboard.page.locator("#rows tbody td").first
    before = cell.text_content() or ""
    dashboard.page.get_by_label("Time zone").click()
    zone = dashboard.page.locator("#zone")
    zone.fill("Asia/Kathmandu")
    zone.press("Enter")
    expect(cell).not_to_have_text(before)
    minutes = [int(text[:2]) * 60 + int(text[3:5]) for text in (before, cell.text_content() or "")]
    assert (minutes[1] - minutes[0]) % (24 * 60) == 5 * 60 + 45
    assert "timezone=Asia%2FKathmandu" in dashboard.page.url
    zone.fill("Atlantis")
    zone.press("Enter")
    expect(dashboard.page.locator("#zone-error")).to_have_text("No such time zone.")


def test_what_is_more_than_can_be_shown_is_counted(dashboard: Dashboard) -> None:
    dashboard.note_texts("#pace")
    for burst in range(4):
        dashboard.post_all([{"transaction_id": f"T{burst}-{n}"} for n in range(800)])
    dashboard.has_shown("#pace", r"showing \d+ of [\d,]+/s")
    dashboard.page.wait_for_timeout(2_500)
    assert len(dashboard.ids()) <= 200
    expect(dashboard.page.locator("#buffered")).to_have_text("3,200")
