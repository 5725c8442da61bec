"""The page of the API's schema: under the strict policy, from our own files, with calls to try."""

import json
import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.dashboard import serious
from tests.browser.layout import faults
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)


METHODS = ("get", "post", "patch", "delete")


def test_a_call_can_be_tried_with_the_session(page: Page, server: str, root: User) -> None:
    page.goto(f"{server}/api/docs/")
    expect(page.locator("h1.title")).to_contain_text("Transaction monitor")
    paths = page.request.get(f"{server}/api/schema/").json()["paths"]
    calls = sum(method in METHODS for path in paths.values() for method in path)
    expect(page.locator(".opblock")).to_have_count(calls)
    call = page.locator("#operations-Posting-addTransactions")
    call.locator("button.opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    record = [{"transaction_id": "T1", "user": root.pk, "amount": 1}]
    call.locator("textarea.body-param__text").fill(json.dumps(record))
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table tbody .response-col_status")).to_contain_text("200")
    assert connection().llen(QUEUE) == 1


PAGES = ("/admin/api/", "/api/docs/")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_open_to_everybody_light_and_dark_on_a_phone_too(
    page: Page, server: str, path: str, theme: str
) -> None:
    page.add_init_script(f"if (location.host) localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
    found = []
    for width in (390, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{server}{path}")
        expect(page.locator(".opblock").first).to_be_visible()
        expect(page.locator("html")).to_have_class(re.compile(rf"\b{theme}\b"))
        page.locator("#operations-Posting-addTransactions button.opblock-summary-control").click()
        expect(page.locator("#operations-Posting-addTransactions .responses-wrapper")).to_be_visible()
        found += [f"{width}: {each}" for each in (*faults(page), *serious(page))]

    assert not found, "\n".join(found)


def test_the_menu_leads_to_it(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/")
    page.get_by_role("link", name="API docs").first.click()
    expect(page).to_have_url(f"{server}/admin/api/")
    expect(page.locator("#sidebar [aria-current=page]")).to_have_text("API docs")
    expect(page.locator(".opblock").first).to_be_visible()
