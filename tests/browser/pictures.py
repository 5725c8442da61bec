"""Writes the pictures of docs/images: `make pictures`. Its name keeps it out of every other run of tests."""

import base64
import random
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django import Settings

from tests.browser.conftest import Watched
from tests.browser.dashboard import Dashboard
from tests.support.admin_pages import reject
from tests.support.living import everybody_works
from tests.support.serving import daphne
from tests.support.settled import settle
from tests.support.uploads import checked, imported, payments, uploaded
from transactions.access import tokens
from transactions.alerts.models import Alert
from transactions.models import Transaction
from transactions.notifications import endpoints
from transactions.rules.models import Rule
from transactions.storing.flush import flush
from transactions.uploads.models import Upload, UploadState

pytestmark = pytest.mark.django_db(transaction=True)

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTHS = {"": (1400, 900), "-wide": (1920, 1080), "-phone": (390, 844)}
# The overview is seen down to what arrives.
OVERVIEW_HEIGHT = 1700
# Chromium's own encoder: a fourth of a PNG, and no package for it.
QUALITY = 0.8
AS_WEBP = """async ([png, quality]) => {
  const answer = await fetch(`data:image/png;base64,${png}`);
  const image = await createImageBitmap(await answer.blob());
  const canvas = document.createElement("canvas"), { width, height } = image;
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", quality).split(",")[1];
}"""
NAMES = ("bakery", "corner-shop", "garden-centre", "kiosk", "night-market", "old-town-books", "river-cafe")


@pytest.fixture
def customers(transactional_db: None) -> list[User]:
    return [User.objects.create_user(name) for name in NAMES]


@pytest.fixture
def currency() -> str:
    return "GBP"


@pytest.fixture
def server(
    collected: None, transactional_db: None, tmp_path: Path, currency: str, settings: Settings
) -> Iterator[str]:
    """As it is deployed: in a currency, with a key for webhooks."""
    settings.CURRENCY = currency
    key = urlsafe_b64encode(bytes(32)).decode()
    settings.WEBHOOK_SECRET_KEYS = [key]
    with daphne(log=tmp_path / "daphne.log", CURRENCY=currency, WEBHOOK_SECRET_KEYS=key) as url:
        yield url


@pytest.fixture
def filled(page: Page, server: str, customers: list[User], root: User, settings: Settings) -> dict[str, str]:
    """A system at work; by the name of each picture the path of its page."""
    settings.FOUR_EYES = False
    # In force from this minute on: what follows happens after it has begun.
    call_command("rules", "start")
    dashboard = Dashboard(page, server, customers)
    failing_now(customers)
    upload(customers, root)
    flush()
    for prefix, count, ago in (
        ("may", 600, timedelta(days=30)), ("inv", 500, timedelta(hours=20)), ("pay", 300, timedelta(hours=1))
    ):  # fmt: skip
        dashboard.post_all(made_up(customers, prefix, count, ago))
        flush()
    now = datetime.now(UTC)
    burst = [(now + timedelta(milliseconds=n)).isoformat() for n in range(8)]
    dashboard.post_all(
        [
            {"transaction_id": f"card-{n:03}", "user": customers[3].pk, "amount": 40 + n, "status": "FAILED",
             "created_at": moment}
            for n, moment in enumerate(burst)
        ]
    )  # fmt: skip
    reject(
        '{"transaction_id": "ord-00017", "user": 4711, "amount": 1250}',
        "ord-00017",
        reason="user 4711 does not exist",
    )
    flush()
    everybody_works()
    dashboard.post_all(made_up(customers, "new", 9, timedelta(seconds=20)))
    tokens.create("till 12", username=root.username)
    endpoints.add("https://hooks.example.org/alerts", description="On call")
    alert, rule = Alert.objects.latest("pk"), Rule.objects.get(name="Small amounts that fail")
    row = Transaction.objects.get(transaction_id="card-003")
    return {
        "dashboard": "",
        "drawer": "#transaction=card-003",
        "alerts": "alerts/alert/",
        "alert": f"alerts/alert/{alert.pk}/change/",
        "rules": "rules/rule/",
        "rule": f"rules/rule/{rule.pk}/change/",
        "transactions": "transactions/transaction/",
        "settled": "transactions/transaction/?status=SETTLED&order=largest",
        "wrong-address": "transactions/transaction/?amount_min=12.5&colour=red",
        "not-found": "nothing/",
        "transaction": f"transactions/transaction/{row.pk}/change/",
        "customer": f"transactions/customer/{customers[3].pk}/change/",
        "customers": "transactions/customer/",
        "rejected": "transactions/rejectedrecord/",
        "books": "transactions/epoch/",
        "imports": "uploads/upload/",
        "import-checked": f"uploads/upload/{Upload.objects.get(state=UploadState.WAITS).pk}/change/",
        "import-done": f"uploads/upload/{Upload.objects.get(state=UploadState.DONE).pk}/change/",
        "people": "auth/user/",
        "groups": "auth/group/",
        "webhooks": "notifications/endpoint/",
        "audit": "audit/entry/",
        "search": "find/?q=card",
        "pipeline": "transactions/flushbatch/",
        "tokens": "transactions/apitoken/",
        "api": "api/",
        "system": "system/",
    }


def failing_now(customers: list[User]) -> None:
    """A week whose days were alike; for ten minutes now a third of what one customer tries fails."""
    now = datetime.now(UTC)
    began = now - timedelta(minutes=10)
    for day in range(1, 8):
        then = now - timedelta(days=day)
        settle(customers[day % 7], then - timedelta(hours=2), then, 900, 45, amount=4_310)
    settle(customers[5], now - timedelta(hours=1), began, 320, 16, amount=4_450)
    settle(customers[1], began, now, 150, 50, amount=3_970)
    settle(customers[2], began, now, 60, 6, amount=5_120)


def upload(customers: list[User], by: User) -> None:
    """A file that was imported, and one that was checked, by a worker in a thread without Playwright."""

    def work() -> None:
        try:
            imported(uploaded(payments(customers[0], *range(1, 120)), by, "october.csv"), by=by)
            rows = payments(customers[1], *range(200, 260)) + b"P300,nobody,12.00,paid,2026-03-14\n"
            checked(uploaded(rows, by, "november.csv"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def made_up(customers: list[User], prefix: str, count: int, ago: timedelta) -> list[dict[str, object]]:
    """So many transactions, spread over the time up to now; the same ones in every run."""
    chance, now = random.Random(prefix), datetime.now(UTC)
    # As many fail as is usual: what is wrong began with `failing_now`.
    statuses = ["SUCCESS"] * 18 + ["FAILED"] + ["PENDING"]
    return [
        {
            "transaction_id": f"{prefix}-{n:05}",
            "user": chance.choice(customers).pk,
            "amount": int(chance.lognormvariate(8, 1)),
            "status": chance.choice(statuses),
            "created_at": (now - ago * chance.random()).isoformat(),
        }
        for n in range(count)
    ]


def take(page: Page, writer: Page, name: str) -> None:
    """The page as it stands, light or dark and as wide as it is; `writer` is an empty page that encodes."""
    page.evaluate("document.fonts.ready")
    png = base64.b64encode(page.screenshot(animations="disabled")).decode()
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(writer.evaluate(AS_WEBP, [png, QUALITY])))


def look(page: Page, context: BrowserContext, theme: str, width: str) -> str:
    """Has pages in this theme and width; what the names of their pictures end in."""
    context.add_init_script(
        f"if (location.host) localStorage.setItem('adminTheme', JSON.stringify('{theme}'))"
    )
    size(page, width)
    return f"{'-dark' if theme == 'dark' else ''}{width}"


def size(page: Page, width: str, height: int | None = None) -> None:
    wide, high = WIDTHS[width]
    page.set_viewport_size({"width": wide, "height": height or high})


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_empty_system(
    page: Page, context: BrowserContext, watched: Watched, server: str, theme: str, width: str
) -> None:
    suffix = look(page, context, theme, width)
    everybody_works()
    for name, path in {"empty": "", "no-imports": "uploads/upload/"}.items():
        page.goto(f"{server}/admin/{path}")
        expect(page.locator("h1").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        take(page, context.new_page(), f"{name}{suffix}")


@pytest.mark.parametrize("currency", [""])
def test_without_a_currency(page: Page, context: BrowserContext, server: str, filled: dict[str, str]) -> None:
    writer = context.new_page()
    for width in WIDTHS:
        look(page, context, "light", width)
        for name in ("dashboard", "transactions", "transaction"):
            size(page, width, OVERVIEW_HEIGHT if name == "dashboard" and width != "-phone" else None)
            page.goto(f"{server}/admin/{filled[name]}")
            page.wait_for_load_state("networkidle")
            take(page, writer, f"{name}-no-currency{width}")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(
    page: Page,
    context: BrowserContext,
    watched: Watched,
    server: str,
    filled: dict[str, str],
    theme: str,
    width: str,
) -> None:
    # Of the pages that say what is wrong.
    watched.expected = ["status of 40[04]"]
    suffix, writer = look(page, context, theme, width), context.new_page()
    for name, path in filled.items():
        size(page, width, OVERVIEW_HEIGHT if name == "dashboard" and width != "-phone" else None)
        if name == "drawer":
            # Another part of the same page would not be opened anew.
            page.goto("about:blank")
        if name != "dashboard":  # What has just arrived there is to be seen as waiting.
            everybody_works()
        page.goto(f"{server}/admin/{path}")
        expect(page.locator("h1").first).to_be_visible()
        if name == "dashboard":
            expect(page.locator("#feed-state")).to_have_text("● live")
        if name == "drawer":
            expect(page.locator("#story-facts")).to_be_visible()
        if name == "api":
            expect(page.locator(".opblock").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        take(page, writer, f"{name}{suffix}")
    context.clear_cookies()
    page.goto(f"{server}/admin/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    take(page, writer, f"log-in{suffix}")
