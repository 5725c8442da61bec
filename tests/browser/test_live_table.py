"""The live table by mouse, by keys and on a phone: names, one row a transaction, and the drawer."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import Dashboard, serious
from tests.browser.layout import faults
from tests.support.admin_pages import HOSTILE
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

LARGEST = 2**63 - 1


def test_customers_have_their_names(dashboard: Dashboard) -> None:
    alice, bob, _ = dashboard.people
    dashboard.post_all([{"transaction_id": "T1"}, {"transaction_id": "T2", "user": bob.pk}])
    names = dashboard.page.locator("#rows tbody .name")
    expect(names).to_have_text(["bob", "alice"])
    expect(names.first).to_have_attribute("href", re.compile(f"/transactions/customer/{bob.pk}/change/$"))
    expect(dashboard.page.locator("#rows td[title]").last).to_have_attribute("title", f"alice ({alice.pk})")


def test_a_settled_transaction_is_one_row_that_changes(dashboard: Dashboard) -> None:
    dashboard.post("T1")
    dashboard.post("T2")
    dashboard.shows("T2", "T1")
    flush()
    row = dashboard.page.locator("#rows tbody tr").last
    expect(row).to_contain_text("● stored")
    accepted = row.locator("td").first.inner_text()
    dashboard.post("T1", status="SUCCESS")
    expect(row).to_contain_text("Succeeded")
    expect(row).to_contain_text("○ waiting")
    expect(row).to_have_class("changed")
    dashboard.shows("T2", "T1")
    assert row.locator("td").first.inner_text() == accepted
    flush()
    expect(row).to_contain_text("● stored")
    # A page that comes later has one row of it as well.
    dashboard.page.reload()
    dashboard.shows("T2", "T1")
    expect(dashboard.page.locator("#rows tbody tr").last).to_contain_text("Succeeded")


def test_a_rejected_record_is_not_called_stored_and_its_customer_has_no_page(dashboard: Dashboard) -> None:
    *_, gone = dashboard.people
    dashboard.post_all([{"transaction_id": "T1"}, {"transaction_id": "T2", "user": gone.pk}])
    dashboard.shows("T2", "T1")
    number = gone.pk
    gone.delete()
    flush()
    kept = dashboard.page.locator("#rows tbody td:last-child")
    expect(kept).to_have_text(["× rejected", "● stored"])
    dashboard.page.reload()
    expect(kept).to_have_text(["× rejected", "● stored"])
    expect(dashboard.page.locator("#rows .name")).to_have_text([f"customer {number}", "alice"])
    assert dashboard.page.locator("#rows .name").first.get_attribute("href") is None


def test_a_paused_table_stands_still_and_says_what_was_settled(dashboard: Dashboard) -> None:
    dashboard.post("T1")
    dashboard.shows("T1")
    dashboard.page.locator("#pause").click()
    dashboard.post_all([{"transaction_id": "T1", "status": "FAILED"}, {"transaction_id": "T2"}])
    expect(dashboard.page.locator("#pause")).to_have_text("Resume (1 new)")
    expect(dashboard.page.locator("#rows tbody tr")).to_contain_text("Failed")
    dashboard.shows("T1")


def test_the_table_is_one_stop_of_the_tab_key_with_arrows_inside(dashboard: Dashboard) -> None:
    page = dashboard.page
    dashboard.post_all([{"transaction_id": f"T{n}"} for n in range(20)])
    expect(page.locator("#rows tbody tr")).to_have_count(20)
    page.get_by_role("button", name="Clear").focus()
    page.keyboard.press("Tab")
    focused = page.locator("#rows tbody button:focus")
    expect(focused).to_have_text("T19")
    expect(page.locator("#rows [tabindex='0']")).to_have_count(1)
    for key, id in (
        ("ArrowDown", "T18"),
        ("End", "T0"),
        ("ArrowDown", "T0"),
        ("Home", "T19"),
        ("ArrowUp", "T19"),
    ):
        page.keyboard.press(key)
        expect(focused).to_have_text(id)
    expect(page.locator("#rows [tabindex='0']")).to_have_count(1)
    expect(page.locator("#pause")).to_have_text("Paused by the keyboard: resume")
    expect(page.locator("#live-said")).to_have_text("Paused while you are in the table.")
    # What comes meanwhile does not move the row from under whoever is there.
    dashboard.post("LATE")
    expect(page.locator("#pause")).to_have_text("Paused by the keyboard: resume (1 new)")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-title")).to_have_text("T18")
    expect(page.locator("#story-facts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    expect(focused).to_have_text("T18")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#pause")).to_have_text("Pause")
    expect(page.locator("#rows tbody button").first).to_have_text("LATE")


def test_a_customer_is_chosen_by_name(dashboard: Dashboard) -> None:
    _, bob, _ = dashboard.people
    dashboard.post_all([{"transaction_id": "T1"}, {"transaction_id": "T2", "user": bob.pk}])
    dashboard.shows("T2", "T1")
    field = dashboard.page.locator("#filters [name=user]")
    field.fill("bob")
    dashboard.shows("T2")
    assert dashboard.page.url.endswith("?user=bob")
    dashboard.page.reload()
    dashboard.shows("T2")
    expect(dashboard.page.get_by_role("link", name="Open as a list")).to_have_attribute(
        "href", re.compile(f"user={bob.pk}$")
    )
    field.fill("bobby")
    expect(dashboard.page.locator("#filter-error")).to_contain_text("nobody is called “bobby”")
    expect(field).to_have_attribute("aria-invalid", "true")


def test_the_drawer_keeps_the_focus_until_it_is_closed(dashboard: Dashboard) -> None:
    page = dashboard.page
    dashboard.post("T1")
    dashboard.shows("T1")
    page.locator("#rows tbody tr").click()
    expect(page.locator("#story-facts")).to_contain_text("alice")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "!document.activeElement || document.activeElement === document.body ||"
            " Boolean(document.activeElement.closest('#drawer'))"
        )
    page.keyboard.press("Escape")
    expect(page.locator("#rows tbody button")).to_be_focused()
    page.locator("#rows tbody tr").click()
    page.get_by_role("link", name="Open as a page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("T1")
    expect(page.locator("#story-facts")).to_contain_text("alice")


def test_the_drawer_says_what_there_is_not(dashboard: Dashboard, watched: Watched) -> None:
    watched.expected = ["status of 404"]
    dashboard.page.goto(f"{dashboard.server}/admin/#transaction=nobody%27s")
    expect(dashboard.page.locator("#drawer-problem")).to_have_text("No such transaction.")


@pytest.mark.parametrize("width", [390, 768, 1400, 1920])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_breaks_with_huge_and_hostile_values(
    dashboard: Dashboard, people: list[User], width: int, theme: str
) -> None:
    page = dashboard.page
    named = User.objects.create(username="<b>x" + "y" * 146)
    dashboard.post_all(
        [
            {"transaction_id": "T1", "amount": 7, "status": "FAILED"},
            {"transaction_id": "X" * 100, "amount": LARGEST, "user": named.pk, "status": "SUCCESS"},
            {"transaction_id": HOSTILE, "amount": LARGEST},
        ]
    )
    page.evaluate(f"localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    dashboard.shows(HOSTILE, "X" * 100, "T1")
    expect(page.locator("#rows tbody .name").nth(1)).to_contain_text("<b>xyyy")
    assert faults(page) == []
    assert serious(page) == []
    # Amounts are whole.
    assert page.locator("#rows td.number").evaluate_all(
        "cells => cells.every((cell) => cell.scrollWidth <= cell.clientWidth)"
    )
    page.locator("#rows tbody button").nth(1).click()
    expect(page.locator("#story-facts")).to_contain_text("9,223,372,036,854,775,807")
    assert faults(page) == []
    assert serious(page) == []
    assert page.locator("#drawer").evaluate("drawer => drawer.scrollWidth <= drawer.clientWidth")


@pytest.mark.parametrize("width", [390, 1400])
def test_no_row_is_cut_by_the_edge_of_the_table(dashboard: Dashboard, width: int) -> None:
    page = dashboard.page
    page.set_viewport_size({"width": width, "height": 900})
    dashboard.post_all([{"transaction_id": f"T{n}"} for n in range(20)])
    expect(page.locator("#rows tbody tr")).to_have_count(20)
    cut = page.locator("#rows").evaluate(
        """box => {
          const edge = box.getBoundingClientRect().bottom;
          const rows = [...box.querySelectorAll("tbody tr")].map((row) => row.getBoundingClientRect());
          return rows.filter((row) => row.top < edge - 1 && row.bottom > edge + 1).length;
        }"""
    )
    assert cut == 0
