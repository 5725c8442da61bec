"""The dashboard and the admin site as they look: dark, on a phone, with hostile values, to everybody."""

import csv
import random
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.templatetags.static import static
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import Dashboard, serious
from tests.browser.layout import faults
from tests.support.admin_pages import reject
from tests.support.alerts import open_alert
from tests.support.rule_pages import HOSTILE_NAME
from tests.support.settled import settle
from tests.support.uploads import checked, csv_of, step, uploaded
from transactions.access import tokens
from transactions.encodings import UNSEEN_RANGES
from transactions.models import Rollup
from transactions.rules import documents, lifecycle
from transactions.rules.models import Rule
from transactions.storing.flush import flush
from transactions.templatetags.components import visible

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = [
    "<script>alert(1)</script>",
    "x" * 100,
    "\u202egnp.exe\u202c",
    "<img src=x onerror=alert(2)>",
    "=1+1",
]
LARGEST = 2**63 - 1
DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)


@pytest.fixture
def busy(page: Page, server: str, people: list[User]) -> Dashboard:
    """A dashboard with something on it, in every status and on both sides of the flush."""
    dashboard = Dashboard(page, server, people)
    chance = random.Random(7)
    now = datetime.now(UTC)
    _usual_week(people, now)
    dashboard.post_all(
        [
            {
                "transaction_id": f"pay_{4_120_000 + n}_{chance.randrange(16**8):08x}",
                "user": chance.choice(people).pk,
                "amount": int(chance.lognormvariate(8, 1.5)),
                "status": chance.choice(["SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "PENDING"]),
                "created_at": (now - timedelta(seconds=60 - n)).isoformat(),
            }
            for n in range(60)
        ]
    )
    flush()
    open_alert(people[0], severity="HIGH", opened_at=now - timedelta(minutes=9))
    dashboard.post_all([{"transaction_id": f"pay_{4_130_000 + n}_5e1f{n:04}"} for n in range(9)])
    dashboard.open()
    expect(page.locator("#failing-customers li")).to_have_count(3)
    expect(page.locator("#wrong")).to_be_visible()
    return dashboard


def _usual_week(people: list[User], now: datetime) -> None:
    """What is usual of a week, and an hour of which too many fail at its end."""
    alice, bob, carol = people
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    Rollup.objects.bulk_create(
        Rollup(bucket=quarter - n * QUARTER, status=status, count=count, total=count * 9_100)
        for n in range(8, 62 * 96)
        if not 0 <= n - 7 * 96 <= 4
        for failed in [24 + n % 17]
        for status, count in (("SUCCESS", 600 - failed), ("FAILED", failed))
    )
    minute = timedelta(minutes=1)
    for n in range(60):
        since = now - (60 - n) * minute
        failed = 2 if n < 45 else 12
        settle(alice, since, since + minute, 20, failed, 7_345)
        settle(bob, since, since + minute, 12 + n % 7, 1, 8_120)
        settle(carol, since, since + minute, 5, n % 4 == 0, 12_990)
        settle(bob, since - 7 * DAY, since - 7 * DAY + minute, 35 + n % 5, 2, 8_120)


def dark(page: Page) -> None:
    """Chooses the dark theme, as the theme's own switch does."""
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('dark'))")
    page.reload()
    expect(page.locator("html")).to_have_class("dark")


@pytest.fixture
def hostile(dashboard: Dashboard, root: User) -> list[str]:
    """Hostile and huge values everywhere; the paths of the pages that show them."""
    alice = dashboard.people[0]
    dashboard.post_all([{"transaction_id": id, "amount": LARGEST, "status": "FAILED"} for id in HOSTILE])
    reject("<b>" * 2_000, "R" * 100)
    flush()
    User.objects.filter(pk=alice.pk).update(username=HOSTILE_NAME + "x" * 80)
    alice.refresh_from_db()
    tokens.create("till " + "y" * 60, username=alice.username)
    documents.import_rules(documents.parse(documents.STARTER.read_text()), root)
    rule = Rule.objects.create(name=HOSTILE_NAME * 2, description="x" * 500)
    lifecycle.draft(rule, "amount", {"amount": LARGEST}, root)
    for severity in ("CRITICAL", "HIGH", "MEDIUM", "LOW"):
        alert = open_alert(alice, rule=90 + len(severity), rule_name=HOSTILE_NAME, severity=severity)
    rows = [f"{id},{alice.pk},1.00,{HOSTILE_NAME},2026-03-14T12:00:00" for id in HOSTILE if "," not in id]
    read = step(uploaded(csv_of(rows), name=HOSTILE[1]))
    summed = checked(uploaded(csv_of(rows), name=f"{HOSTILE_NAME}.csv"))
    return [
        "",
        "transactions/transaction/",
        f"transactions/transaction/?q={'nothing' * 12}",
        "transactions/rejectedrecord/",
        "transactions/flushbatch/",
        "transactions/epoch/",
        "transactions/apitoken/",
        "auth/user/",
        f"auth/user/{alice.pk}/change/",
        "auth/user/add/",
        "alerts/alert/",
        f"alerts/alert/{alert.pk}/change/",
        "rules/rule/",
        "rules/rule/new/?kind=deviation",
        f"rules/rule/{rule.pk}/change/",
        "rules/rule/performance/",
        "rules/userlist/",
        "notifications/endpoint/",
        "notifications/recipient/",
        "audit/entry/",
        "uploads/upload/",
        "uploads/upload/new/",
        *(f"uploads/upload/{each.pk}/change/" for each in (read, summed)),
        "password_change/",
        "api/",
        "find/?q=x",
        f"transactions/customer/{alice.pk}/change/",
        "transactions/apitoken/new/",
        f"transactions/transaction/story/?{urlencode({'transaction_id': HOSTILE[1]})}",
    ]


def overflows(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_light_and_dark(busy: Dashboard) -> None:
    assert serious(busy.page) == []
    dark(busy.page)
    busy.is_live()
    expect(busy.page.locator("#failing-customers li")).to_have_count(3)
    background = busy.page.locator(".money .card").first.evaluate(
        "card => getComputedStyle(card).backgroundColor"
    )
    assert background != "rgb(255, 255, 255)"
    assert serious(busy.page) == []


def test_on_a_phone_nothing_is_wider_than_the_screen(busy: Dashboard) -> None:
    busy.page.set_viewport_size({"width": 375, "height": 800})
    busy.page.reload()
    busy.is_live()
    expect(busy.page.locator("#rows tbody tr").first).to_be_visible()
    assert not overflows(busy.page)
    assert serious(busy.page) == []
    busy.page.locator("#rows tbody tr").first.click()
    expect(busy.page.locator("#story-events li").first).to_be_visible()
    assert not overflows(busy.page)


def test_the_drawer_is_open_to_everybody(busy: Dashboard) -> None:
    busy.page.locator("#rows tbody button").last.click()
    expect(busy.page.locator("#story-events li").first).to_be_visible()
    assert serious(busy.page) == []


def test_hostile_values_are_text_and_break_nothing(dashboard: Dashboard) -> None:
    bodies = [{"transaction_id": id, "amount": LARGEST, "status": "FAILED"} for id in HOSTILE]
    dashboard.post_all(bodies)
    shown = [id.replace("\u202e", "⟨202E⟩").replace("\u202c", "⟨202C⟩") for id in reversed(HOSTILE)]
    dashboard.shows(*shown)
    flush()
    User.objects.filter(pk=dashboard.people[0].pk).update(username="<script>alert(3)</script>")
    expect(dashboard.page.locator("#rows tbody td.number").first).to_have_text("9,223,372,036,854,775,807")
    for width in (1360, 375):
        dashboard.page.set_viewport_size({"width": width, "height": 800})
        # Without the # of what the drawer showed, which would open it again.
        dashboard.page.goto(f"{dashboard.server}/admin/")
        dashboard.shows(*shown)
        expect(dashboard.page.locator("#failing-customers")).to_contain_text("<script>alert(3)")
        assert not overflows(dashboard.page)
        dashboard.page.locator("#rows tbody button").nth(3).click()
        expect(dashboard.page.locator("#drawer-title")).to_have_text("x" * 100)
        expect(dashboard.page.locator("#story-facts")).to_contain_text("9,223,372,036,854,775,807")
        assert not overflows(dashboard.page)


def test_who_failed_is_saved_beside_what_failed_before(busy: Dashboard) -> None:
    expect(busy.page.locator("#failing .chart-note")).to_contain_text("at this time a week ago")
    busy.page.locator("#failing summary").click()
    with busy.page.expect_download() as download:
        busy.page.locator("#failing .csv").click()
    head, *rows = csv.reader(download.value.path().read_text().splitlines())
    assert head == ["Customer", "Number", "Failed", "Failed before"]
    failed = [int(row[2]) for row in rows]
    assert len(failed) == 3
    assert failed == sorted(failed, reverse=True)


def test_the_days_of_the_averages_can_be_chosen(dashboard: Dashboard, watched: Watched) -> None:
    watched.expected = ["status of 400"]
    for day, amount in (("2026-03-01", 10), ("2026-03-02", 30), ("2026-02-27", 40)):
        dashboard.post(day, amount=amount, status="SUCCESS", created_at=f"{day}T12:00:00Z")
    flush()
    form = dashboard.page.locator("#range")
    # What is shown without a choice stands there too, and not in the URL.
    expect(form.locator("[name=to]")).to_have_value(f"{datetime.now(UTC):%Y-%m-%d}")
    expect(form.locator("[name=from]")).to_have_value(f"{datetime.now(UTC) - timedelta(days=29):%Y-%m-%d}")
    assert "from=" not in dashboard.page.url
    form.locator("[name=from]").fill("2026-03-01")
    form.locator("[name=to]").fill("2026-03-03")
    table = dashboard.page.locator("#averages tbody tr td:nth-child(3)")
    expect(table).to_have_text(["10", "30"], use_inner_text=False)
    form.get_by_role("button", name="Count").click()
    expect(form.get_by_role("button", name="Count")).to_have_attribute("aria-pressed", "true")
    expect(dashboard.page.locator("#averages tbody tr").first).to_contain_text("2026-03-01")
    assert "from=2026-03-01&to=2026-03-03" in dashboard.page.url
    dashboard.page.locator("#averages summary").click()
    dashboard.page.get_by_role("button", name="Show as a table").click()
    expect(table.first).to_be_visible()
    of_day = dashboard.page.get_by_role("link", name="2026-03-02").get_attribute("href")
    assert of_day == "/admin/transactions/transaction/?from=2026-03-02&to=2026-03-02&timezone=UTC"
    whole = dashboard.page.locator("#averages .menu-body a").get_attribute("href")
    assert whole == "/admin/transactions/transaction/?from=2026-03-01&to=2026-03-03&timezone=UTC"
    dashboard.page.locator("#averages summary").click()
    with dashboard.page.expect_download() as download:
        dashboard.page.locator("#averages .csv").click()
    head, first, *_ = csv.reader(download.value.path().read_text().splitlines())
    assert head[:3] == ["Day (UTC)", "Transactions", "Succeeded (smallest unit)"]
    assert first[:4] == ["2026-03-01", "1", "10", "10"]
    form.locator("[name=to]").fill("2026-02-01")
    expect(form.locator(".field-error")).to_have_text("This is before From.")


def test_a_list_is_saved_as_csv(dashboard: Dashboard) -> None:
    dashboard.post_all([{"transaction_id": "A", "status": "FAILED"}, {"transaction_id": "B"}])
    flush()
    dashboard.page.goto(f"{dashboard.server}/admin/transactions/transaction/?status=FAILED")
    with dashboard.page.expect_download() as download:
        dashboard.page.get_by_role("link", name="Export CSV").click()
    header, *rows = csv.reader(download.value.path().read_text().splitlines())
    assert header[:5] == ["transaction_id", "user_id", "customer_name", "amount", "status"]
    assert [row[0] for row in rows] == ["A"]


@pytest.mark.parametrize("width", [390, 768, 1400, 1920])
def test_nothing_breaks_at_any_width(dashboard: Dashboard, hostile: list[str], width: int) -> None:
    page, found = dashboard.page, []
    page.set_viewport_size({"width": width, "height": 900})
    for path in hostile:
        page.goto(f"{dashboard.server}/admin/{path}")
        expect(page.locator("h1").first).to_be_visible()
        if path == "api/":
            expect(page.locator(".opblock").first).to_be_visible()
        if not path:
            expect(page.locator("#rows tbody tr").first).to_be_visible()
            expect(page.locator("[data-figure=pending] .figure-value")).to_have_text("0")
        found += [f"{path or 'overview'}: {fault}" for fault in faults(page)]
    assert not found, "\n".join(found)


def test_keys_reach_the_content_first_and_the_account_in_its_turn(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.goto(f"{dashboard.server}/admin/transactions/epoch/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.locator("#account summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Change the password")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#account summary")).to_be_focused()
    expect(page.get_by_role("link", name="Change the password")).to_be_hidden()


def test_the_theme_is_chosen_in_the_top_bar(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.get_by_label("Light or dark").click()
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_class("dark")
    page.reload()
    expect(page.locator("html")).to_have_class("dark")


def test_on_a_phone_the_pages_open_from_the_top_bar(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.get_by_role("link", name="Rejected records")).to_be_hidden()
    page.get_by_role("button", name="Pages").click()
    page.get_by_role("link", name="Rejected records").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rejected records")


def test_what_is_made_later_looks_like_what_the_server_made(dashboard: Dashboard) -> None:
    """The components of the templates and those of the scripts, of the same values."""
    text = '{% load components %}{% pill "Failed" "FAILED" %}{% whole_id "pay_0999999_1a445991" %}'
    made = dashboard.page.evaluate(
        """async (source) => {
          const { pill, wholeId } = await import(source);
          const box = document.createElement("div");
          box.append(pill("Failed", "FAILED"), wholeId("pay_0999999_1a445991"));
          return box.innerHTML;
        }""",
        static("transactions/looks/components.js"),
    )
    # A line of a template may end within a tag.
    assert made == re.sub(r"\s+>", ">", Template(text).render(Context()))


def test_the_end_of_a_cut_id_stands_at_once_behind_its_dots(dashboard: Dashboard) -> None:
    """Beside as many letters as fit before “…” no more than a pixel and a half is free."""
    page = dashboard.page
    dashboard.post_all([{"transaction_id": f"{letter * 70}_1a445991"} for letter in "wi4M_"])
    flush()
    page.goto(f"{dashboard.server}/admin/transactions/transaction/")
    gaps = """ids => ids.map((id) => {
      const [head, tail] = id.children, drawn = id.cloneNode(true);
      drawn.style.maxWidth = "none";
      id.after(drawn);
      const text = head.textContent;
      let width = 0;
      for (let letters = 0; letters < text.length; letters += 1) {
        drawn.firstChild.textContent = `${text.slice(0, letters)}…`;
        const now = drawn.firstChild.getBoundingClientRect().width;
        if (now > head.getBoundingClientRect().width) break;
        width = now;
      }
      drawn.remove();
      return tail.getBoundingClientRect().left - head.getBoundingClientRect().left - width;
    })"""
    for wide in (1400, 768):
        page.set_viewport_size({"width": wide, "height": 900})
        page.evaluate(
            "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
        )
        found = page.locator(".listing .id").evaluate_all(gaps)
        assert len(found) == 5
        # A letter is drawn nearer to dots of its own text than to those of a cut.
        assert all(-1.5 <= gap <= 1.5 for gap in found), found


def test_scripts_show_what_cannot_be_seen_as_templates_do(dashboard: Dashboard) -> None:
    """Both ends of each range, what stands beside them, and letters; joiners between signs."""
    codes = {max(code + step, 0) for ends in UNSEEN_RANGES for code in ends for step in (-1, 0, 1)}
    texts = [f"a{chr(code)}b" for code in sorted(codes)]
    signs = ["⚠", "👩", "🏽", "1", "م", "क्", "x", "\ufe0f", "\u20e3", ""]
    joiners = ["\ufe0f", "\u200c", "\u200d"]
    texts += [f"{one}{joiner}{other}" for one in signs for joiner in joiners for other in signs]
    shown = dashboard.page.evaluate(
        """async ([source, texts]) => {
          const { visible } = await import(source);
          return texts.map(visible);
        }""",
        [static("transactions/dashboard/format.js"), texts],
    )
    assert shown == [visible(text) for text in texts]


@pytest.mark.parametrize(
    ("change", "unit", "good", "told", "tone"),
    [
        (-21, "%", "up", "▼ down 21 % worse before", "bad"),
        (27.4, "%", "up", "▲ up 27 % better before", "good"),
        (25, "%", "down", "▲ up 25 % worse before", "bad"),
        (-2.36, "points", "down", "▼ down 2.4 points better before", "good"),
        # More volume is neither.
        (2, "%", "", "△ up 2 % before", "none"),
        (-3, "", "", "▽ down 3 fewer before", "none"),
        (0.01, "%", "up", "= the same before", "none"),
        (249_900, "%", "", "△ up ×2,500 before", "none"),
        # Nor is what was of nothing worth comparing.
        (249_900, "%", "up", "△ up ×2,500 before", "none"),
        (None, "%", "up", "before", "none"),
    ],
)
def test_a_change_says_whether_it_is_up_and_whether_that_is_good(
    dashboard: Dashboard, change: float | None, unit: str, good: str, told: str, tone: str
) -> None:
    said, named = dashboard.page.evaluate(
        """async ([source, change, unit, good]) => {
          const { delta } = await import(source);
          const made = delta(change, unit, { good, against: "before" });
          return [made.textContent, made.className];
        }""",
        [static("transactions/looks/components.js"), change, unit, good],
    )
    assert (said, named) == (told, f"delta delta-{tone}")
