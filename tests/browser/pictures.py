"""Writes the pictures of docs/images: `make pictures`. Its name keeps it out of every other run of tests."""

import base64
import random
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django import Settings

from tests.browser.dashboard import Dashboard
from tests.support.admin_pages import reject
from tests.support.living import everybody_works
from transactions.access import tokens
from transactions.alerts.models import Alert
from transactions.models import Transaction
from transactions.notifications import endpoints
from transactions.rules.models import Rule
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTHS = {"": (1400, 900), "-phone": (390, 844)}
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
def filled(page: Page, server: str, customers: list[User], root: User, settings: Settings) -> dict[str, str]:
    """A system at work; by the name of each picture the path of its page."""
    settings.FOUR_EYES = False
    # In force from this minute on: what follows happens after it has begun.
    call_command("rules", "start")
    dashboard = Dashboard(page, server, customers)
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
    reject("ord-00017", "no such customer")
    flush()
    everybody_works()
    dashboard.post_all(made_up(customers, "new", 9, timedelta(seconds=20)))
    tokens.create("till 12", username=root.username)
    settings.WEBHOOK_SECRET_KEYS = [urlsafe_b64encode(bytes(32)).decode()]
    endpoints.add("https://hooks.example.org/alerts", description="On call")
    alert, rule = Alert.objects.latest("pk"), Rule.objects.get(name="Failures in a row")
    row = Transaction.objects.get(transaction_id="card-003")
    return {
        "dashboard": "",
        "alerts": "alerts/alert/",
        "alert": f"alerts/alert/{alert.pk}/change/",
        "rules": "rules/rule/",
        "rule": f"rules/rule/{rule.pk}/change/",
        "transactions": "transactions/transaction/",
        "transaction": f"transactions/transaction/{row.pk}/change/",
        "customer": f"transactions/customer/{customers[3].pk}/change/",
        "webhooks": "notifications/endpoint/",
        "audit": "audit/entry/",
        "search": "find/?q=card",
        "pipeline": "transactions/flushbatch/",
        "tokens": "transactions/apitoken/",
        "api": "api/",
        "system": "system/",
    }


def made_up(customers: list[User], prefix: str, count: int, ago: timedelta) -> list[dict[str, object]]:
    """So many transactions, spread over the time up to now; the same ones in every run."""
    chance, now = random.Random(prefix), datetime.now(UTC)
    statuses = ["SUCCESS"] * 17 + ["FAILED"] * 2 + ["PENDING"]
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


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(
    page: Page, context: BrowserContext, server: str, filled: dict[str, str], theme: str, width: str
) -> None:
    context.add_init_script(
        f"if (location.host) localStorage.setItem('adminTheme', JSON.stringify('{theme}'))"
    )
    writer, suffix = context.new_page(), f"{'-dark' if theme == 'dark' else ''}{width}"
    page.set_viewport_size(dict(zip(("width", "height"), WIDTHS[width], strict=True)))  # type: ignore[arg-type]
    for name, path in filled.items():
        if name != "dashboard":  # What has just arrived there is to be seen as waiting.
            everybody_works()
        page.goto(f"{server}/admin/{path}")
        expect(page.locator("h1").first).to_be_visible()
        if name == "dashboard":
            expect(page.locator("#feed-state")).to_have_text("● live")
        if name == "api":
            expect(page.locator(".opblock").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        take(page, writer, f"{name}{suffix}")
    context.clear_cookies()
    page.goto(f"{server}/admin/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    take(page, writer, f"log-in{suffix}")
