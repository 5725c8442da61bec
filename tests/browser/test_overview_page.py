"""The front page as who watches money uses it: what is wrong, the figures, and the way from each."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import Dashboard, look_again, serious
from tests.browser.overview import listed_by
from tests.support.alerts import open_alert
from tests.support.settled import settle
from transactions.alerts.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FIGURES, ALERTS = "**/admin/dashboard/figures/**", "**/admin/dashboard/alerts/"


def pressed(page: Page, group: str) -> Locator:
    return page.get_by_role("group", name=group).locator("[aria-pressed=true]")


def test_it_says_what_is_wrong_since_when_with_whom_and_opens_exactly_those(
    dashboard: Dashboard, failing_more: datetime, root: User
) -> None:
    alert = open_alert(dashboard.people[0], severity="HIGH")
    page = dashboard.page
    page.reload()
    wrong = page.get_by_role("region", name="What is wrong")
    now = r"Failed transactions are at 2\d(\.\d)?\s% in the last (5|15) minutes"
    expect(wrong).to_contain_text(re.compile(f"{now}, more than usual since {failing_more:%H:%M}\\."))
    expect(wrong).to_contain_text(
        "Usually 5 % at this time of day. In all that time 69 failed, 26.5 %. "
        "alice makes up 87\u00a0% of them."
    )
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
    assert opened == [270, 300, 300]
    # The list says the same of the rate: it is of what succeeded or failed.
    rate.locator(".figure-value a").click()
    expect(page.locator(".summary [role=status]")).to_contain_text(
        "300 transactions · succeeded 27,000 · failed"
    )
    expect(page.locator(".words")).to_contain_text("status: succeeded or failed")


def test_two_dozen_transactions_are_too_few_to_compare(dashboard: Dashboard) -> None:
    now, page = datetime.now(UTC), dashboard.page
    settle(dashboard.people[0], now - 20 * MINUTE, now - MINUTE, 300, 30, amount=100)
    settle(dashboard.people[0], now - 7 * DAY - 20 * MINUTE, now - 7 * DAY - MINUTE, 24, 3, amount=100)
    page.reload()
    expect(page.locator("[data-figure=count] .figure-value")).to_have_text("300")
    for name in ("succeeded", "count", "success_rate"):
        expect(page.locator(f"[data-figure={name}] .figure-was")).to_have_text("")
    # Once for all of them.
    expect(page.locator("#figures-moment")).to_contain_text("24 at this time a week ago: too few to compare")
    expect(page.locator("#money :is(.delta-good, .delta-bad)")).to_have_count(0)


def test_the_period_and_the_comparison_are_in_the_url(dashboard: Dashboard) -> None:
    now, page = datetime.now(UTC), dashboard.page
    settle(dashboard.people[0], now - 10 * MINUTE, now - MINUTE, 200, 0)
    settle(dashboard.people[0], now - 5 * 60 * MINUTE, now - 4 * 60 * MINUTE, 100, 0)
    settle(dashboard.people[0], now - DAY - 10 * MINUTE, now - DAY - MINUTE, 150, 0)
    page.reload()
    count = page.locator("[data-figure=count]")
    expect(count.locator(".figure-value")).to_have_text("200")
    page.get_by_role("button", name="vs yesterday").click()
    expect(count.locator(".delta")).to_contain_text("was 150 at this time yesterday")
    page.get_by_role("button", name="24 h").click()
    expect(count.locator(".figure-value")).to_have_text("300")
    expect(count.locator(".delta")).to_contain_text("was 150 in the 24 hours before")
    expect(page.locator("#throughput h2")).to_have_text("Transactions a quarter of an hour")
    assert page.url.endswith("/admin/?compare=yesterday&period=24h")
    page.reload()
    expect(count.locator(".figure-value")).to_have_text("300")
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
        "There is no period “2h”. Choose 15 m, 1 h, 24 h, 7 d or 30 d; this page shows 1 h."
    )
    expect(pressed(page, "Period")).to_have_text("1 h")
    page.goto(f"{dashboard.server}/admin/?compare=foo&foo=1&user=1")
    expect(page.locator("#choice-error")).to_have_text(
        "There is nothing called “foo” to compare with. Choose last week or yesterday; this page shows last "
        "week. The address says “foo”: nothing here is called so."
    )


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


def test_days_that_could_not_be_told_are_asked_for_again_with_the_next_figures(
    dashboard: Dashboard, watched: Watched
) -> None:
    watched.expected = ["status of 503"]
    page, days = dashboard.page, dashboard.page.locator("#averages")
    settle(dashboard.people[0], datetime.now(UTC) - 20 * MINUTE, datetime.now(UTC), 30, 0)
    away = {"detail": "PostgreSQL does not answer in time."}
    page.route(re.compile("/averages/"), lambda route: route.fulfill(status=503, json=away))
    page.reload()
    expect(days).to_contain_text("PostgreSQL does not answer in time.")
    page.unroute_all()
    look_again(page)
    expect(days.locator("tbody tr")).to_have_count(1)
    expect(days).not_to_contain_text("PostgreSQL does not answer in time.")


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
