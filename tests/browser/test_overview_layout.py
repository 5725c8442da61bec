"""The front page at every width: what is wrong comes first, and nothing stands there for nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard import Dashboard, serious
from tests.browser.layout import faults
from tests.browser.overview import box
from tests.support.alerts import open_alert
from tests.support.living import everybody_works
from tests.support.settled import settle
from transactions.alerts.models import Alert
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FIGURES, ALERTS = "**/admin/dashboard/figures/**", "**/admin/dashboard/alerts/"


@pytest.mark.parametrize("width", [390, 768, 1400, 1920])
def test_what_is_wrong_comes_first_at_any_width(
    dashboard: Dashboard, failing_more: datetime, width: int
) -> None:
    page = dashboard.page
    for severity in ("CRITICAL", "LOW"):
        open_alert(dashboard.people[0], rule=len(severity), rule_name="x" * 100, severity=severity)
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    order = ["#wrong", "#money", "#throughput", "#failure-rate", "#alerts", "#failing"]
    tops = []
    for each in order:
        expect(page.locator(each)).to_be_visible()
    expect(page.locator("#failing-customers li")).to_have_count(2)
    tops = [page.locator(each).evaluate("place => place.getBoundingClientRect().top") for each in order]
    beside = order.index("#alerts")
    assert tops[:beside] == sorted(tops[:beside])
    choices, wrong = box(page.locator("#choices")), box(page.locator("#wrong"))
    if width < 768:
        assert wrong["bottom"] < choices["top"] < tops[1]
        before = "wrong => Boolean(wrong.compareDocumentPosition(document.querySelector('#choices')) & 4)"
        assert page.locator("#wrong").evaluate(before)
    else:
        assert choices["bottom"] < wrong["top"]
    if width < 1000:
        assert tops == sorted(tops)
    else:
        assert tops[beside] == tops[order.index("#throughput")]
    assert faults(page) == []


def test_what_is_wrong_and_the_open_alerts_are_on_the_first_screen_of_a_phone(
    dashboard: Dashboard, failing_more: datetime
) -> None:
    page = dashboard.page
    for severity in ("HIGH", "HIGH", "LOW"):
        open_alert(dashboard.people[2], rule=Alert.objects.count(), severity=severity)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    expect(page.locator("#wrong")).to_be_visible()
    alerts = page.locator("#alerts-first")
    expect(alerts).to_have_text("3 open alerts2 high1 low")
    assert alerts.evaluate("place => place.getBoundingClientRect().bottom") < 844
    assert serious(page) == []
    alerts.get_by_role("link").click()
    expect(page).to_have_url(f"{dashboard.server}/admin/alerts/alert/")
    # Where the card of alerts stands beside the charts it is not said twice.
    page.set_viewport_size({"width": 1400, "height": 900})
    page.go_back()
    expect(page.locator("#alerts")).to_contain_text("3 open")
    expect(alerts).to_be_hidden()


@pytest.mark.parametrize("currency", ["GBP"])
@pytest.mark.parametrize("amount", [999_99, 1_234_567_89, 98_765_432_101_23])
def test_on_a_phone_figures_stand_two_by_two_whatever_the_amount_each_with_its_sparkline(
    dashboard: Dashboard, amount: int
) -> None:
    page, now = dashboard.page, datetime.now(UTC)
    settle(dashboard.people[0], now - 40 * MINUTE, now - 2 * MINUTE, 150, 20, amount=amount // 130)
    for n in range(40):
        moment = (now - (n + 1) * MINUTE).isoformat()
        dashboard.post(f"P{n}", created_at=moment)
    flush()
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    figures = page.locator("#money > li")
    expect(figures.locator(".spark")).to_have_count(4)
    for spark in figures.locator(".spark").all():
        expect(spark).to_be_visible()
    boxes = [box(each) for each in figures.all()]
    assert [each["left"] for each in boxes[:2]] == [each["left"] for each in boxes[2:]]
    assert boxes[0]["top"] == boxes[1]["top"] < boxes[2]["top"] == boxes[3]["top"]
    assert faults(page) == []
    # What one may search for is told in as many whole words as there is room for.
    hint = page.locator(".find-hint")
    assert hint.evaluate("hint => hint.scrollWidth <= hint.clientWidth")
    page.set_viewport_size({"width": 1400, "height": 900})
    expect(page.locator(".find-hint")).to_have_text("Search ids, customers, amounts, alerts …")
    expect(page.locator(".find-more")).to_be_visible()


def test_the_top_bar_ends_where_the_page_ends_and_is_short_on_a_phone(dashboard: Dashboard) -> None:
    everybody_works()
    page = dashboard.page
    page.set_viewport_size({"width": 1920, "height": 900})
    page.reload()
    expect(page.locator("#system .dot-good")).to_be_visible()
    assert box(page.locator("#account"))["right"] == box(page.locator("#dashboard"))["right"]
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#system-short")).to_have_text("System normal")
    expect(page.locator(".find-key")).to_be_hidden()
    assert box(page.locator(".top-bar"))["height"] <= 110
    page.locator("#zone").evaluate(
        "field => { field.value = 'Europe/Berlin'; field.dispatchEvent(new Event('change')); }"
    )
    shown = page.locator("#zone-shown")
    expect(shown).to_have_text("Europe/Berlin")
    assert shown.evaluate("place => place.scrollWidth <= place.clientWidth")
    assert faults(page) == []


def test_an_empty_system_shows_no_filters_for_nothing(dashboard: Dashboard) -> None:
    page = dashboard.page
    expect(page.locator("#first-hour")).to_be_visible()
    for each in ("#filters", "#pause", "#period", "#rows thead"):
        expect(page.locator(each)).to_be_hidden()
    dashboard.post("T1")
    for each in ("#filters", "#pause", "#period", "#rows thead"):
        expect(page.locator(each)).to_be_visible()
