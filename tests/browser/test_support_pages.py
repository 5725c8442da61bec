"""Somebody of support writes a note, a colleague marks it as reviewed; a superuser deletes with a reason."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import serious
from tests.browser.layout import faults
from tests.support.admin_pages import HOSTILE, store
from tests.support.audit_trail import head, since
from transactions.audit.actions import Action
from transactions.audit.entries import note
from transactions.books import balance
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMER = "/admin/transactions/customer/"
TRANSACTION = "/admin/transactions/transaction/"


def test_a_note_is_written_reviewed_and_seen_on_the_customer_s_transactions(
    page: Page, server: str, people: list[User]
) -> None:
    row = store(people[0])
    page.goto(f"{server}{TRANSACTION}{row.pk}/change/")
    page.get_by_role("link", name="All notes, and to write one").click()
    expect(page).to_have_url(re.compile(rf"{CUSTOMER}{people[0].pk}/change/#notes-title$"))
    page.get_by_label("A note").fill(f"They called. {HOSTILE}")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".customer-note")).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Mark as reviewed").click()
    expect(page.locator(".customer-note")).to_contain_text("reviewed by root")
    assert serious(page) == []
    page.goto(f"{server}{TRANSACTION}{row.pk}/change/")
    expect(page.get_by_role("region", name="Notes on this customer")).to_contain_text("reviewed by root")
    assert serious(page) == []


def test_a_double_click_sends_a_form_once(page: Page, server: str, people: list[User]) -> None:
    page.goto(f"{server}{CUSTOMER}{people[0].pk}/change/")
    page.get_by_label("A note").fill("They called.")
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="Add the note").dblclick()
    expect(page.locator(".customer-note")).to_contain_text("They called.")
    assert len(posts) == 1


def test_a_transaction_is_deleted_with_a_reason_which_is_kept(
    page: Page, server: str, people: list[User]
) -> None:
    row, before = store(people[0]), head()
    page.goto(f"{server}{TRANSACTION}{row.pk}/change/")
    page.get_by_role("link", name="Delete it").click()
    assert serious(page) == []
    page.get_by_label("Why? It is kept in the audit trail.").fill("posted twice by the till")
    page.get_by_role("button", name="Delete the transaction").click()
    expect(page.locator(".summary")).to_contain_text("0 transactions")
    assert not Transaction.objects.exists()
    (entry,) = [entry for entry in since(before) if entry.action == Action.TRANSACTION_DELETED]
    assert entry.reason == "posted twice by the till"
    assert balance.read().removed == 1


def test_the_audit_trail_shows_a_reason_whole_and_its_filters_open_and_close(
    page: Page, server: str, people: list[User]
) -> None:
    note(
        Action.VERSION_DRAFTED,
        "Many large transactions within ten minutes, version 1",
        reason="As asked. " * 9,
    )
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{server}/admin/audit/entry/")
    reason = page.locator("td.field-reason").first
    expect(reason).to_contain_text("As asked.")
    assert reason.evaluate("cell => cell.getBoundingClientRect().right <= innerWidth")
    assert reason.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    panel = page.get_by_role("region", name="Filters")
    expect(panel).to_be_hidden()
    page.locator("a", has_text="Filters").click()
    expect(panel).to_be_visible()
    assert faults(page) == []
    assert serious(page) == []
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()
    page.locator("a", has_text="Filters").click()
    panel.get_by_role("link", name="Token").click()
    expect(page).to_have_url(re.compile("kind=token"))


@pytest.mark.parametrize("width", [390, 768, 1400, 1920])
def test_the_page_of_a_transaction_and_the_list_break_nowhere(
    page: Page, server: str, people: list[User], watched: Watched, width: int
) -> None:
    watched.expected = ["status of 400"]
    long = User.objects.create(username="<b>x" + "y" * 146)
    row = store(long, "X" * 100, amount=2**63 - 1)
    store(long, HOSTILE, amount=2**63 - 1, status="FAILED")
    page.set_viewport_size({"width": width, "height": 900})
    far = "?timezone=America/Argentina/Buenos_Aires"
    for path in (f"{row.pk}/change/{far}", f"{row.pk}/change/", "", "?state=waiting", "?amount_min=none"):
        page.goto(f"{server}{TRANSACTION}{path}")
        expect(page.locator("h1")).to_be_visible()
        assert faults(page) == [], path
        assert serious(page) == [], path
