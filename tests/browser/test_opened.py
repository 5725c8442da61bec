"""What opens over a page is seen whole, and covers nothing that belongs to it, at every width."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from tests.support.accepting import queued
from tests.support.admin_pages import GONE, change, reject, store
from tests.support.alerts import open_alert

pytestmark = pytest.mark.django_db(transaction=True)


def edges(place: Locator) -> dict[str, float]:
    found: dict[str, float] = place.evaluate("node => node.getBoundingClientRect().toJSON()")
    return found


def test_on_a_phone_the_answers_of_the_search_stand_below_its_box(
    page: Page, server: str, people: list[User]
) -> None:
    store(people[0], "INV-1")
    alert = open_alert(people[0])
    page.set_viewport_size({"width": 390, "height": 844})
    places = (
        "", "alerts/alert/", f"alerts/alert/{alert.pk}/change/", "rules/rule/", "transactions/apitoken/",
        "notifications/endpoint/", "notifications/recipient/",
        f"transactions/customer/{people[0].pk}/change/", "system/", "transactions/transaction/",
    )  # fmt: skip
    for path in places:
        page.goto(f"{server}/admin/{path}")
        page.keyboard.press("/")
        page.keyboard.type(people[0].username[:3])
        panel, box = page.locator(".find-panel"), page.locator("#find")
        expect(panel.get_by_role("option", name=people[0].username).first).to_be_visible()
        assert edges(panel)["top"] >= edges(box)["bottom"], path
        assert edges(panel)["left"] >= 0, path
        assert edges(panel)["right"] <= 390, path


@pytest.mark.parametrize("width", [390, 768, 1400])
@pytest.mark.parametrize("id", ["R", "R" * 100])
def test_what_a_button_asks_is_seen_whole_wherever_the_button_stands(
    page: Page, server: str, width: int, id: str
) -> None:
    row = reject(queued(id, GONE), id=id)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server}{change(row)}")
    page.get_by_text("Discard …").click()
    asked = page.locator(".menu[open] .menu-body")
    expect(asked).to_be_visible()
    least = edges(page.locator("#content"))["left"]
    assert edges(asked)["left"] >= least
    assert edges(asked)["right"] <= width
    # Nothing lies over it.
    asked.get_by_role("button", name="Discard").click(trial=True)
