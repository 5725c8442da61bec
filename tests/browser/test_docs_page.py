"""The page of the API's schema: under the strict policy, from our own files, with calls to try."""

import json

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

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
