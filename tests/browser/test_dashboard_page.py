"""The dashboard in a browser: what arrives, and what one does with it."""

import json
import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, expect

from tests.browser.board import Board
from tests.browser.conftest import PASSWORD, Watched
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


def test_transactions_arrive_and_turn_from_waiting_to_stored(board: Board) -> None:
    board.post("T1", amount=1234567, status="SUCCESS")
    board.post("T2")
    board.shows("T2", "T1")
    cells = board.page.locator("#rows tbody tr").last.locator("td")
    expect(cells.nth(3)).to_have_text("1,234,567")
    expect(cells.nth(4)).to_have_text("✓ SUCCESS")
    expect(cells.nth(5)).to_have_text("○ waiting")
    expect(board.page.locator("#buffered")).to_have_text("2")
    assert flush().stored == 2
    expect(cells.nth(5)).to_have_text("● stored")
    expect(board.page.locator("#buffered")).to_have_text("0")
    expect(board.page.locator("#books")).to_have_text("✓ balanced")


def test_what_asks_another_host_is_noted_and_stopped(board: Board, watched: Watched) -> None:
    """These tests' own eyes: each of them fails on what is noted."""
    board.page.evaluate(ASK_ANOTHER_HOST)
    assert any(error.startswith("Content-Security-Policy: img-src") for error in watched.errors)
    watched.expected = ["example.org"]
    assert watched.foreign.pop() == "https://example.org/"


def test_it_acknowledges_as_often_as_the_server_asks(board: Board) -> None:
    said: list[dict[str, int]] = []
    board.page.on(
        "websocket", lambda socket: socket.on("framesent", lambda text: said.append(json.loads(text)))
    )
    board.page.reload()
    board.is_live()
    for n in range(1, 3 * ACKNOWLEDGE_EVERY):
        board.post(f"T{n}")
        expect(board.page.locator("#rows tbody tr")).to_have_count(n)
    assert said == [{"ack": ACKNOWLEDGE_EVERY}, {"ack": 2 * ACKNOWLEDGE_EVERY}]


def test_a_fresh_page_shows_what_had_just_arrived(board: Board) -> None:
    board.post("T1")
    flush()
    board.post("T2")
    board.shows("T2", "T1")
    board.page.reload()
    board.shows("T2", "T1")
    expect(board.page.locator("#rows tbody tr td:last-child")).to_have_text(["○ waiting", "● stored"])


def test_paused_it_counts_what_is_new_and_shows_it_when_resumed(board: Board) -> None:
    board.post("T1")
    board.shows("T1")
    button = board.page.locator("#pause")
    button.click()
    expect(button).to_have_text("Resume")
    board.post_all([{"transaction_id": f"T{n}"} for n in (2, 3, 4)])
    expect(button).to_have_text("Resume (3 new)")
    board.shows("T1")
    button.click()
    board.shows("T4", "T3", "T2", "T1")
    expect(button).to_have_text("Pause")


def test_scrolling_down_pauses_it_and_back_at_the_top_it_goes_on(board: Board) -> None:
    board.post_all([{"transaction_id": f"T{n}"} for n in range(60)])
    # A burst is sampled while one watches; a page that comes later gets it whole.
    board.page.reload()
    expect(board.page.locator("#rows tbody tr")).to_have_count(60)
    board.page.locator("#rows").evaluate("box => { box.scrollTop = 300 }")
    expect(board.page.locator("#pause")).to_have_text("Paused by scrolling: resume")
    board.post("LATE")
    expect(board.page.locator("#pause")).to_have_text("Paused by scrolling: resume (1 new)")
    assert "LATE" not in board.ids()
    board.page.locator("#rows").evaluate("box => { box.scrollTop = 0 }")
    expect(board.page.locator("#rows tbody button").first).to_have_text("LATE")


def test_filters_narrow_the_table_and_are_kept_in_the_url(board: Board) -> None:
    alice, bob, _ = board.people
    board.post_all(
        [
            {"transaction_id": "A", "amount": 5, "status": "FAILED"},
            {"transaction_id": "B", "amount": 50, "status": "FAILED"},
            {"transaction_id": "C", "amount": 50, "user": bob.pk, "status": "FAILED"},
            {"transaction_id": "D", "amount": 50, "status": "SUCCESS"},
        ]
    )
    board.shows("D", "C", "B", "A")
    form = board.page.locator("#filters")
    form.locator("[name=status]").select_option("FAILED")
    board.shows("C", "B", "A")
    form.locator("[name=user]").fill(str(alice.pk))
    board.shows("B", "A")
    form.locator("[name=min]").fill("6")
    board.shows("B")
    assert board.page.url.endswith(f"?status=FAILED&user={alice.pk}&min=6")
    board.post_all(
        [{"transaction_id": "E", "amount": 7, "status": "FAILED"}, {"transaction_id": "F", "amount": 7}]
    )
    board.shows("E", "B")
    board.page.reload()
    board.shows("E", "B")
    form.get_by_role("button", name="Clear").click()
    board.shows("F", "E", "D", "C", "B", "A")
    assert board.page.url.endswith("/admin/")


def test_a_filter_misses_nothing_of_what_is_more_than_can_be_shown(board: Board) -> None:
    def burst(name: str) -> None:
        """2,000 records at once, of which every 250th failed."""
        facts = [
            {"transaction_id": f"{name}{n}", "status": "SUCCESS" if n % 250 else "FAILED"}
            for n in range(2_000)
        ]
        board.post_all(facts)

    def failed(name: str) -> list[str]:
        return [f"{name}{n}" for n in reversed(range(0, 2_000, 250))]

    # What has passed, unfiltered and sampled by then, is found again.
    burst("EARLIER-")
    expect(board.page.locator("#pace")).to_have_text(re.compile("^showing"))
    board.page.locator("#filters [name=status]").select_option("FAILED")
    board.shows(*failed("EARLIER-"))
    board.is_live()
    burst("LATER-")
    expect(board.page.locator("#pace")).to_have_text(re.compile(r"^\d/s that pass the filter, of [\d,]+/s$"))
    board.shows(*failed("LATER-"), *failed("EARLIER-"))
    board.page.locator("#pause").click()
    burst("UNSEEN-")
    expect(board.page.locator("#pause")).to_have_text("Resume (8 new)")
    board.page.locator("#filters").get_by_role("button", name="Clear").click()
    expect(board.page.locator("#rows tbody button").first).to_have_text("UNSEEN-1999")


NONSENSE = {
    "?user=abc": "A user is a number",
    "?min=-5": "An amount is a whole number",
    f"?max={2**63}": "An amount is a whole number from 0 to 9,223,372,036,854,775,807",
    "?min=9&max=1": "The amounts end before they begin",
    "?status=<b>LOST": "There is no status <b>LOST",
}


def test_a_filter_that_makes_no_sense_says_so(board: Board) -> None:
    for query, said in NONSENSE.items():
        board.open(query)
        expect(board.page.locator("#filter-error")).to_contain_text(said)


def test_a_row_opens_a_drawer_with_the_whole_story(board: Board) -> None:
    board.post("EARLIER", status="SUCCESS")
    board.post("T1", amount=77)
    flush()
    board.post("T1", amount=77, status="FAILED")
    flush()
    board.shows("T1", "T1", "EARLIER")
    board.page.locator("#rows tbody tr").first.click()
    drawer = board.page.locator("#drawer")
    expect(drawer.locator("#drawer-title")).to_have_text("T1")
    expect(drawer.locator("#drawer-events li")).to_have_text(
        [re.compile(r"^accepted: .* UTC$"), re.compile(r"^stored: .* UTC$"), re.compile(r"^settled: .* UTC$")]
    )
    expect(drawer.locator("#drawer-facts")).to_contain_text("✗ FAILED")
    expect(drawer.locator("#drawer-latest button")).to_have_text(["T1", "EARLIER"])
    expect(drawer.locator("#drawer-curl")).to_contain_text(f"{board.server}/api/transactions/T1/'")
    board.shot("drawer")
    drawer.locator("#drawer-latest button").last.click()
    expect(drawer.locator("#drawer-title")).to_have_text("EARLIER")
    board.page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_the_drawer_tells_of_one_that_waits(board: Board) -> None:
    board.post("T1")
    board.shows("T1")
    board.page.get_by_role("button", name="T1").press("Enter")
    expect(board.page.locator("#drawer-facts")).to_contain_text("Redis: it waits for the flush")
    expect(board.page.locator("#drawer-events li").last).to_have_text("stored: not yet")


def test_the_curl_command_is_copied(board: Board, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    board.post("a b/'c")
    board.page.locator("#rows tbody button").click()
    board.page.locator("#drawer-copy").click()
    expect(board.page.locator("#drawer-copied")).to_have_text("copied")
    copied = board.page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith(f"'{board.server}/api/transactions/a%20b%2F%27c/'")


def test_another_time_zone_moves_every_time(board: Board) -> None:
    board.post("T1")
    board.shows("T1")
    cell = board.page.locator("#rows tbody td").first
    before = cell.text_content() or ""
    zone = board.page.locator("#zone")
    zone.fill("Asia/Kathmandu")
    zone.press("Enter")
    expect(cell).not_to_have_text(before)
    minutes = [int(text[:2]) * 60 + int(text[3:5]) for text in (before, cell.text_content() or "")]
    assert (minutes[1] - minutes[0]) % (24 * 60) == 5 * 60 + 45
    assert "timezone=Asia%2FKathmandu" in board.page.url
    zone.fill("Atlantis")
    zone.press("Enter")
    expect(board.page.locator("#zone-error")).to_have_text("No such time zone.")


def test_what_is_more_than_can_be_shown_is_counted(board: Board) -> None:
    for burst in range(4):
        board.post_all([{"transaction_id": f"T{burst}-{n}"} for n in range(800)])
    expect(board.page.locator("#pace")).to_have_text(re.compile(r"^showing \d+ of [\d,]+/s$"))
    board.page.wait_for_timeout(2_500)
    assert len(board.ids()) <= 200
    expect(board.page.locator("#buffered")).to_have_text("3,200")
