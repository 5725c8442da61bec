"""The front page at every width: what is wrong comes first, and nothing stands there for nothing."""

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard import Dashboard, serious
from tests.browser.layout import faults
from tests.browser.overview import box
from tests.support.alerts import open_alert
from tests.support.living import everybody_works
from transactions.alerts.models import Alert

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
