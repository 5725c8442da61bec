"""Every page of the site is open to everybody: nothing serious that axe-core finds, light and dark."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import Dashboard, serious
from tests.support.accepting import push, queued
from tests.support.admin_pages import GONE
from tests.support.uploads import checked, payments, step, uploaded
from transactions.access import tokens
from transactions.models import ApiToken, Epoch, FlushBatch, RejectedRecord, Transaction
from transactions.storing.flush import flush
from transactions.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = {
    "transactions": (Transaction, RejectedRecord, FlushBatch, Epoch, ApiToken),
    "auth": (User, Group),
}


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, context: BrowserContext) -> str:
    """Every page is in that theme, as if the theme's own switch had been used."""
    chosen: str = request.param
    # A page that is still empty has no storage.
    choose = f"localStorage.setItem('adminTheme', JSON.stringify('{chosen}'))"
    context.add_init_script(f"if (location.host) {choose}")
    return chosen


@pytest.fixture
def rows(dashboard: Dashboard) -> None:
    """Something on every page."""
    alice = dashboard.people[0]
    dashboard.post_all([{"transaction_id": f"T{n}", "status": "SUCCESS"} for n in range(30)])
    push(queued("R1", GONE))
    flush()
    tokens.create("till 1", username="alice")
    group = Group.objects.create(name="readers")
    alice.groups.add(group)
    # One that waits for a worker, one to be agreed on, one that was checked.
    uploaded(payments(alice, 1))
    step(Upload.objects.get())
    checked(uploaded(payments(alice, 2)))
    uploaded(payments(alice, 3))


def paths() -> Iterator[str]:
    """Every list, every form, and what follows on it."""
    for app, models in MODELS.items():
        for model in models:
            name = f"{app}/{model._meta.model_name}/"
            yield name
            row = model._default_manager.latest("pk")
            yield f"{name}{row.pk}/change/"
            if model in (User, Group):
                yield f"{name}add/"
                yield f"{name}{row.pk}/delete/"
                yield f"{name}{row.pk}/history/"
    yield f"auth/user/{User.objects.earliest('pk').pk}/password/"
    yield "transactions/customer/add/"
    yield "transactions/transaction/story/?transaction_id=R1"
    yield "transactions/apitoken/new/"
    yield "transactions/rejectedrecord/?resolution=all"
    yield "transactions/transaction/?user=alice&status=SUCCESS"
    yield "transactions/transaction/?q=nothing-of-that-name"
    yield "uploads/upload/"
    yield "uploads/upload/new/"
    for upload in Upload.objects.order_by("pk"):
        yield f"uploads/upload/{upload.pk}/change/"
    yield "password_change/"


def look(page: Page, theme: str) -> list[str]:
    expect(page.locator("html")).to_have_class("dark" if theme == "dark" else "light")
    return serious(page)


def test_every_page_of_the_admin(dashboard: Dashboard, rows: None, theme: str) -> None:
    found = []
    for path in paths():
        dashboard.page.goto(f"{dashboard.server}/admin/{path}")
        expect(dashboard.page.locator("#content")).to_be_visible()
        found += [f"{path}: {fault}" for fault in look(dashboard.page, theme)]
    assert not found, "\n".join(found)


def test_the_log_in(context: BrowserContext, server: str, root: User, theme: str) -> None:
    page = context.new_page()
    page.goto(f"{server}/admin/")
    assert look(page, theme) == []
    page.locator("#id_username").fill("root")
    page.locator("#id_password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("body")).to_contain_text("Please enter the correct")
    assert look(page, theme) == []


@pytest.mark.parametrize("width", [390, 768, 1400, 1920])
def test_the_log_in_is_one_column_in_the_middle(
    context: BrowserContext, server: str, root: User, width: int
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server}/admin/login/")
    boxes = [page.locator(f"#login-form {each}").bounding_box() for each in ("#id_username", "button")]
    field, button = (box for box in boxes if box is not None)
    assert (field["x"], field["width"]) == (button["x"], button["width"])
    assert field["width"] <= 384
    # A scrollbar takes some of it.
    seen = page.evaluate("document.documentElement.clientWidth")
    assert abs(field["x"] + field["width"] / 2 - seen / 2) <= 1


def test_what_went_wrong(
    context: BrowserContext, server: str, root: User, theme: str, watched: Watched
) -> None:
    watched.expected = ["status of 4"]
    page = context.new_page()
    for path in ("/nothing", "/admin/nothing/"):
        page.goto(f"{server}{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
        assert look(page, theme) == []
    for _ in range(6):
        page.goto(f"{server}/admin/login/")
        page.locator("#id_username").fill("root")
        page.locator("#id_password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The log-in is closed for a while")
    assert look(page, theme) == []
