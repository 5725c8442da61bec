"""The front page as who watches money uses it: what is wrong, a period's figures, and the way from each."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.templatetags.static import static
from django.utils.dateparse import parse_datetime
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import Dashboard, look_again, serious
from tests.browser.layout import faults
from tests.support.alerts import open_alert
from tests.support.living import everybody_works
from tests.support.settled import settle
from transactions.alerts.models import Alert
from transactions.models import Rollup, Transaction

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FIGURES, ALERTS = "**/admin/dashboard/figures/**", "**/admin/dashboard/alerts/"


@pytest.fixture
def failing_more(people: list[User]) -> datetime:
    """Of a hundred in a quarter of an hour five fail, for a week; for ten minutes now nearly a third.

    When that began.
    """
    alice, bob, _ = people
    now = datetime.now(UTC)
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    Rollup.objects.bulk_create(
        Rollup(bucket=quarter - n * 15 * MINUTE, status=status, count=count, total=count * 1000)
        for n in range(8, 8 * 96)
        for status, count in (("SUCCESS", 95), ("FAILED", 5))
    )
    began = now.replace(second=0, microsecond=0) - 10 * MINUTE
    settle(bob, began - 30 * MINUTE, began, 300, 15)
    settle(alice, began, now, 80, 60)
    settle(bob, began, now, 180, 9)
    return began


def listed_by(link: Locator) -> int:
    """How many transactions the list is asked for by a link."""
    asked = {
        name: values[0] for name, values in parse_qs(urlsplit(link.get_attribute("href") or "").query).items()
    }
    bounds = {
        "status": asked.get("status"),
        "user": asked.get("user"),
        "created_at__gte": parse_datetime(asked["from"]),
        "created_at__lt": parse_datetime(asked["to"]),
    }
    return Transaction.objects.filter(**{name: value for name, value in bounds.items() if value}).count()


def pressed(page: Page, group: str) -> Locator:
    return page.get_by_role("group", name=group).locator("[aria-pressed=true]")


def test_it_says_what_is_wrong_since_when_with_whom_and_opens_exactly_those(
    dashboard: Dashboard, failing_more: datetime, root: User
) -> None:
    alert = open_alert(dashboard.people[0], severity="HIGH")
    page = dashboard.page
    page.reload()
    wrong = page.get_by_role("region", name="What is wrong")
    expect(wrong).to_contain_text(f"Failed transactions are at 26.5 % since {failing_more:%H:%M}.")
    expect(wrong).to_contain_text("Usually 5 % at this time of day. alice makes up 87\u00a0% of them.")
    assert listed_by(wrong.get_by_role("link", name="alice")) == 60
    expect(wrong.get_by_role("alert")).to_have_text(
        f"More transactions fail than usual, since {failing_more:%H:%M}."
    )
    link = wrong.get_by_role("link", name="Open 69 failed")
    assert listed_by(link) == 69
    assert serious(page) == []
    link.click()
    expect(page.locator("#content")).to_contain_text("69 transactions · failed 69,000")
    page.go_back()
    wrong.get_by_role("button", name=f"Take alert {alert.pk}").click()
    expect(page).to_have_url(f"{dashboard.server}/admin/alerts/alert/{alert.pk}/change/")
    assert Alert.objects.get().assignee == root
    page.go_back()
    page.reload()
    expect(wrong.get_by_role("link", name=f"Open alert {alert.pk}")).to_be_visible()
    expect(wrong.get_by_role("button", name="Take alert")).to_have_count(0)


def test_nothing_is_said_to_be_wrong_where_nothing_is(dashboard: Dashboard) -> None:
    settle(dashboard.people[0], datetime.now(UTC) - 5 * MINUTE, datetime.now(UTC), 200, 100)
    dashboard.page.reload()
    expect(dashboard.page.locator("[data-figure=count] .figure-value")).to_have_text("200")
    expect(dashboard.page.locator("#wrong")).to_be_hidden()


def test_that_nobody_knows_whether_anything_is_wrong_is_said(dashboard: Dashboard) -> None:
    """As when PostgreSQL takes too long over that alone."""

    def untold(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "wrong": None})

    page = dashboard.page
    said = page.get_by_text("Whether more transactions fail than usual cannot be told now")
    expect(page.locator("#figures-moment")).to_contain_text("as of")
    expect(said).to_be_hidden()
    page.route(FIGURES, untold)
    expect(said).to_be_visible()
    assert serious(page) == []
    page.unroute(FIGURES)
    expect(said).to_be_hidden()


def test_figures_stand_beside_those_of_the_other_time_and_open_what_they_count(dashboard: Dashboard) -> None:
    now, page = datetime.now(UTC), dashboard.page
    settle(dashboard.people[0], now - 20 * MINUTE, now - MINUTE, 300, 30, amount=100)
    settle(dashboard.people[0], now - 7 * DAY - 20 * MINUTE, now - 7 * DAY - MINUTE, 400, 20, amount=100)
    page.reload()
    succeeded, count, rate = (
        page.locator(f"[data-figure={name}]") for name in ("succeeded", "count", "success_rate")
    )
    expect(succeeded.locator(".figure-value")).to_have_text("27,000")
    expect(succeeded.locator(".delta")).to_have_text("▼ down 29 % worse was 38,000 at this time a week ago")
    expect(count.locator(".delta")).to_have_text("▽ down 25 % was 400 at this time a week ago")
    expect(rate.locator(".figure-value")).to_have_text("90 %")
    expect(rate.locator(".delta")).to_have_text("▼ down 5 points worse was 95 % at this time a week ago")
    opened = [listed_by(each.locator(".figure-value a")) for each in (succeeded, count, rate)]
    assert opened == [270, 300, 30]


def test_two_dozen_transactions_are_too_few_to_compare(dashboard: Dashboard) -> None:
    now, page = datetime.now(UTC), dashboard.page
    settle(dashboard.people[0], now - 20 * MINUTE, now - MINUTE, 300, 30, amount=100)
    settle(dashboard.people[0], now - 7 * DAY - 20 * MINUTE, now - 7 * DAY - MINUTE, 24, 3, amount=100)
    page.reload()
    for name, told in {
        "succeeded": "was 2,100 at this time a week ago",
        "count": "was 24 at this time a week ago",
        "success_rate": "was 87.5 % at this time a week ago",
    }.items():
        expect(page.locator(f"[data-figure={name}] .delta")).to_have_text(told)
    # Once for all of them.
    expect(page.locator("#figures-moment")).to_contain_text("24 at this time a week ago: too few to compare")
    expect(page.locator("#money :is(.delta-good, .delta-bad)")).to_have_count(0)


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


def test_the_period_and_the_comparison_are_in_the_url(dashboard: Dashboard) -> None:
    now, page = datetime.now(UTC), dashboard.page
    settle(dashboard.people[0], now - 10 * MINUTE, now - MINUTE, 9, 0)
    settle(dashboard.people[0], now - 5 * 60 * MINUTE, now - 4 * 60 * MINUTE, 5, 0)
    settle(dashboard.people[0], now - DAY - 10 * MINUTE, now - DAY - MINUTE, 3, 0)
    page.reload()
    count = page.locator("[data-figure=count]")
    expect(count.locator(".figure-value")).to_have_text("9")
    page.get_by_role("button", name="vs yesterday").click()
    expect(count.locator(".delta")).to_contain_text("was 3 at this time yesterday")
    page.get_by_role("button", name="24 h").click()
    expect(count.locator(".figure-value")).to_have_text("14")
    expect(count.locator(".delta")).to_contain_text("was 3 in the 24 hours before")
    expect(page.locator("#throughput h2")).to_have_text("Transactions a quarter of an hour")
    assert page.url.endswith("/admin/?compare=yesterday&period=24h")
    page.reload()
    expect(count.locator(".figure-value")).to_have_text("14")
    assert [pressed(page, group).inner_text() for group in ("Period", "Compared with")] == [
        "24 h",
        "vs yesterday",
    ]
    # Of a month there is one time that it can be compared with.
    page.get_by_role("button", name="30 d").click()
    expect(count.locator(".delta")).to_contain_text("none in the 30 days before")
    expect(page.get_by_role("group", name="Compared with")).to_be_hidden()
    page.goto(f"{dashboard.server}/admin/?period=2h")
    expect(page.locator("#choice-error")).to_have_text(
        "There is no period 2h: there are 15m, 1h, 24h, 7d, 30d."
    )
    expect(pressed(page, "Period")).to_have_text("1 h")


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


class NewEachTurn:
    """Answers in which something is new, and in another order, with each turn."""

    def __init__(self) -> None:
        self.turn = 0

    def figures(self, route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["wrong"]["data"]["failed"] = 1000 + self.turn
        told["overview"]["data"]["series"]["pending"][-1] = self.turn
        if self.turn % 2:
            told["failing"]["data"]["customers"].reverse()
        route.fulfill(response=answer, json=told)

    def alerts(self, route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["as_of"] = (datetime.now(UTC) + self.turn * MINUTE).isoformat()
        (first,) = told["gravest"]
        newer = [{**first, "id": first["id"] + n, "rule": f"Newer {n}"} for n in range(self.turn, 0, -1)]
        told["gravest"] = [*newer, first]
        route.fulfill(response=answer, json=told)


def test_a_key_stays_on_its_link_while_figures_come(dashboard: Dashboard, failing_more: datetime) -> None:
    page, new = dashboard.page, NewEachTurn()
    alert = open_alert(dashboard.people[0], severity="HIGH", rule_name="Of a while ago")
    page.reload()
    expect(page.locator("#wrong")).to_be_visible()
    expect(page.locator("#alerts-gravest li")).to_have_count(1)
    page.route(FIGURES, new.figures)
    page.route(ALERTS, new.alerts)
    page.get_by_label("Transactions a minute: more").click()
    page.locator("#throughput").get_by_role("button", name="Show as a table").click()
    for link in (
        page.locator("#wrong").get_by_role("link", name="alice"),
        page.locator("#failing-customers").get_by_role("link", name="alice"),
        page.locator("#throughput tbody").get_by_role("link", name=f", {failing_more:%H:%M}"),
        page.locator("#alerts-gravest").get_by_role("link", name=alert.rule_name),
    ):
        expect(link).to_have_count(1)
        link.focus()
        new.turn += 1
        look_again(page)
        expect(page.get_by_role("link", name=f"Open {1000 + new.turn:,} failed")).to_be_visible()
        expect(page.locator("#throughput tbody tr").last).to_contain_text(str(new.turn))
        expect(page.locator("#alerts-gravest li")).to_have_count(1 + new.turn)
        expect(page.locator("#failing-customers .id").first).to_have_text("bob" if new.turn % 2 else "alice")
        expect(link).to_be_focused()


def test_a_choice_that_is_not_answered_is_not_waited_for_and_the_page_says_what_it_shows(
    dashboard: Dashboard, watched: Watched
) -> None:
    watched.expected = ["status of 503"]
    page, moment, now = dashboard.page, dashboard.page.locator("#figures-moment"), datetime.now(UTC)
    settle(dashboard.people[0], now - 20 * MINUTE, now - MINUTE, 30, 2)
    page.reload()
    expect(moment).to_contain_text("as of")
    away = {"detail": "PostgreSQL does not answer in time."}
    page.route(re.compile("period=24h"), lambda route: route.fulfill(status=503, json=away))
    page.get_by_role("button", name="24 h").click()
    expect(moment).to_have_text(
        re.compile(
            r"^PostgreSQL does not answer in time\. These are as of .*, of what came in the last hour\.$"
        )
    )
    expect(page.locator("#dashboard")).to_have_attribute("aria-busy", "false")
    page.unroute_all()
    look_again(page)
    expect(moment).to_have_text(re.compile("^as of "))
    expect(page.locator("#throughput h2")).to_have_text("Transactions a quarter of an hour")


def test_failed_customers_that_cannot_be_told_anew_are_as_of_a_moment(dashboard: Dashboard) -> None:
    def untold(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "failing": None})

    page, now = dashboard.page, datetime.now(UTC)
    settle(dashboard.people[0], now - 20 * MINUTE, now - MINUTE, 30, 2)
    page.reload()
    expect(page.locator("#failing-customers li")).to_have_count(1)
    said = page.locator("#failing-empty")
    expect(said).to_be_hidden()
    page.route(FIGURES, untold)
    expect(said).to_contain_text(re.compile(r"in time\. These are as of \d\d:\d\d:\d\d\."))
    expect(page.locator("#failing-customers li")).to_have_count(1)
    page.unroute(FIGURES)
    expect(said).to_be_hidden()


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


def box(place: Locator) -> dict[str, float]:
    found: dict[str, float] = place.evaluate("place => place.getBoundingClientRect().toJSON()")
    return found


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


def test_an_empty_system_shows_no_filters_for_nothing(dashboard: Dashboard) -> None:
    page = dashboard.page
    expect(page.locator("#first-hour")).to_be_visible()
    for each in ("#filters", "#pause", "#period", "#rows thead"):
        expect(page.locator(each)).to_be_hidden()
    dashboard.post("T1")
    for each in ("#filters", "#pause", "#period", "#rows thead"):
        expect(page.locator(each)).to_be_visible()
