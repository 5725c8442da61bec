"""The queue of alerts: what comes and goes while it is open, and what is done with many."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect
from pytest_django import Settings

from tests.browser.bursts import burst_of, post, post_burst
from tests.browser.dashboard import stop_clock
from tests.browser.layout import faults
from tests.support.alerts import burst_rule, open_alert
from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)

# How long after the feed has connected the page asks once more, at most twice that.
CAUGHT_UP_MS = 2_500
QUEUE = "/admin/alerts/alert/"


@pytest.fixture(autouse=True)
def two_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = False


def test_an_alert_comes_and_goes_by_frames_alone(
    page: Page, server: str, people: list[User], root: User
) -> None:
    burst_rule()
    asked: list[str] = []
    page.on(
        "response", lambda answer: asked.append(answer.url) if "/dashboard/alerts/" in answer.url else None
    )
    stop_clock(page)
    page.goto(f"{server}/admin/")
    expect(page.locator("#feed-state")).to_have_text("● live")
    expect(page.locator("#alerts-count")).to_have_text("0 open")
    # At first, and once more after the feed has connected; from then on no time goes by.
    with page.expect_response("**/dashboard/alerts/"):
        page.clock.run_for(2 * CAUGHT_UP_MS)
    post_burst(server, people[0], "first")
    expect(page.locator("#alerts-gravest li")).to_contain_text("4 failures within 10 minutes")
    expect(page.locator("#alerts-gravest li")).to_contain_text("unassigned")
    expect(page.locator("#alerts-badge")).to_have_text("1 open")
    expect(page.locator("#throughput thead")).to_contain_text("Alerts opened")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    post_burst(server, people[1], "second")
    expect(page.locator("#alerts-gravest li")).to_have_count(2)
    expect(page.locator("#alerts-badge")).to_have_text("2 open")
    expect(page).to_have_title(re.compile(r"^\(2\) "))
    alert = Alert.objects.get(user=people[0].pk)
    triage.claim(alert.pk, root, 1)
    expect(page.locator("#alerts-gravest li").first).to_contain_text("root")
    triage.close(alert.pk, root, 2, "FALSE_POSITIVE", "a new card")
    expect(page.locator("#alerts-gravest li")).to_have_count(1)
    expect(page.locator("#alerts-count")).to_have_text("1 open")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    expect(page.locator("#alerts-badge")).to_have_text("1 open")
    triage.close(Alert.objects.get(user=people[1].pk).pk, root, 1, "FALSE_POSITIVE", "a new card")
    expect(page.locator("#alerts-badge")).to_be_hidden()
    assert len(asked) == 2, asked


def test_an_alert_that_comes_by_a_frame_tells_how_long_it_slept_which_is_so_in_every_zone(
    page: Page, server: str, people: list[User]
) -> None:
    rule_in_force("first_or_dormant", days=1, least=0)
    page.goto(f"{server}/admin/?timezone=Asia/Tokyo")
    expect(page.locator("#feed-state")).to_have_text("● live")
    ago = datetime.now(UTC) - timedelta(days=3)
    for name, moment in (("BEFORE", ago), ("AGAIN", datetime.now(UTC))):
        post(server, [{**burst_of(people[0], name, 1)[0], "created_at": moment.isoformat()}])
    expect(page.locator("#alerts-gravest li")).to_contain_text("asleep for 3 days · alice")


def test_the_queue_tells_what_is_new_and_shows_it_when_that_is_asked_for(
    page: Page, server: str, people: list[User], root: User
) -> None:
    burst_rule()
    page.goto(server + QUEUE)
    hint = page.locator("#new-alerts")
    expect(hint).to_be_hidden()
    post_burst(server, people[0], "first")
    expect(hint).to_contain_text("1 new alert")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    expect(page.locator("tr[data-alert]")).to_have_count(0)
    hint.get_by_role("link", name="Show").click()
    expect(page.locator("tr[data-alert]")).to_have_count(1)
    expect(hint).to_be_hidden()


def test_alerts_that_one_flush_opens_are_counted_one_by_one(
    page: Page, server: str, people: list[User], root: User
) -> None:
    burst_rule()
    page.goto(server + QUEUE)
    several = User.objects.bulk_create(User(username=f"burst{n}") for n in range(6))
    post(server, [record for user in several for record in burst_of(user, f"{user.username}-")])
    # They have one moment in common.
    assert Alert.objects.values("opened_at").distinct().count() == 1
    hint = page.locator("#new-alerts")
    expect(hint).to_contain_text("6 new alerts")
    expect(page).to_have_title(re.compile(r"^\(6\) "))
    post_burst(server, people[0], "later")
    expect(hint).to_contain_text("7 new alerts")
    hint.get_by_role("link", name="Show").click()
    expect(page.locator("tr[data-alert]")).to_have_count(7)
    # What was chosen stays so.
    oldest = page.locator("tr[data-alert]").first.get_by_role("checkbox")
    oldest.check()
    post_burst(server, people[1], "last")
    expect(hint).to_contain_text("1 new alert")
    # As wide as the table, and no button of the filters is alone in its line.
    page.set_viewport_size({"width": 1400, "height": 900})
    assert width_of(hint) == width_of(page.locator(".queue"))
    assert top_of(page.get_by_role("button", name="Narrow")) == top_of(
        page.get_by_role("button", name="Keys")
    )
    hint.get_by_role("link", name="Show").click()
    expect(page.locator("tr[data-alert]")).to_have_count(8)
    expect(oldest).to_be_checked()
    expect(page.get_by_text("1 chosen", exact=True)).to_be_visible()


def test_what_is_typed_to_narrow_the_queue_stands_in_one_line_with_its_button(
    page: Page, server: str
) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{server}{QUEUE}")
    line = [
        page.get_by_role("textbox", name="Rule"),
        page.get_by_role("combobox", name="Customer", exact=True),
        page.get_by_role("button", name="Narrow"),
    ]
    tops = {round(each.bounding_box()["y"]) for each in line}  # type: ignore[index]
    assert len(tops) == 1, tops


def test_nothing_moves_when_the_first_alert_is_chosen(
    page: Page, server: str, people: list[User], root: User
) -> None:
    for n in range(30):
        open_alert(people[n % 3], rule=n)
    page.goto(server + QUEUE)
    boxes = page.locator("tr[data-alert]").get_by_role("checkbox")
    place = top_of(boxes.nth(1))
    boxes.first.check()
    bar = page.locator(".many")
    expect(bar).to_be_in_viewport()
    assert top_of(boxes.nth(1)) == place
    bar.get_by_text("Close …").click()
    expect(bar.get_by_label("It was")).to_be_in_viewport()
    assert not faults(page)


def width_of(box: Locator) -> int:
    return int(box.evaluate("box => Math.round(box.getBoundingClientRect().width)"))


def top_of(box: Locator) -> int:
    return int(box.evaluate("box => Math.round(box.getBoundingClientRect().top)"))
