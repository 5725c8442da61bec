"""The chart of an alert: each dot of what made it, the whole window, and days as the viewer has them."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django import Settings

from tests.browser.bursts import burst_of, post
from tests.browser.layout import faults
from tests.support.alerts import burst_rule
from tests.support.rules import rule_in_force
from transactions.alerts.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)

# How long after the feed has connected the page asks once more, at most twice that.
CAUGHT_UP_MS = 2_500
QUEUE = "/admin/alerts/alert/"


@pytest.fixture(autouse=True)
def two_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = False


def test_every_dot_of_the_chart_is_whole(page: Page, server: str, people: list[User], root: User) -> None:
    burst_rule()
    alike, apart = burst_of(people[0], "alike"), burst_of(people[1], "apart")
    for record, amount in zip(apart, (1, 30, 7_000, 9_000), strict=True):
        record["amount"] = amount
    post(server, alike + apart)
    for alert in Alert.objects.all():
        page.goto(f"{server}{QUEUE}{alert.pk}/change/")
        expect(page.locator("#amounts canvas")).to_be_visible()
        outside = page.evaluate(
            """() => {
                const chart = Chart.getChart(document.querySelector("#amounts canvas"));
                const { left, right, top, bottom } = chart.chartArea;
                return chart.getDatasetMeta(0).data.filter(({ x, y, options: { radius } }) =>
                    x - radius < left || x + radius > right
                    || y - radius < top || y + radius > bottom).length;
            }"""
        )
        assert outside == 0


def axis_of(page: Page) -> tuple[float, float, list[str]]:
    """Where the time axis of the chart begins and ends, in seconds, and its labels."""
    begin, end, labels = page.evaluate(
        """() => {
            const { min, max, ticks } = Chart.getChart(document.querySelector("#amounts canvas")).scales.x;
            return [min / 1000, max / 1000, ticks.map(({ label }) => label)];
        }"""
    )
    return begin, end, labels


def test_the_charts_axis_has_the_whole_window_and_labels_at_full_minutes_or_days(
    page: Page, server: str, people: list[User], root: User
) -> None:
    burst_rule()
    rule_in_force("first_or_dormant", days=1, least=0)
    ago = datetime.now(UTC) - timedelta(days=40)
    post(server, [{**burst_of(people[1], "BEFORE", 1)[0], "created_at": ago.isoformat()}])
    post(server, [*burst_of(people[0], "burst"), *burst_of(people[1], "AGAIN", 1)])
    page.goto(f"{server}{QUEUE}{Alert.objects.get(rule_name='Failures in a row').pk}/change/")
    expect(page.locator("#amounts canvas")).to_be_visible()
    begin, end, labels = axis_of(page)
    assert 600 <= end - begin < 660
    minutes = [int(label[-2:]) for label in labels]
    assert len(labels) > 2
    assert len({(later - minute) % 60 for minute, later in pairwise(minutes)}) == 1
    page.goto(f"{server}{QUEUE}{Alert.objects.get(user=people[1].pk).pk}/change/")
    expect(page.get_by_text("Amounts of bob from the last one before it.")).to_be_visible()
    begin, end, labels = axis_of(page)
    assert begin < ago.timestamp() < end - 40 * 86_400 + 120
    assert all(re.fullmatch(r"\d{1,2} [A-Z][a-z]{2,3}", label) for label in labels), labels


def test_the_chart_of_what_counts_by_itself_spreads_its_dots_and_says_since_when(
    page: Page, server: str, people: list[User], root: User
) -> None:
    rule_in_force("amount", amount=1_000)
    records = burst_of(people[0], "L", 3)
    records[0]["amount"], records[2]["amount"] = 2**63 - 1, 3_000
    post(server, records)
    page.goto(f"{server}{QUEUE}{Alert.objects.get().pk}/change/")
    expect(page.locator("#amounts canvas")).to_be_visible()
    begin, end, labels = axis_of(page)
    first = datetime.fromisoformat(str(records[0]["created_at"]))
    assert 60 <= end - begin < 70
    assert begin + 20 < first.timestamp() < end - 20
    assert all(re.fullmatch(r"(\d\d:){2}\d\d", label) for label in labels), labels
    expect(page.locator("#amounts .chart-note")).to_contain_text(
        f"since {first:%Y-%m-%d %H:%M:%S}, the first from a week before"
    )
    top, tallest, topmost = page.evaluate(
        """() => {
            const { y } = Chart.getChart(document.querySelector("#amounts canvas")).scales;
            const top = y.ticks.at(-1);
            return [y.getPixelForValue(top.value), y.getPixelForValue(2 ** 63), top.label];
        }"""
    )
    assert top < tallest
    assert len(topmost) < 28
    assert not faults(page)
    # No number is broken, on a phone neither, where there is room for it.
    page.set_viewport_size({"width": 390, "height": 844})
    lines = page.evaluate(
        """() => [...document.querySelectorAll(".made .why")].map((place) => {
            const text = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
            for (let node; (node = text.nextNode());) {
                const at = node.data.indexOf("9,223,372,036,854,775,807");
                if (at < 0) continue;
                const range = new Range();
                range.setStart(node, at);
                range.setEnd(node, at + 25);
                return range.getClientRects().length;
            }
            return 0;
        })"""
    )
    assert sorted(lines)[-1] == 1


def test_the_charts_days_begin_at_midnight_after_a_change_of_clocks_too(
    page: Page, server: str, people: list[User], root: User
) -> None:
    rule_in_force("first_or_dormant", days=1, least=0)
    ago = datetime.now(UTC) - timedelta(days=230)
    post(server, [{**burst_of(people[0], "BEFORE", 1)[0], "created_at": ago.isoformat()}])
    post(server, burst_of(people[0], "AGAIN", 1))
    page.goto(f"{server}{QUEUE}{Alert.objects.latest('pk').pk}/change/?timezone=Europe/Berlin")
    expect(page.locator("#amounts canvas")).to_be_visible()
    ticks = page.evaluate(
        """() => Chart.getChart(document.querySelector("#amounts canvas"))
            .scales.x.ticks.map(({ value }) => value)"""
    )
    clocks = {f"{datetime.fromtimestamp(tick / 1000, ZoneInfo('Europe/Berlin')):%H:%M}" for tick in ticks}
    assert clocks == {"00:00"}
