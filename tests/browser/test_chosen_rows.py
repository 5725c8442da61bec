"""The bar for chosen rows: the same one in each list that has something to do with several."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.support.admin_pages import reject, store
from tests.support.alerts import open_alert

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "path", ["transactions/transaction/", "transactions/rejectedrecord/", "alerts/alert/"]
)
def test_the_bar_comes_with_the_first_row_and_says_how_many_are_chosen(
    page: Page, server: str, people: list[User], path: str
) -> None:
    for n, user in enumerate(people):
        store(user, f"T{n}")
        reject(b"?", id=f"R{n}")
        open_alert(user)
    page.goto(f"{server}/admin/{path}")
    bar, boxes = page.locator(".many"), page.locator("td").get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    expect(bar).to_be_hidden()
    boxes.nth(0).check()
    expect(bar.get_by_role("status")).to_have_text("1 chosen")
    boxes.nth(2).check()
    expect(bar.get_by_role("status")).to_have_text("2 chosen")
    for row in (0, 2):
        boxes.nth(row).uncheck()
    expect(bar).to_be_hidden()


@pytest.mark.parametrize("path", ["transactions/rejectedrecord/", "alerts/alert/"])
def test_all_rows_of_a_page_are_chosen_at_once(
    page: Page, server: str, people: list[User], path: str
) -> None:
    for n, user in enumerate(people):
        reject(b"?", id=f"R{n}")
        open_alert(user)
    page.goto(f"{server}/admin/{path}")
    page.locator("th").get_by_role("checkbox").check()
    expect(page.locator(".many").get_by_role("status")).to_have_text("3 chosen")
    page.locator("th").get_by_role("checkbox").uncheck()
    expect(page.locator(".many")).to_be_hidden()
