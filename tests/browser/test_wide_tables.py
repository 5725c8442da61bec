"""Tables on a desk: the largest amounts there can be, and nothing of a row out of sight."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django import Settings

from tests.browser.dashboard import post_all
from tests.support.rules import rule_in_force
from transactions.alerts.models import Alert
from transactions.models import AMOUNT_MAX
from transactions.rules.models import Hit
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# Of each region that scrolls: its name, and how wide what is in it is.
WIDER = """regions => regions.filter(each => each.scrollWidth > each.clientWidth)
  .map(each => `${each.getAttribute("aria-labelledby")} ${each.ariaLabel} ${each.scrollWidth}`)"""


@pytest.fixture
def hits(server: str, people: list[User], settings: Settings) -> Alert:
    """An alert of what has the largest amount, and hits of other kinds whose reasons are long."""
    settings.FOUR_EYES = False
    rule_in_force("amount", amount=1_000)
    rule_in_force("velocity_sum", total=1_000, window="10m")
    rule_in_force("failure_burst", count=2, window="10m")
    rule_in_force("first_or_dormant", days=1, least=0)
    for n in range(3):
        id, moment = f"SIM-85e65fb6-0000152{n}", datetime.now(UTC).isoformat()
        failed = {"transaction_id": id, "user": people[0].pk, "amount": AMOUNT_MAX, "status": "FAILED"}
        post_all(server, [{**failed, "created_at": moment}])
        flush()
    return Alert.objects.earliest("pk")


@pytest.mark.parametrize("width", [1400, 1920])
def test_why_stands_beside_the_largest_amount_without_scrolling(
    page: Page, server: str, hits: Alert, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    rules = {hit.version.rule_id for hit in Hit.objects.select_related("version")}
    alerts = [f"alerts/alert/{key}/change/" for key in Alert.objects.values_list("pk", flat=True)]
    for path in [*alerts, *(f"rules/rule/{key}/change/" for key in rules)]:
        page.goto(f"{server}/admin/{path}")
        expect(page.locator("td.why").first).to_be_visible()
        assert page.locator(".scrolls").evaluate_all(WIDER) == [], path
