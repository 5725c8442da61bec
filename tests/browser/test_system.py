"""Who is on call sees which part is ill, and what to do; and everybody sees times in their own zone."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, VIEWPORT, Watched
from tests.browser.dashboard import Dashboard, look_again, serious
from tests.browser.layout import faults
from tests.support.accepting import queued
from tests.support.alerts import open_alert
from tests.support.living import LONG_S, everybody_works, was_there, worker_was_there
from tests.support.serving import daphne
from transactions.metrics import signs
from transactions.models import Epoch
from transactions.notifications import alarms
from transactions.notifications.models import SystemAlarm
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(collected: None, transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """A server whose parts are slow after four seconds without a sign, and ill after six."""
    everybody_works(LONG_S)
    with daphne(log=tmp_path / "daphne.log", FLUSH_INTERVAL_SECONDS="1") as url:
        yield url


def stops(page: Page) -> None:
    """The worker stops; the page is where it was."""
    worker_was_there(0)
    expect(page.locator("#system .dot")).to_have_class("dot dot-good")


def test_on_call_sees_that_the_worker_is_stopped_and_what_to_do(dashboard: Dashboard) -> None:
    page, said = dashboard.page, dashboard.page.locator("#system-said")
    expect(said).to_have_text("System normal · all is stored")
    stops(page)
    expect(said).to_have_text(re.compile(r"^Worker silent for \d+ s, and 1 more$"))
    expect(page.locator("#system-aloud")).to_have_text("Worker: failing")
    expect(page.locator("#feed-state")).to_have_text("● live")
    said.click()
    worker = page.locator("#system-parts [data-part=worker]")
    expect(worker).to_contain_text("the worker is stopped or stuck.")
    expect(worker.locator(".pill")).to_have_text("failing")
    expect(page.locator("#system-parts [data-part=redis] .pill")).to_have_text("normal")
    worker.get_by_role("link", name="What to do").click()
    expect(page.get_by_role("heading", name="Health of the system")).to_be_visible()
    card = page.locator("#worker")
    expect(card).to_contain_text("docker compose restart worker")
    expect(card.get_by_role("link", name="The runbook on Worker")).to_be_visible()
    worker_was_there(-LONG_S)
    expect(said).to_have_text("System normal · all is stored")
    expect(card).not_to_contain_text("docker compose")
    expect(page.locator("#as-it-should-be")).to_contain_text("Worker")


def test_the_chip_opens_and_closes_by_keys(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.locator("#system summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#system-parts")).to_be_visible()
    expect(page.locator("#books")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#system-parts")).to_be_hidden()
    expect(page.locator("#system summary")).to_be_focused()


def told_once(page: Page) -> list[str]:
    """What the open panel tells of: its rows, and its figures of this moment."""
    return page.locator("#system :is(#system-parts strong, dt):visible").all_text_contents()


def test_each_part_is_told_once_in_the_panel(dashboard: Dashboard) -> None:
    page = dashboard.page
    expect(page.locator("#books")).to_have_text("✓ balanced")
    page.locator("#system summary").click()
    told = told_once(page)
    assert [told.count(name) for name in ("Books", "Feed", "Waiting to be stored")] == [1, 1, 1]
    assert not {"Live feed", "Storing"} & set(told)
    # Of a part that is not well there is more to tell.
    connection().rpush(QUEUE, queued("nobody accepted it", dashboard.people[0]))
    expect(page.locator("#system-parts [data-part=books]")).to_contain_text("The books do not balance")
    expect(page.locator("#system-parts [data-part=books]")).to_be_visible()
    assert told_once(page).count("Books") == 1
    # Elsewhere there are rows alone.
    page.goto(f"{dashboard.server}/admin/rules/rule/")
    page.locator("#system summary").click()
    assert {"Books", "Live feed", "Storing"} <= set(told_once(page))


def test_whose_session_ends_is_told_so_on_the_page_of_the_system(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/system/")
    expect(page.locator("#system-said")).to_contain_text("System normal")
    Session.objects.all().delete()
    look_again(page)
    expect(page.locator("#system-said")).to_have_text("Log in again: you may not read this")
    expect(page.locator("#system .dot")).to_have_class("dot dot-bad")


def test_a_key_stays_on_the_alarm_that_it_is_on_when_a_newer_one_comes(dashboard: Dashboard) -> None:
    page = dashboard.page
    SystemAlarm.objects.create(key=f"{alarms.OF_ENDPOINT}1", text="The first is off.")
    look_again(page)
    link = page.locator("#alarms").get_by_role("link", name="Look at it")
    link.focus()
    SystemAlarm.objects.create(key=f"{alarms.OF_ENDPOINT}2", text="The second is off.")
    look_again(page)
    expect(page.locator("#alarms li").first).to_contain_text("The second is off.")
    expect(link.last).to_be_focused()
    expect(link.last).to_have_attribute("href", re.compile("/endpoint/1/"))


def test_alarms_that_cannot_be_told_are_neither_over_nor_going_on(
    page: Page, server: str, watched: Watched
) -> None:
    watched.expected = ["status of (503|403)"]
    alarms.note({"queue": "9 records wait."})
    page.goto(f"{server}/admin/")
    card, untold = page.locator("#alarms"), page.locator("#alarms-untold")
    expect(card.get_by_role("listitem")).to_contain_text("9 records wait.")
    expect(untold).to_have_text("")

    def refuse(status: int, why: str) -> None:
        page.unroute_all()
        page.route("**/dashboard/alarms/", lambda route: route.fulfill(status=status, json={"detail": why}))
        look_again(page)
        expect(untold).to_have_text(f"{why} Which alarms there are now is not known.")

    refuse(503, "PostgreSQL does not answer in time.")
    expect(card.get_by_role("listitem")).to_contain_text("9 records wait.")
    refuse(403, "Log in again: you may not read this.")
    expect(card.get_by_role("listitem")).to_have_count(0)
    page.unroute_all()
    SystemAlarm.objects.update(recovered_at=Now())
    look_again(page)
    expect(untold).to_have_text("")
    expect(card).to_be_hidden()
    # That there was nothing is not known any more either.
    refuse(503, "PostgreSQL does not answer in time.")
    expect(card).to_be_visible()
    expect(card.get_by_role("listitem")).to_have_count(0)


def test_what_is_marked_to_be_copied_stays_marked_and_the_page_goes_on(page: Page, server: str) -> None:
    worker_was_there(100)
    page.goto(f"{server}/admin/system/")
    command = page.locator("#worker code").first
    command.evaluate("place => getSelection().selectAllChildren(place)")
    marked = page.evaluate("String(getSelection())")
    cause = page.locator("#worker > p").first
    before = cause.text_content() or ""
    expect(cause).not_to_have_text(before)
    assert page.evaluate("String(getSelection())") == marked != ""


def test_other_pages_ask_seldom_and_keep_open_what_is_open(page: Page, server: str) -> None:
    page.clock.install()
    page.goto(f"{server}/admin/rules/rule/")
    page.locator("#system summary").click()
    was_there(signs.BEAT, 60)
    with page.expect_response("**/admin/dashboard/condition/"):
        page.clock.run_for(25_000)
    expect(page.locator("#system-said")).to_contain_text("Beat silent for")
    expect(page.locator("#system-parts [data-part=beat]")).to_be_visible()


def test_the_menu_counts_open_alerts_on_pages_that_stay_open(
    page: Page, server: str, people: list[User], root: User
) -> None:
    page.goto(f"{server}/admin/transactions/flushbatch/")
    badge = page.locator("#alerts-badge")
    expect(badge).to_be_hidden()
    alert = open_alert(people[0])
    with page.expect_response("**/dashboard/condition/"):
        look_again(page)
    expect(badge).to_have_text("1 open")
    alert.delete()
    with page.expect_response("**/dashboard/condition/"):
        look_again(page)
    expect(badge).to_be_hidden()


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_the_chip_and_its_page_break_at_no_width(page: Page, server: str, width: int) -> None:
    worker_was_there(100)
    was_there(signs.BEAT, 500)
    page.set_viewport_size({"width": width, "height": 900})
    page.context.add_cookies(
        [{"name": "timezone", "value": "America/Argentina/ComodRivadavia", "url": f"{server}/admin"}]
    )
    for path in ("", "system/"):
        page.goto(f"{server}/admin/{path}")
        expect(page.locator("#system-said")).to_contain_text("Worker silent")
        assert faults(page) == []
        page.locator("#system summary").click()
        assert faults(page) == []
        box = page.locator(".system-body").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert serious(page) == []


@pytest.fixture
def in_berlin(server: str, chromium: Browser, root: User, watched: Watched) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport=VIEWPORT, timezone_id="Europe/Berlin", locale="en-GB")
    context.on("console", watched.console)
    yield context
    context.close()
    watched.check()


def opened_at(zone: str) -> str:
    """When the books were opened, as a list in that zone has it."""
    return f"{Epoch.objects.latest('pk').opened_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def test_times_are_in_the_browsers_zone_until_another_is_chosen(
    in_berlin: BrowserContext, server: str
) -> None:
    page = in_berlin.new_page()
    page.goto(f"{server}/admin/transactions/epoch/")
    page.locator("#id_username").fill("root")
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    cell = page.locator("#result_list tbody .field-opened_at")
    expect(cell).to_have_text(opened_at("Europe/Berlin"))
    expect(page.locator("#zone-shown")).to_have_text("Europe/Berlin")
    page.locator("#zone-menu summary").click()
    page.locator("#zone").fill("Mars/Olympus")
    page.locator("#zone").press("Enter")
    expect(page.locator("#zone-error")).to_have_text("No such time zone.")
    # One of several is not guessed; one that is the only one of a part is taken.
    page.locator("#zone").fill("america")
    page.locator("#zone").press("Enter")
    expect(page.locator("#zone-error")).to_have_text("No such time zone.")
    page.locator("#zone").fill("tokyo")
    page.locator("#zone").press("Enter")
    expect(cell).to_have_text(opened_at("Asia/Tokyo"))
    page.goto(f"{server}/admin/")
    expect(page.locator("#zone-shown")).to_have_text("Asia/Tokyo")
    hour = datetime.now(ZoneInfo("Asia/Tokyo")).hour
    expect(page.locator("#figures-moment")).to_contain_text(
        re.compile(f"as of ({hour:02}|{(hour + 1) % 24:02}):"), use_inner_text=False
    )


def test_a_link_with_a_zone_is_followed(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/?timezone=Asia/Kolkata")
    expect(page.locator("#zone-shown")).to_have_text("Asia/Kolkata")
    # For that page alone: the next one is in the viewer's own zone.
    page.goto(f"{server}/admin/transactions/epoch/")
    expect(page.locator("#result_list tbody .field-opened_at")).to_have_text(opened_at("UTC"))
    expect(page.locator("#zone-here")).to_be_hidden()


@pytest.mark.parametrize("path", ["/admin/", "/admin/transactions/transaction/"])
def test_a_link_s_zone_is_said_and_leaves_the_chosen_one(page: Page, server: str, path: str) -> None:
    page.goto(f"{server}/admin/transactions/transaction/")
    page.locator("#zone-menu summary").click()
    page.locator("#zone").fill("Asia/Tokyo")
    page.locator("#zone").press("Enter")
    expect(page.locator("#zone-shown")).to_have_text("Asia/Tokyo")
    page.goto(f"{server}{path}?timezone=Asia/Kolkata")
    expect(page.locator("#zone-shown")).to_have_text("Asia/Kolkata")
    expect(page.locator("#zone-here")).to_be_visible()
    summary = page.locator("#zone-menu summary")
    expect(summary).to_have_attribute("aria-label", "Time zone Asia/Kolkata, for this page only")
    summary.click()
    expect(page.locator("#zone-linked")).to_contain_text("Yours is Asia/Tokyo and stays so.")
    assert serious(page) == []
    page.get_by_role("button", name="Show in Asia/Tokyo").click()
    expect(page.locator("#zone-shown")).to_have_text("Asia/Tokyo")
    expect(page.locator("#zone-here")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"timezone=Asia(/|%2F)Tokyo"))
