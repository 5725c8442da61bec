"""An alert from the burst that raises it to the snooze that keeps the next one away; pages open to all."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django import Settings

from tests.browser.bursts import post_burst
from tests.browser.dashboard import serious
from tests.browser.layout import faults
from tests.support.alerts import analyst, burst_rule, open_alert
from tests.support.rule_pages import HOSTILE_NAME
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.rules import lifecycle
from transactions.rules.models import Hit

pytestmark = pytest.mark.django_db(transaction=True)

# How long after the feed has connected the page asks once more, at most twice that.
CAUGHT_UP_MS = 2_500
QUEUE = "/admin/alerts/alert/"


@pytest.fixture(autouse=True)
def two_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = False


def become(context: BrowserContext, server: str, client: Client) -> None:
    """From the next request on the browser's pages are those of whoever the client is."""
    context.clear_cookies(name="sessionid")
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])


def test_a_burst_is_claimed_by_one_explained_closed_and_snoozed_and_the_next_raises_nothing(
    context: BrowserContext, server: str, people: list[User]
) -> None:
    ann = analyst("ann", "view_transaction", "view_rule")[0]
    bea = analyst("bea", "view_transaction")[0]
    burst_rule()
    # An alert that was right: the rule's precision is 100 %.
    post_burst(server, people[1], "right")
    triage.close(Alert.objects.get().pk, User.objects.get(username="ann"), 1, "TRUE_POSITIVE", "stolen card")

    become(context, server, bea)
    of_bea, of_ann = context.new_page(), context.new_page()
    of_bea.goto(f"{server}/admin/")
    expect(of_bea.locator("#alerts-count")).to_have_text("0 open")
    post_burst(server, people[0], "burst")
    sees_it_without_a_reload(of_bea)
    of_bea.goto(server + QUEUE)
    sees_it_in_the_queue(of_bea)
    become(context, server, ann)
    of_ann.goto(server + QUEUE)
    claims_the_first_by_keys(of_ann)

    become(context, server, bea)
    is_told_who_has_it(of_bea)

    become(context, server, ann)
    of_ann.goto(f"{server}{QUEUE}?tab=mine")
    opens_the_first_and_sees_why(of_ann)
    closes_and_snoozes(of_ann)

    post_burst(server, people[0], "again")
    of_ann.reload()
    sees_what_was_kept_away(of_ann)
    of_ann.goto(server + QUEUE)
    expect(of_ann.get_by_role("heading", name="Nothing stands out")).to_be_visible()


def sees_it_without_a_reload(overview: Page) -> None:
    expect(overview.locator("#alerts-gravest li")).to_contain_text("4 failures within 10 minutes")
    expect(overview).to_have_title(re.compile(r"^\(1\) "))
    expect(overview.locator("#throughput thead")).to_contain_text("Alerts opened")
    overview.get_by_label("Alerts: more").click()
    expect(overview.get_by_role("checkbox", name="Sound")).not_to_be_checked()


def sees_it_in_the_queue(queue: Page) -> None:
    expect(queue.locator("tr[data-alert]")).to_have_count(1)
    expect(queue.locator("tr[data-alert]")).to_contain_text("4 failures within 10 minutes")
    expect(queue.locator("tr[data-alert]")).to_contain_text("unassigned")


def claims_the_first_by_keys(queue: Page) -> None:
    queue.keyboard.press("?")
    expect(queue.get_by_role("dialog", name="Keys")).to_be_visible()
    queue.keyboard.press("Escape")
    # Until it is gone the keys are the dialog's.
    expect(queue.get_by_role("dialog", name="Keys")).to_be_hidden()
    queue.keyboard.press("j")
    queue.keyboard.press("c")
    expect(queue.get_by_role("status").filter(has_text="1 alert claimed.")).to_be_visible()


def is_told_who_has_it(queue: Page) -> None:
    """On this page nobody has it still."""
    queue.get_by_role("checkbox", name="Choose alert").check()
    queue.get_by_role("button", name="Claim", exact=True).click()
    expect(queue.get_by_text("It was claimed by ann meanwhile")).to_be_visible()


def opens_the_first_and_sees_why(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_text("At least 3 transactions of a customer fail within 10 minutes.")).to_be_visible()
    made = page.get_by_role("region", name="Transactions that made it").locator("tbody tr")
    expect(made).to_have_count(4)
    expect(made.first).to_contain_text("burst3")
    expect(page.locator("#amounts canvas")).to_be_visible()
    expect(page.get_by_text("Precision 100 % over 1 closed alert")).to_be_visible()


def closes_and_snoozes(alert: Page) -> None:
    alert.get_by_label("Because").last.fill("A new card that the shop had wrong.")
    alert.get_by_label("Alerts of the same afterwards").select_option("snoozed for 30 days")
    alert.get_by_role("button", name="False positive").click()
    expect(alert.get_by_role("heading", name="False positive")).to_be_visible()
    expect(alert.get_by_role("note")).to_contain_text("0 hits kept away")
    expect(alert.get_by_text("Precision 50 % over 2 closed alerts")).to_be_visible()


def sees_what_was_kept_away(alert: Page) -> None:
    expect(alert.get_by_role("note")).to_contain_text("4 hits kept away")
    kept = alert.get_by_role("region", name="Found since, without an alert").locator("tbody tr")
    expect(kept).to_have_count(4)
    expect(kept.first).to_contain_text("Snoozed")


def test_what_is_being_written_stays_when_another_button_is_pressed(
    page: Page, server: str, people: list[User], root: User
) -> None:
    alert = open_alert(people[0])
    page.goto(f"{server}{QUEUE}{alert.pk}/change/")
    note, reason = page.get_by_label("A note"), page.locator("#reason")
    note.fill("Called them.\nNobody answers.")
    reason.fill("A new card.")
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_text("root has it")).to_be_visible()
    expect(note).to_have_value("Called them.\nNobody answers.")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".happened")).to_contain_text("Nobody answers.")
    expect(note).to_have_value("")
    expect(reason).to_have_value("A new card.")
    page.get_by_role("button", name="False positive").click()
    expect(page.get_by_role("heading", name="False positive")).to_be_visible()
    # It is kept for the page that follows alone.
    assert page.evaluate("Object.keys(sessionStorage).filter(key => key.startsWith('alertsWritten'))") == []


@pytest.fixture
def filled(server: str, people: list[User], root: User) -> list[str]:
    """Alerts in every state, with whatever can stand on their pages; the paths of these."""
    rule = burst_rule().rule
    lifecycle.activate(lifecycle.draft(rule, "failure_burst", {"count": 4, "window": "1h"}, root), root)
    post_burst(server, people[0], "F", count=30)
    alert = Alert.objects.get()
    Hit.objects.filter(pk=Hit.objects.filter(alert=alert.pk).latest("pk").pk).update(suppressed="SNOOZED")
    triage.claim(alert.pk, root, 1)
    triage.note(alert.pk, root, "Called them, terminal compromised. " * 4)
    other = User.objects.create_user(HOSTILE_NAME + "x" * 80)
    hostile = open_alert(other, rule_name=HOSTILE_NAME, severity="CRITICAL", opened_at=datetime.now(UTC))
    triage.close(hostile.pk, root, 1, "EXPECTED", "y" * 900)
    triage.snooze(hostile.pk, root, 2, datetime.now(UTC) + timedelta(days=9), "z" * 200)
    late = datetime.now(UTC) - timedelta(hours=30)
    for number, severity in enumerate(("CRITICAL", "HIGH", "MEDIUM", "LOW")):
        facts = {"rule": 10 + number, "severity": severity, "opened_at": late, "due_at": late}
        open_alert(people[number % 3], rule_name="Many large transactions within ten minutes", **facts)
    Alert.objects.create(rule=99, rule_name="More failures than usual", severity="HIGH", user=None)
    return [
        f"{QUEUE}?tab=open",
        f"{QUEUE}?tab=mine&severity=LOW",
        f"{QUEUE}?tab=closed",
        f"{QUEUE}?tab=overdue",
        f"{QUEUE}{alert.pk}/change/",
        f"{QUEUE}{hostile.pk}/change/",
        f"{QUEUE}{Alert.objects.get(user=None).pk}/change/",
        f"{QUEUE}snoozes/",
        "/admin/rules/rule/performance/",
    ]


def test_every_page_is_open_to_everybody_on_any_screen(page: Page, server: str, filled: list[str]) -> None:
    found = []
    for theme, width in (("light", 1400), ("dark", 390), ("dark", 1400), ("light", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{server}{QUEUE}")
        page.evaluate(f"localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
        for path in filled:
            page.goto(f"{server}{path}")
            expect(page.locator("html")).to_have_class(theme)
            found += [f"{path} {theme}: {fault}" for fault in (*faults(page), *serious(page))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [390, 1400])
def test_what_was_done_stands_beside_its_sign_and_in_the_middle_of_its_line(
    page: Page, server: str, people: list[User], width: int
) -> None:
    alert = open_alert(people[0], severity="HIGH", rule_name="Bursts")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{server}{QUEUE}{alert.pk}/change/")
    page.get_by_role("button", name="Claim").click()
    said, banner = page.locator(".undo p"), page.locator(".undo")
    expect(said).to_have_text("You claimed it.")
    above = "([place, of]) => place.getBoundingClientRect().top - of.getBoundingClientRect().top"
    of_text = page.evaluate(above, [said.element_handle(), banner.element_handle()])
    of_undo = page.evaluate(above, [page.locator(".undo button").element_handle(), banner.element_handle()])
    heights = [each.evaluate("place => place.offsetHeight") for each in (said, page.locator(".undo button"))]
    if width == 390:
        # The sign is in the first line, the button in the second.
        assert of_text < heights[0] < of_undo
    else:
        assert abs(of_text + heights[0] / 2 - of_undo - heights[1] / 2) < 1
