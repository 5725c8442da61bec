"""A file of another system by the admin, in a real browser: from its upload to its last refused row."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Watched
from tests.browser.dashboard import serious
from tests.browser.layout import faults
from tests.support.rule_pages import HOSTILE_NAME
from tests.support.uploads import MEANT, checked, csv_of, importer, payments, step, uploaded
from transactions.models import Transaction
from transactions.storing.flush import flush
from transactions.uploads import steps, work
from transactions.uploads.limits import UPLOAD_PATH
from transactions.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)

WIDTHS = (1360, 768, 375)


@pytest.fixture
def page(context: BrowserContext, server: str, people: list[User]) -> Page:
    client, _ = importer("ina", "add_user")
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
    return context.new_page()


def work_on() -> None:
    """A worker takes the next step; in a thread, since Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_closing).result()


def _closing() -> None:
    try:
        work.run_next()
    finally:
        connection.close()


def choose(page: Page, name: str, content: bytes) -> None:
    page.get_by_label("File", exact=True).set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )
    page.get_by_role("button", name="Upload").click()


def test_a_file_goes_in_its_refused_rows_come_out_and_go_in_again(
    page: Page, server: str, people: list[User]
) -> None:
    content = (
        "Reference;Who;Total;Booked\n"
        f"R1;{people[0].pk};1.234,50;14.03.2026 12:00\n"
        f"R2;{people[0].pk};much;15.03.2026 12:00\n"
        f"R3;{people[1].pk};7,00;16.03.2026 12:00\n"
    ).encode()
    page.goto(f"{server}/admin/uploads/upload/")
    page.get_by_role("link", name="Upload a file").first.click()
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#upload-error")).to_have_text("Choose a file.")
    choose(page, "march.csv", content)
    expect(page.locator("#state")).to_have_text("Waits to be read")

    # The page sees by itself that a worker has read it.
    work_on()
    expect(page.locator("#state")).to_have_text("To be agreed on")
    expect(page.get_by_role("heading", name="What the file was taken for")).to_be_visible()
    raw = page.get_by_role("region", name="The first rows as they are")
    expect(raw.locator("tbody tr").first).to_contain_text("1.234,50")

    # What the file cannot tell is asked, and nothing goes on before it is answered.
    page.get_by_label("Column of the amount").select_option("Total")
    page.get_by_label("Column of the customer").select_option("Who")
    page.get_by_role("button", name="Check the whole file").click()
    expect(page.get_by_role("heading", name="To be answered")).to_be_visible()
    page.get_by_label("Where none is said").select_option("SUCCESS")
    page.get_by_label("Decimals of the file’s amounts").fill("2")
    page.get_by_label("Time zone of times without one").fill("Europe/Berlin")
    page.get_by_role("button", name="Show the first rows again").click()
    planned = page.get_by_role("region", name="The first rows as they would be posted")
    expect(planned.locator("tbody tr").first).to_contain_text("R1")
    expect(planned.locator("tbody tr").first).to_contain_text("123,450")
    page.get_by_role("button", name="Check the whole file").click()
    expect(page.locator("#state")).to_have_text("Waits to be checked")
    work_on()
    expect(page.get_by_role("heading", name="What would be imported")).to_be_visible()
    assert not Transaction.objects.exists()

    page.get_by_role("button", name="Import 2 transactions").click()
    expect(page.locator("#state")).to_have_text("Waits to be imported")
    work_on()
    expect(page.locator("#state")).to_have_text("Imported")
    outcome = page.locator("#outcome .figure")
    expect(outcome.nth(0)).to_contain_text("1,241.50")
    expect(outcome.nth(2)).to_contain_text("1")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download the refused rows").click()
    text = Path(download.value.path()).read_text()
    assert len(list(csv.reader(io.StringIO(text)))) == 2
    corrected = text.replace(",much,", ',"2,50",').encode()

    page.goto(f"{server}{UPLOAD_PATH}")
    choose(page, download.value.suggested_filename, corrected)
    expect(page.locator("#state")).to_have_text("Waits to be read")
    work_on()
    expect(page.locator(".reasons")).to_contain_text("It has the columns of “march.csv”")
    page.get_by_role("button", name="Check the whole file").click()
    expect(page.locator("#state")).to_have_text("Waits to be checked")
    work_on()
    page.get_by_role("button", name="Import 1 transaction").click()
    expect(page.locator("#state")).to_have_text("Waits to be imported")
    work_on()
    expect(page.locator("#state")).to_have_text("Imported")
    flush()
    stored = Transaction.objects.order_by("transaction_id").values_list("transaction_id", "amount")
    assert list(stored) == [("R1", 123_450), ("R2", 250), ("R3", 700)]


def test_a_file_that_is_too_large_is_said_before_it_is_sent(page: Page, server: str) -> None:
    page.goto(f"{server}{UPLOAD_PATH}")
    page.evaluate("document.getElementById('upload-form').dataset.bytesMax = '10'")
    choose(page, "large.csv", b"x" * 11)
    error = page.locator("#upload-error")
    expect(error).to_contain_text("The file is over the limit of 50.0")
    assert page.url.endswith(UPLOAD_PATH)
    assert not Upload.objects.exists()


def test_progress_is_shown_while_a_step_goes_on(page: Page, server: str, people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], *range(1, 11))))
    steps.ask_import(upload)
    page.goto(f"{server}/admin/uploads/upload/{upload.pk}/change/")
    expect(page.locator("#how-far")).to_have_text("none is in yet")
    Upload.objects.filter(pk=upload.pk).update(state="RUNNING", done=5)
    expect(page.locator("#how-far")).to_have_text("5 of 10 rows looked at, none is in yet")
    expect(page.locator("#state")).to_have_text("Being imported")
    assert page.locator("#progress").get_attribute("value") == "50"
    Upload.objects.filter(pk=upload.pk).update(state="QUEUED")
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator("#state")).to_have_text("Cancelled")


def holding(page: Page, path: str) -> list[Route]:
    """What the page asks for at a path from now on: none of it is answered until somebody says so."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(path, hold)
    return held


def test_a_page_that_is_slow_to_come_is_asked_for_once(page: Page, server: str, people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], 1)))
    steps.ask_import(upload)
    url = f"{server}/admin/uploads/upload/{upload.pk}/change/"
    page.goto(url)
    expect(page.locator("#how-far")).to_have_text("none is in yet")
    held = holding(page, url)
    steps.cancel(upload)
    # Longer than several waits between two questions.
    page.wait_for_timeout(6_000)
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#state")).to_have_text("Cancelled")


def test_a_server_that_is_slow_to_answer_is_asked_one_thing_at_a_time(
    page: Page, server: str, people: list[User]
) -> None:
    upload = uploaded(payments(people[0], 1))
    held = holding(page, "**/progress/")
    page.goto(f"{server}/admin/uploads/upload/{upload.pk}/change/")
    for _ in range(3):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(500)
    assert len(held) == 1
    held[0].continue_()


@pytest.fixture
def paths(people: list[User]) -> list[str]:
    """Every page there is, with hostile and long values on each."""
    long = "x" * 120
    rows = [
        f"{HOSTILE_NAME},{people[0].pk},1.00,{long},2026-03-14T12:00:00",
        f"{long},{people[0].pk},9223372036854775807.00,paid,2026-03-14T12:00:00",
        f"P3,{people[0].pk},1.00,paid,2026-03-14T12:01:00",
    ]
    content = csv_of(rows)
    read = step(uploaded(content, name=f"{HOSTILE_NAME}{long}.csv"))
    # A sum that is wider than a phone has room for beside two columns.
    huge = [f"H{n},{people[0].pk},12345678901.00,paid,2026-03-14T12:00:00" for n in range(100)]
    large = checked(uploaded(csv_of(huge)))
    summed, done = checked(uploaded(content)), checked(uploaded(content))
    steps.ask_import(done)
    work_on()
    failed = step(uploaded(b"\x1f\x8b\x08\0cut", name=f"{long}.gz"))
    waits = uploaded(payments(people[0], 1))
    return [
        "",
        "new/",
        *(f"{each.pk}/change/" for each in (read, large, summed, done, failed, waits)),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_whole_and_open_to_everybody(
    page: Page, server: str, paths: list[str], theme: str, watched: Watched
) -> None:
    page.add_init_script(f"if (location.host) localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
    found = []
    for path in paths:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 850})
            page.goto(f"{server}/admin/uploads/upload/{path}")
            expect(page.locator("html")).to_have_class("dark" if theme == "dark" else "light")
            found += [f"{path} {width}: {fault}" for fault in (*faults(page), *serious(page))]
    assert not found, "\n".join(found)


def test_a_menu_and_a_form_are_used_by_the_keyboard(page: Page, server: str, people: list[User]) -> None:
    upload = step(uploaded(payments(people[0], 1)))
    steps.agree(upload, MEANT, create_users=False)
    page.goto(f"{server}/admin/uploads/upload/{upload.pk}/change/")
    page.get_by_label("How dates are written").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Waits to be checked")
    work_on()
    page.goto(page.url)
    page.locator("summary", has_text="Remove").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The file and its refused rows are removed.")).to_be_visible()
    assert not Upload.objects.exists()
