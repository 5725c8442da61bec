"""Somebody of support finds a payment from any page, narrows the list, saves the view and sends its link."""

from typing import Literal

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import serious
from tests.support.admin_pages import HOSTILE, store
from transactions.models import SavedView, Transaction

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/transactions/transaction/"


@pytest.fixture
def stored(people: list[User]) -> list[User]:
    for n in range(3):
        store(people[0], f"INV-2026-00{n}", amount=1_000_000 + n, status="FAILED")
    store(people[1], HOSTILE, amount=9_223_372_036_854_775_807)
    store(people[1], "X" * 100, amount=7)
    return people


def test_a_payment_is_found_by_the_keys_alone(page: Page, server: str, stored: list[User]) -> None:
    page.goto(f"{server}/admin/auth/user/")
    box = page.get_by_role("combobox", name="Search transactions")
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("2026-001")
    option = page.get_by_role("option", name="INV-2026-001")
    expect(option).to_be_visible()
    expect(box).to_have_attribute("aria-expanded", "true")
    assert serious(page) == []
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "none")
    page.keyboard.press("Escape")
    expect(option).to_be_hidden()
    expect(box).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    expect(option).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server}{LIST}{Transaction.objects.get(amount=1_000_001).pk}/change/")
    page.wait_for_load_state()  # The address is there before the keys have a meaning.
    page.keyboard.press("Control+k")
    expect(box).to_be_focused()
    page.keyboard.type("alic")
    expect(page.get_by_role("option", name="alice")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server}/admin/find/?q=alic")
    expect(page.locator(".find-page")).to_contain_text("alice")
    assert serious(page) == []


def test_what_clients_wrote_is_text_in_the_box(page: Page, server: str, stored: list[User]) -> None:
    page.goto(f"{server}/admin/")
    page.keyboard.press("Control+k")
    page.keyboard.type("ALERT('1')")
    expect(page.locator(".find-title")).to_have_text([HOSTILE])


@pytest.mark.parametrize("width", [390, 1400])
def test_the_list_is_narrowed_said_in_words_saved_and_opened_again(
    page: Page, server: str, stored: list[User], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 850})
    page.goto(f"{server}{LIST}?order=largest")
    assert serious(page) == []
    # Nothing is wider than the page, and nothing breaks inside a word or a number.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.locator("tbody tr").evaluate_all("rows => rows.map((row) => row.offsetHeight)")
    # The last has no line below it. On a phone the largest amount leaves the status a line of its own.
    assert max(heights) - min(heights) <= (1 if width >= 768 else 24)
    if width < 768:
        page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Status").select_option("FAILED")
    page.get_by_label("Amount from").fill("1000001")
    page.get_by_role("button", name="Narrow").click()
    expect(page.locator(".summary [role=status]")).to_contain_text("2 transactions · failed 2,000,003")
    expect(page.locator(".words li")).to_contain_text(["status: Failed", "amount: 1,000,001 or more"])
    page.locator(".save summary").click()
    page.locator(".save").get_by_label("Name").fill("Large and failed")
    page.locator(".save").get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(f"{server}{LIST}?view={SavedView.objects.get().key}")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator(".views a[aria-current]")).to_have_text("Large and failed")
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_filters_fold_into_one_button_that_counts_them(
    page: Page, server: str, stored: list[User], watched: Watched, scheme: Literal["light", "dark"]
) -> None:
    watched.expected = ["status of 400"]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server}{LIST}?status=FAILED&amount_min=5")
    form, fold = page.get_by_role("form", name="Narrow the list"), page.locator(".fold summary")
    expect(fold).to_have_text("Filter 2")
    expect(form).to_be_hidden()
    assert serious(page) == []
    fold.click()
    expect(form).to_be_visible()
    assert serious(page) == []
    page.get_by_label("Amount from").fill("a lot")
    page.get_by_role("button", name="Narrow").click()
    expect(page.locator("#wrong-amount_min")).to_be_visible()
    expect(page.get_by_label("Amount from")).to_have_value("a lot")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{server}{LIST}")
    expect(fold).to_be_hidden()
    expect(form).to_be_visible()


def test_between_a_phone_and_a_desk_no_column_is_cut_in_its_number(
    page: Page, server: str, people: list[User]
) -> None:
    page.set_viewport_size({"width": 768, "height": 900})
    store(people[0], "SIM-85e65fb6-00001521", amount=29_948, status="FAILED")
    store(people[0], "X" * 100, amount=9_223_372_036, status="PENDING")
    page.goto(f"{server}{LIST}")
    region = page.get_by_role("region", name="Transactions", exact=True)
    assert region.evaluate("region => region.scrollWidth <= region.clientWidth")
    expect(page.get_by_role("columnheader", name="Number")).to_be_hidden()
    expect(page.locator("tbody")).to_contain_text("29,948")


@pytest.mark.parametrize("path", [LIST, "/admin/alerts/alert/", "/admin/"])
def test_a_filter_by_customer_suggests_whose_name_has_what_is_typed(
    page: Page, server: str, stored: list[User], path: str
) -> None:
    page.goto(f"{server}{path}")
    if (opener := page.locator("summary", has_text="Filter")).is_visible():
        opener.click()
    box = page.locator("input[data-suggests]")
    box.press_sequentially("lic")
    suggested = page.locator("datalist option")
    expect(suggested).to_have_count(1)
    expect(suggested).to_have_attribute("value", "alice")
    expect(suggested).to_have_attribute("label", f"alice · number {stored[0].pk}")
    box.fill("nobody is called so")
    expect(suggested).to_have_count(0)
    assert serious(page) == []
