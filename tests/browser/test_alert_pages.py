"""An alert from the burst that raises it to the snooze that keeps the next one away; pages open to all."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import BrowserContext, Locator, Page, expect
from pytest_django import Settings

from tests.browser.dashboard import post_all, serious, stop_clock
from tests.browser.layout import faults
from tests.support.alerts import analyst, burst_rule, open_alert
from tests.support.rule_pages import HOSTILE_NAME
from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.rules import lifecycle
from transactions.rules.models import Hit
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# How long after the feed has connected the page asks once more, at most twice that.
CAUGHT_UP_MS = 2_500
QUEUE = "/admin/alerts/alert/"


@pytest.fixture(autouse=True)
def two_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = False


def become(context: BrowserContext, server: str, client: Client) -> None:
    """From the next request on the browser's pages are those of whoever the client is."""
    context.clear_cookies(name="sessionid")
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])


def post_burst(server: str, user: User, ids: str, count: int = 4) -> None:
    """So many failures within seconds, as a client posts them; then they are stored and judged."""
    post(server, burst_of(user, ids, count))


def burst_of(user: User, ids: str, count: int = 4) -> list[dict[str, object]]:
    begin = datetime.now(UTC) - timedelta(seconds=60)
    return [
        {
            "transaction_id": f"{ids}{n}",
            "user": user.pk,
            "amount": 120 + n,
            "status": "FAILED",
            "created_at": (begin + timedelta(seconds=n)).isoformat(),
        }
        for n in range(count)
    ]


def post(server: str, records: list[dict[str, object]]) -> None:
    """Stored and judged by one flush."""
    post_all(server, records)
    flush()


def test_a_burst_is_claimed_by_one_explained_closed_and_snoozed_and_the_next_raises_nothing(
    context: BrowserContext, server: str, people: list[User]
) -> None:
    ann = analyst("ann", "view_transaction", "view_rule")[0]
    bea = analyst("bea", "view_transaction")[0]
    burst_rule()
    # An alert that was right: the rule's precision is 100 %.
    post_burst(server, people[1], "right")
    triage.close(Alert.objects.get().pk, User.objects.get(username="ann"), 1, "TRUE_POSITIVE", "stolen card")

    become(context, server, bea)
    of_bea, of_ann = context.new_page(), context.new_page()
    of_bea.goto(f"{server}/admin/")
    expect(of_bea.locator("#alerts-count")).to_have_text("0 open")
    post_burst(server, people[0], "burst")
    sees_it_without_a_reload(of_bea)
    of_bea.goto(server + QUEUE)
    sees_it_in_the_queue(of_bea)
    become(context, server, ann)
    of_ann.goto(server + QUEUE)
    claims_the_first_by_keys(of_ann)

    become(context, server, bea)
    is_told_who_has_it(of_bea)

    become(context, server, ann)
    of_ann.goto(f"{server}{QUEUE}?tab=mine")
    opens_the_first_and_sees_why(of_ann)
    closes_and_snoozes(of_ann)

    post_burst(server, people[0], "again")
    of_ann.reload()
    sees_what_was_kept_away(of_ann)
    of_ann.goto(server + QUEUE)
    expect(of_ann.get_by_role("heading", name="Nothing stands out")).to_be_visible()


def sees_it_without_a_reload(overview: Page) -> None:
    expect(overview.locator("#alerts-gravest li")).to_contain_text("4 failures within 10 minutes")
    expect(overview).to_have_title(re.compile(r"^\(1\) "))
    expect(overview.locator("#throughput thead")).to_contain_text("Alerts opened")
    overview.get_by_label("Alerts: more").click()
    expect(overview.get_by_role("checkbox", name="Sound")).not_to_be_checked()


def sees_it_in_the_queue(queue: Page) -> None:
    expect(queue.locator("tr[data-alert]")).to_have_count(1)
    expect(queue.locator("tr[data-alert]")).to_contain_text("4 failures within 10 minutes")
    expect(queue.locator("tr[data-alert]")).to_contain_text("unassigned")


def claims_the_first_by_keys(queue: Page) -> None:
    queue.keyboard.press("?")
    expect(queue.get_by_role("dialog", name="Keys")).to_be_visible()
    queue.keyboard.press("Escape")
    # Until it is gone the keys are the dialog's.
    expect(queue.get_by_role("dialog", name="Keys")).to_be_hidden()
    queue.keyboard.press("j")
    queue.keyboard.press("c")
    expect(queue.get_by_role("status").filter(has_text="1 alert claimed.")).to_be_visible()


def is_told_who_has_it(queue: Page) -> None:
    """On this page nobody has it still."""
    queue.get_by_role("checkbox", name="Choose alert").check()
    queue.get_by_role("button", name="Claim", exact=True).click()
    expect(queue.get_by_text("It was claimed by ann meanwhile")).to_be_visible()


def opens_the_first_and_sees_why(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_text("At least 3 transactions of a customer fail within 10 minutes.")).to_be_visible()
    made = page.get_by_role("region", name="Transactions that made it").locator("tbody tr")
    expect(made).to_have_count(4)
    expect(made.first).to_contain_text("burst3")
    expect(page.locator("#amounts canvas")).to_be_visible()
    expect(page.get_by_text("Precision 100 % over 1 closed alert")).to_be_visible()


def closes_and_snoozes(alert: Page) -> None:
    alert.get_by_label("Because").last.fill("A new card that the shop had wrong.")
    alert.get_by_label("Alerts of the same afterwards").select_option("snoozed for 30 days")
    alert.get_by_role("button", name="False positive").click()
    expect(alert.get_by_role("heading", name="False positive")).to_be_visible()
    expect(alert.get_by_role("note")).to_contain_text("0 hits kept away")
    expect(alert.get_by_text("Precision 50 % over 2 closed alerts")).to_be_visible()


def sees_what_was_kept_away(alert: Page) -> None:
    expect(alert.get_by_role("note")).to_contain_text("4 hits kept away")
    kept = alert.get_by_role("region", name="Found since, without an alert").locator("tbody tr")
    expect(kept).to_have_count(4)
    expect(kept.first).to_contain_text("Snoozed")


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
        page.get_by_role("textbox", name="Customer"),
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


def test_what_is_being_written_stays_when_another_button_is_pressed(
    page: Page, server: str, people: list[User], root: User
) -> None:
    alert = open_alert(people[0])
    page.goto(f"{server}{QUEUE}{alert.pk}/change/")
    note, reason = page.get_by_label("A note"), page.locator("#reason")
    note.fill("Called them.\nNobody answers.")
    reason.fill("A new card.")
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_text("root has it")).to_be_visible()
    expect(note).to_have_value("Called them.\nNobody answers.")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".happened")).to_contain_text("Nobody answers.")
    expect(note).to_have_value("")
    expect(reason).to_have_value("A new card.")
    page.get_by_role("button", name="False positive").click()
    expect(page.get_by_role("heading", name="False positive")).to_be_visible()
    # It is kept for the page that follows alone.
    assert page.evaluate("Object.keys(sessionStorage).filter(key => key.startsWith('alertsWritten'))") == []


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


@pytest.fixture
def filled(server: str, people: list[User], root: User) -> list[str]:
    """Alerts in every state, with whatever can stand on their pages; the paths of these."""
    rule = burst_rule().rule
    lifecycle.activate(lifecycle.draft(rule, "failure_burst", {"count": 4, "window": "1h"}, root), root)
    post_burst(server, people[0], "F", count=30)
    alert = Alert.objects.get()
    Hit.objects.filter(pk=Hit.objects.filter(alert=alert.pk).latest("pk").pk).update(suppressed="SNOOZED")
    triage.claim(alert.pk, root, 1)
    triage.note(alert.pk, root, "Called them, terminal compromised. " * 4)
    other = User.objects.create_user(HOSTILE_NAME + "x" * 80)
    hostile = open_alert(other, rule_name=HOSTILE_NAME, severity="CRITICAL", opened_at=datetime.now(UTC))
    triage.close(hostile.pk, root, 1, "EXPECTED", "y" * 900)
    triage.snooze(hostile.pk, root, 2, datetime.now(UTC) + timedelta(days=9), "z" * 200)
    late = datetime.now(UTC) - timedelta(hours=30)
    for number, severity in enumerate(("CRITICAL", "HIGH", "MEDIUM", "LOW")):
        facts = {"rule": 10 + number, "severity": severity, "opened_at": late, "due_at": late}
        open_alert(people[number % 3], rule_name="Many large transactions within ten minutes", **facts)
    Alert.objects.create(rule=99, rule_name="More failures than usual", severity="HIGH", user=None)
    return [
        f"{QUEUE}?tab=open",
        f"{QUEUE}?tab=mine&severity=LOW",
        f"{QUEUE}?tab=closed",
        f"{QUEUE}?tab=overdue",
        f"{QUEUE}{alert.pk}/change/",
        f"{QUEUE}{hostile.pk}/change/",
        f"{QUEUE}{Alert.objects.get(user=None).pk}/change/",
        f"{QUEUE}snoozes/",
        "/admin/rules/rule/performance/",
    ]


def test_every_page_is_open_to_everybody_on_any_screen(page: Page, server: str, filled: list[str]) -> None:
    found = []
    for theme, width in (("light", 1400), ("dark", 390), ("dark", 1400), ("light", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{server}{QUEUE}")
        page.evaluate(f"localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
        for path in filled:
            page.goto(f"{server}{path}")
            expect(page.locator("html")).to_have_class(theme)
            found += [f"{path} {theme}: {fault}" for fault in (*faults(page), *serious(page))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [390, 1400])
def test_what_was_done_stands_beside_its_sign_and_in_the_middle_of_its_line(
    page: Page, server: str, people: list[User], width: int
) -> None:
    alert = open_alert(people[0], severity="HIGH", rule_name="Bursts")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{server}{QUEUE}{alert.pk}/change/")
    page.get_by_role("button", name="Claim").click()
    said, banner = page.locator(".undo p"), page.locator(".undo")
    expect(said).to_have_text("You claimed it.")
    above = "([place, of]) => place.getBoundingClientRect().top - of.getBoundingClientRect().top"
    of_text = page.evaluate(above, [said.element_handle(), banner.element_handle()])
    of_undo = page.evaluate(above, [page.locator(".undo button").element_handle(), banner.element_handle()])
    heights = [each.evaluate("place => place.offsetHeight") for each in (said, page.locator(".undo button"))]
    if width == 390:
        # The sign is in the first line, the button in the second.
        assert of_text < heights[0] < of_undo
    else:
        assert abs(of_text + heights[0] / 2 - of_undo - heights[1] / 2) < 1
