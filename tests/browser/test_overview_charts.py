"""The front page's charts: what is drawn how, what their tables say, and what a bar opens."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.templatetags.static import static
from django.utils.dateparse import parse_datetime
from playwright.sync_api import expect

from tests.browser.dashboard import Dashboard
from tests.browser.layout import faults
from tests.browser.overview import box, listed_by
from tests.support.alerts import open_alert
from tests.support.settled import settle

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FIGURES, ALERTS = "**/admin/dashboard/figures/**", "**/admin/dashboard/alerts/"


def test_a_failure_rate_of_next_to_nothing_is_drawn_fainter_and_its_figure_stands_where_it_was_measured(
    dashboard: Dashboard,
) -> None:
    now, page = datetime.now(UTC), dashboard.page
    settle(dashboard.people[0], now - 180 * MINUTE, now - 120 * MINUTE, 300, 30)
    dashboard.open("?period=24h")
    expect(page.locator("#failure-rate .chart-note")).to_contain_text("few settled: with those before")
    dashes = page.evaluate(
        """() => {
          const chart = Chart.getChart(document.querySelector("#failure-rate canvas"));
          const { data: rates, segment } = chart.data.datasets[3];
          return rates.map((rate, place) => (
            rate === null || (rates[place - 1] ?? null) === null
              ? null : segment.borderDash({ p1DataIndex: place }) ?? "whole"
          ));
        }"""
    )
    drawn = [dash for dash in dashes if dash is not None]
    assert drawn[:2] == ["whole"] * 2
    assert drawn[-5:] == [[2, 3]] * 5


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1_500, "1.5K"),
        (2e9, "2B"),
        (5e13, "50T"),
        (1e17, "10¹⁷"),
        (5e19, "5 × 10¹⁹"),
        (2.5e15, "2.5 × 10¹⁵"),
    ],
)
def test_an_axis_of_huge_amounts_is_short(dashboard: Dashboard, value: float, shown: str) -> None:
    path = static("transactions/dashboard/format.js")
    brief = "async ([path, value]) => (await import(path)).brief(value)"
    assert dashboard.page.evaluate(brief, [path, value]) == shown


def test_the_table_of_the_failure_rate_opens_at_its_latest_and_says_where_nothing_is_known(
    dashboard: Dashboard,
) -> None:
    now, page = datetime.now(UTC), dashboard.page
    settle(dashboard.people[0], now - 10 * MINUTE, now - MINUTE, 300, 30)
    page.reload()
    page.get_by_label("Failure rate: more").click()
    page.locator("#failure-rate").get_by_role("button", name="Show as a table").click()
    rows = page.locator("#failure-rate tbody tr")
    expect(rows.first.locator("td").nth(1)).to_have_text("–")
    expect(rows.last.locator("td").nth(1)).to_have_text(re.compile("%$"))
    page.locator("#failure-rate .chart-table").scroll_into_view_if_needed()
    expect(rows.last).to_be_in_viewport()


def test_a_bar_opens_exactly_its_transactions(dashboard: Dashboard) -> None:
    """The table of the chart leads to the same lists, for who has no pointer.

    The page looks for the bar and clicks it in one go: with the next minute all bars move.
    """
    now, page = datetime.now(UTC), dashboard.page
    # One of those that are counted anew for every poll.
    minute = now.replace(second=0, microsecond=0) - MINUTE
    settle(dashboard.people[0], minute, minute + MINUTE, 10, 4)
    settle(dashboard.people[0], minute - MINUTE, minute, 3, 0)
    page.reload()
    page.get_by_label("Transactions a minute: more").click()
    page.locator("#throughput").get_by_role("button", name="Show as a table").click()
    row = page.locator("#throughput tbody tr").filter(has_text=f", {minute:%H:%M}")
    expect(row.locator("td")).to_contain_text(["", "6", "4", "0", "0"])
    assert listed_by(row.get_by_role("link")) == 10
    with page.expect_request(lambda request: "/transactions/transaction/" in request.url) as opened:
        page.evaluate(
            """(text) => {
              const rows = [...document.querySelectorAll("#throughput tbody tr")];
              const place = rows.findIndex((row) => row.textContent.includes(text));
              const chart = Chart.getChart(document.querySelector("#throughput canvas"));
              const bar = chart.getDatasetMeta(2).data[place], box = chart.canvas.getBoundingClientRect();
              const clientX = box.x + bar.x, clientY = box.y + (bar.y + bar.base) / 2;
              chart.canvas.dispatchEvent(new MouseEvent("click", { clientX, clientY, bubbles: true }));
            }""",
            f", {minute:%H:%M}",
        )
    asked = parse_qs(urlsplit(opened.value.url).query)
    assert asked["status"] == ["FAILED"]
    assert parse_datetime(asked["from"][0]) == minute
    assert parse_datetime(asked["to"][0]) == minute + MINUTE
    expect(page.locator("#content")).to_contain_text("4 transactions · failed 4,000")


def test_who_fails_leads_to_what_failed(dashboard: Dashboard) -> None:
    now = datetime.now(UTC)
    settle(dashboard.people[1], now - 20 * MINUTE, now - MINUTE, 30, 12)
    settle(dashboard.people[0], now - 20 * MINUTE, now - MINUTE, 30, 2)
    dashboard.page.reload()
    rows = dashboard.page.locator("#failing-customers li")
    expect(rows).to_have_text(["bob12 was 0", "alice2 was 0"])
    assert [listed_by(rows.nth(n).get_by_role("link")) for n in (0, 1)] == [12, 2]


@pytest.mark.parametrize("width", [390, 1400])
def test_bars_begin_on_one_line_and_names_keep_their_ends(dashboard: Dashboard, width: int) -> None:
    now, page = datetime.now(UTC), dashboard.page
    names = ["customer-of-the-old-town-100001", "customer-of-the-old-town-100002", "x"]
    for place, name in enumerate(names):
        settle(User.objects.create_user(name), now - 20 * MINUTE, now - MINUTE, 30, 10 - 3 * place)
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    rows = page.locator("#failing-customers li")
    expect(rows).to_have_count(3)
    bars, tails = rows.locator(".failing-bars"), rows.locator(".id span:last-child")
    assert len({box(bars.nth(n))["left"] for n in range(3)}) == 1
    for n in range(2):
        assert box(tails.nth(n))["right"] <= box(bars.nth(n))["left"]
        expect(tails.nth(n)).to_have_text(f"10000{n + 1}")
    assert faults(page) == []


def test_marks_of_alerts_that_would_lie_on_one_another_are_one(dashboard: Dashboard) -> None:
    now = datetime.now(UTC)
    settle(dashboard.people[0], now - 50 * MINUTE, now, 300, 30)
    first = now.replace(second=30, microsecond=0) - 20 * MINUTE
    for n in range(9):
        open_alert(dashboard.people[0], rule=n, opened_at=first + n * timedelta(seconds=3))
    page = dashboard.page
    page.reload()
    expect(page.locator("#alerts")).to_contain_text("9 open")
    expect(page.locator("#failing-customers li")).to_have_count(1)
    page.locator("#throughput").scroll_into_view_if_needed()
    with page.expect_navigation(url="**/admin/alerts/alert/?from=*"):
        # In one go: with the next minute all marks move.
        page.evaluate(
            """(minute) => {
              const chart = Chart.getChart(document.querySelector("#throughput canvas"));
              const { x, y } = chart.canvas.getBoundingClientRect();
              const place = chart.data.labels.indexOf(minute);
              const clientX = x + chart.scales.x.getPixelForValue(place);
              const clientY = y + chart.chartArea.top - 9;
              chart.canvas.dispatchEvent(new MouseEvent("click", { clientX, clientY, bubbles: true }));
            }""",
            f"{first:%H:%M}",
        )
    expect(page.locator("tr[data-alert]")).to_have_count(9)
