"""A rule from its sentence to its hits, by two people in a real browser; and its pages, open to everybody."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.dashboard import post_all, serious
from tests.browser.layout import faults
from tests.support.rows import row, store
from tests.support.rule_pages import HOSTILE_NAME, member
from tests.support.rules import LONG_AGO
from transactions.rules import backtest_runs, documents, lifecycle, list_entries
from transactions.rules.models import Backtest, Rule, UserList, Version
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def opened(context: BrowserContext, server: str, client: Client) -> Page:
    """A page of whoever the client is, in a window that the others' cookies do not reach."""
    context.clear_cookies()
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
    return context.new_page()


def test_one_writes_a_rule_another_approves_it_and_hits_appear(
    context: BrowserContext, server: str, people: list[User]
) -> None:
    ann, bea = member("ann", "view", "change")[0], member("bea", "view", "approve")[0]
    page = opened(context, server, ann)
    page.goto(f"{server}/admin/rules/rule/")
    page.get_by_role("link", name="Write a rule").click()
    page.get_by_role("link", name="Many transactions").click()

    # What is typed is read back, and what makes no sense is told by its gap.
    page.get_by_label("the number").fill("none")
    expect(page.locator("[data-error=count]")).to_have_text(
        "The number must be a whole number from 1 to 100,000."
    )
    page.get_by_label("the number").fill("3")
    page.get_by_label("the window").select_option("10 minutes")
    expect(page.locator("#read-back")).to_have_text(
        "A customer makes at least 3 transactions within 10 minutes."
    )
    expect(page.locator("#read-back strong")).to_have_text(["3", "10 minutes"])
    expect(page.locator("[data-error=count]")).to_be_empty()
    page.get_by_label("Name", exact=True).fill("Three in a row")
    page.get_by_role("button", name="Save as a draft").click()
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.get_by_role("note")).to_contain_text("You may not approve versions")
    address = page.url
    page.close()

    page = opened(context, server, bea)
    page.goto(address)
    page.get_by_role("radio", name="Active hits").check()
    page.get_by_label("Raise for the past").fill("1")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="In force")).to_be_visible()

    ago = [(datetime.now(UTC) - timedelta(minutes=minutes)).isoformat() for minutes in (4, 3, 2, 1)]
    posted = [
        {
            "transaction_id": f"T{n}",
            "user": people[0].pk,
            "amount": 700,
            "status": "SUCCESS",
            "created_at": at,
        }
        for n, at in enumerate(ago)
    ]
    post_all(server, posted)
    flush()
    page.reload()
    hits = page.get_by_role("region", name="Latest hits").locator("tbody tr")
    expect(hits).to_have_count(2)
    expect(hits.first).to_contain_text("4 transactions within 10 minutes")
    expect(hits.last).to_contain_text("3 transactions within 10 minutes")
    page.close()


def test_a_backtest_is_watched_until_it_tells_what_would_have_been_found(
    page: Page, server: str, people: list[User], root: User
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    posted = {"transaction_id": "T1", "user": people[0].pk, "amount": 9000, "created_at": yesterday}
    post_all(server, [posted])
    flush()
    rule = Rule.objects.create(name="Large")
    lifecycle.draft(rule, "amount", {"amount": 1000}, root)
    page.goto(f"{server}/admin/rules/rule/{rule.pk}/change/")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_label("How far it is")).to_be_visible()
    assert backtest_runs.run_next() == Backtest.objects.get()
    expect(page.get_by_role("heading", name="What it would have found")).to_be_visible()
    page.get_by_label("Alerts a day: more").click()
    page.get_by_role("button", name="Show as a table").click()
    expect(page.locator("#alerts-a-day tbody tr", has_text=yesterday[:10])).to_have_text(
        f"{yesterday[:10]}11"
    )
    expect(page.locator("#alerts-a-day canvas")).to_be_visible()


@pytest.fixture
def filled(people: list[User], root: User) -> list[str]:
    """Rules in every state, with hits, debt, drafts, lists and backtests; the pages that show them."""
    bob = people[1]
    documents.import_rules(documents.parse(documents.STARTER.read_text()), bob)
    rule = Rule.objects.get(name="Small amounts that fail")
    lifecycle.activate(rule.versions.get(), root, begin=LONG_AGO)
    other = lifecycle.draft(
        rule, "failure_burst", {"count": 8, "window": "1h", "filter": {"hours": "22-6"}}, bob
    )
    lifecycle.submit(other)
    lifecycle.draft(rule, "failure_burst", {"count": 6, "window": "1h"}, root)
    hostile = Rule.objects.create(name=HOSTILE_NAME * 2, description="x" * 500)
    lifecycle.activate(lifecycle.draft(hostile, "amount", {"amount": 1}, bob), root, shadow=True)
    watched = UserList.objects.get()
    list_entries.add_entries(watched, [people[0].pk], comment="y" * 200)
    for number in (1, 2):
        backtest_runs.ask(rule, version=Version.objects.get(rule=rule, number=number), by=root)
    backtest_runs.run_next()
    done, waiting = Backtest.objects.order_by("pk")
    return [
        "rule/",
        "rule/?q=nothing",
        "rule/new/",
        "rule/new/?kind=deviation",
        f"rule/{rule.pk}/change/",
        f"rule/{hostile.pk}/change/",
        f"rule/{rule.pk}/draft/?from=2",
        f"rule/{rule.pk}/backtests/{done.pk}/",
        f"rule/{rule.pk}/backtests/{waiting.pk}/",
        "userlist/",
        "userlist/new/",
        f"userlist/{watched.pk}/change/",
    ]


def test_every_page_is_open_to_everybody_on_any_screen(page: Page, server: str, filled: list[str]) -> None:
    found = []
    for theme, width in (("light", 1400), ("dark", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{server}/admin/rules/rule/")
        page.evaluate(f"localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
        for path in filled:
            page.goto(f"{server}/admin/rules/{path}")
            expect(page.locator("html")).to_have_class(theme)
            found += [f"{path} {theme}: {fault}" for fault in (*faults(page), *serious(page))]
    assert not found, "\n".join(found)


def test_without_scripts_a_rule_is_written_all_the_same(chromium: Browser, server: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = opened(context, server, member("ann", "view", "change")[0])
    page.goto(f"{server}/admin/rules/rule/new/?kind=amount")
    page.get_by_label("the amount", exact=True).fill("1,000")
    page.get_by_role("button", name="Read it back").click()
    expect(page.locator("#read-back")).to_have_text("The amount is at least 1,000.")
    page.get_by_label("Name", exact=True).fill("Large")
    page.get_by_role("button", name="Save as a draft").click()
    expect(page.get_by_role("heading", name="Version 1 is a draft")).to_be_visible()
    context.clear_cookies()
    page.goto(f"{server}/admin/")
    expect(page.get_by_label("Username")).to_be_visible()
    context.close()


def test_on_a_phone_a_hit_of_a_backtest_is_short_and_the_days_zone_stands_by_its_bars(
    page: Page, server: str, people: list[User], root: User
) -> None:
    store(*(row(user, datetime.now(UTC) - timedelta(hours=1), 7) for user in people))
    draft = lifecycle.draft(Rule.objects.create(name="Large"), "amount", {"amount": 5}, root)
    run = backtest_runs.ask(draft.rule, version=draft, by=root, timezone="Asia/Tokyo")
    backtest_runs.run_next()
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{server}/admin/rules/rule/{draft.rule_id}/backtests/{run.pk}/")
    expect(page.locator("#alerts-a-day")).to_contain_text("days of Asia/Tokyo")
    rows = page.get_by_role("region", name="Some of the hits").locator("tbody tr")
    expect(rows).to_have_count(len(people))
    heights = [each.bounding_box()["height"] for each in rows.all()]  # type: ignore[index]
    # A line for each of six cells was 180.
    assert max(heights) < 110, heights
    assert not [*faults(page), *serious(page)]


def test_on_a_phone_a_rule_of_the_list_is_short(page: Page, server: str, filled: list[str]) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{server}/admin/rules/rule/")
    rows = page.locator("#result_list tr.data-row", has_not_text=HOSTILE_NAME)
    heights = [row.bounding_box()["height"] for row in rows.all()]  # type: ignore[index]
    assert len(heights) == 12
    # Nine lines of a cell each were 400.
    assert max(heights) < 230, heights
