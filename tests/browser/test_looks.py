"""The dashboard and the admin site as they look: dark, on a phone, with hostile values, to everybody."""

import csv
import random
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import Dashboard, serious
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = [
    "<script>alert(1)</script>",
    "x" * 100,
    "\u202egnp.exe\u202c",
    "<img src=x onerror=alert(2)>",
    "=1+1",
]
LARGEST = 2**63 - 1


@pytest.fixture
def busy(page: Page, server: str, people: list[User]) -> Dashboard:
    """A dashboard with something on it, in every status and on both sides of the flush."""
    dashboard = Dashboard(page, server, people)
    chance = random.Random(7)

    def some(prefix: str, count: int, ago_s: float) -> None:
        """Of up to `ago_s` seconds ago."""
        now = datetime.now(UTC)
        dashboard.post_all(
            [
                {
                    "transaction_id": f"{prefix}-{n:05}",
                    "user": chance.choice(people).pk,
                    "amount": int(chance.lognormvariate(8, 1.5)),
                    "status": chance.choice(["SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "PENDING"]),
                    "created_at": (now - timedelta(seconds=chance.uniform(0, ago_s))).isoformat(),
                }
                for n in range(count)
            ]
        )

    some("OLD", 600, 40 * 86_400)
    some("INV", 400, 3_600)
    some("ORD", 60, 60)
    flush()
    some("NEW", 9, 1)
    dashboard.open()
    expect(page.locator("[data-tile='24 h'] [data-figure=pending]")).not_to_have_text("…")
    expect(page.locator("#volume tbody tr")).to_have_count(3)
    return dashboard


def dark(page: Page) -> None:
    """Chooses the dark theme, as the theme's own switch does."""
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('dark'))")
    page.reload()
    expect(page.locator("html")).to_have_class("dark")


def overflows(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_light_and_dark(busy: Dashboard) -> None:
    assert serious(busy.page) == []
    busy.shot("dashboard", whole=True)
    dark(busy.page)
    busy.is_live()
    expect(busy.page.locator("#volume tbody tr")).to_have_count(3)
    background = busy.page.locator(".tile").first.evaluate("tile => getComputedStyle(tile).backgroundColor")
    assert background != "rgb(255, 255, 255)"
    assert serious(busy.page) == []
    busy.shot("dashboard-dark", whole=True)


def test_on_a_phone_nothing_is_wider_than_the_screen(busy: Dashboard) -> None:
    busy.page.set_viewport_size({"width": 375, "height": 800})
    busy.page.reload()
    busy.is_live()
    expect(busy.page.locator("#rows tbody tr").first).to_be_visible()
    assert not overflows(busy.page)
    assert serious(busy.page) == []
    busy.shot("dashboard-phone")
    busy.page.locator("#rows tbody tr").first.click()
    expect(busy.page.locator("#drawer-events li").first).to_be_visible()
    assert not overflows(busy.page)


def test_the_drawer_is_open_to_everybody(busy: Dashboard) -> None:
    busy.page.locator("#rows tbody button").last.click()
    expect(busy.page.locator("#drawer-events li").first).to_be_visible()
    assert serious(busy.page) == []


def test_hostile_values_are_text_and_break_nothing(dashboard: Dashboard) -> None:
    bodies = [{"transaction_id": id, "amount": LARGEST} for id in HOSTILE]
    dashboard.post_all(bodies)
    shown = [id.replace("\u202e", "⟨202E⟩").replace("\u202c", "⟨202C⟩") for id in reversed(HOSTILE)]
    dashboard.shows(*shown)
    flush()
    User.objects.filter(pk=dashboard.people[0].pk).update(username="<script>alert(3)</script>")
    expect(dashboard.page.locator("#rows tbody td.number").first).to_have_text("9,223,372,036,854,775,807")
    for width in (1360, 375):
        dashboard.page.set_viewport_size({"width": width, "height": 800})
        dashboard.page.reload()
        dashboard.shows(*shown)
        expect(dashboard.page.locator("#volume tbody")).to_contain_text("<script>alert(3)", timeout=30_000)
        assert not overflows(dashboard.page)
        dashboard.page.locator("#rows tbody button").nth(3).click()
        expect(dashboard.page.locator("#drawer-title")).to_have_text("x" * 100)
        expect(dashboard.page.locator("#drawer-facts")).to_contain_text("9,223,372,036,854,775,807")
        assert not overflows(dashboard.page)
    dashboard.shot("hostile")


def test_users_are_saved_beside_what_they_moved_before(busy: Dashboard) -> None:
    """Those of the last day, who moved something the day before as well."""
    expect(busy.page.locator("#volume .chart-note")).to_contain_text("of as long a time before")
    with busy.page.expect_download() as download:
        busy.page.locator("#volume .csv").click()
    head, *rows = download.value.path().read_text().splitlines()
    assert head == "User,Volume,Transactions,Volume before"
    assert len(rows) == 3
    assert any(int(row.rpartition(",")[2]) > 0 for row in rows)


def test_the_days_of_the_averages_can_be_chosen(dashboard: Dashboard, watched: Watched) -> None:
    watched.expected = ["status of 400"]
    for day, amount in (("2026-03-01", 10), ("2026-03-02", 30), ("2026-02-27", 40)):
        dashboard.post(day, amount=amount, created_at=f"{day}T12:00:00Z")
    flush()
    form = dashboard.page.locator("#range")
    form.locator("[name=from]").fill("2026-03-01")
    form.locator("[name=to]").fill("2026-03-03")
    table = dashboard.page.locator("#averages tbody tr td:nth-child(2)")
    expect(table).to_have_text(["10", "30"], use_inner_text=False)
    expect(dashboard.page.locator("#averages tbody tr").first).to_contain_text("2026-03-01")
    assert "from=2026-03-01&to=2026-03-03" in dashboard.page.url
    dashboard.page.locator("#averages summary").click()
    with dashboard.page.expect_download() as download:
        dashboard.page.locator("#averages .csv").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("Day (UTC),Average,Count,Total")
    assert lines[1].startswith("2026-03-01,10,1,10")
    form.locator("[name=to]").fill("2026-02-01")
    expect(form.locator(".field-error")).to_have_text("This is before `from`.")


def test_a_list_is_saved_as_csv(dashboard: Dashboard) -> None:
    dashboard.post_all([{"transaction_id": "A", "status": "FAILED"}, {"transaction_id": "B"}])
    flush()
    dashboard.page.goto(f"{dashboard.server}/admin/transactions/transaction/?status=FAILED")
    with dashboard.page.expect_download() as download:
        dashboard.page.get_by_role("link", name="Export CSV").click()
    header, *rows = csv.reader(download.value.path().read_text().splitlines())
    assert header[:5] == ["transaction_id", "user_id", "amount", "status", "created_at"]
    assert [row[0] for row in rows] == ["A"]
