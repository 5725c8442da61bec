"""What charts save as CSV: texts that no spreadsheet runs, as in the server's exports, and raw numbers."""

import csv
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.templatetags.static import static
from playwright.sync_api import Page, expect

from tests.browser.dashboard import Dashboard
from tests.support.settled import settle
from transactions.admin_site import exports
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
# Scripts of Europe, marks and signs, full width, variation selectors and tags: all that there is in them.
SOME = [*range(0x600), *range(0x2000, 0x3200), *range(0xFE00, 0xFFFE), *range(0xE0000, 0xE01F0)]
CHARACTERS = [chr(code) for code in SOME if unicodedata.category(chr(code)) != "Cn"]


def saved(page: Page, card: str) -> list[list[str]]:
    """The lines of the file that the menu of a card saves."""
    page.locator(f"#{card} summary").click()
    with page.expect_download() as download:
        page.locator(f"#{card} .csv").click()
    return read(download.value.path())


def read(path: Path) -> list[list[str]]:
    text = path.read_text()
    lines = list(csv.reader(text.splitlines()))
    # Every cell is quoted.
    assert text.count('"') >= 2 * sum(len(line) for line in lines)
    return lines


def test_texts_are_guarded_as_the_exports_of_the_server_are(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/login/")
    texts = [
        "", "'x", "'-x", "y;'=1", "'\tx", "a,=b", "5 - 3", "y;=HYPERLINK(1);z",
        "y\r\n=1", 'a;"=1', "\ufeff\xa0=1", "\U000e0041-1",
        *(f"{character}=1" for character in CHARACTERS),
        *(f"y{character}＠1" for character in CHARACTERS),
        *(f"{character}1" for character in CHARACTERS),
    ]  # fmt: skip
    guarded = page.evaluate(
        """async ([module, texts]) => {
          const { cell } = await import(module);
          return texts.map(cell);
        }""",
        [static("transactions/dashboard/csv.js"), texts],
    )
    other = [(text, mine) for text, mine in zip(texts, guarded, strict=True) if mine != exports.cell(text)]
    assert other == []


def test_a_customers_name_begins_no_cell_with_a_formula(failed_minute: None, dashboard: Dashboard) -> None:
    expect(dashboard.page.locator("#failing-customers li")).to_have_count(1)
    head, row = saved(dashboard.page, "failing")
    assert head == ["Customer", "Number", "Failed", "Failed before"]
    assert [row[0], row[2], row[3]] == ["'y;'=HYPERLINK(1)", "3", "0"]


def test_numbers_are_saved_as_they_are(failed_minute: None, dashboard: Dashboard) -> None:
    page = dashboard.page
    for number in (0, 1):
        at = f"2026-03-01T12:00:0{number}Z"
        dashboard.post(f"T{number}", amount=1_000_000 + number, status="SUCCESS", created_at=at)
    flush()
    page.goto(f"{dashboard.server}/admin/?from=2026-03-01&to=2026-03-03")
    # Half of 2,000,001 goes to the even one.
    cells = ["2026-03-01", "2", "2,000,001", "1,000,000", "0", "0", "", "", "", "", ""]
    expect(page.locator("#averages tbody td")).to_have_text(cells)
    head, day = saved(page, "averages")
    sums = ["Succeeded", "Average of the succeeded", "Failed", "Pending"]
    assert head[:6] == ["Day (UTC)", "Transactions", *(f"{name} (smallest unit)" for name in sums)]
    assert day == ["2026-03-01", "2", "2000001", "1000000", "0", "0", "", "", "", "", ""]
    expect(page.locator("#failure-rate tbody")).to_contain_text("7.5 %")
    head, *minutes = saved(page, "failure-rate")
    assert head[1] == "Failed"
    assert {minute[1] for minute in minutes} == {"", "0.075"}


@pytest.fixture
def failed_minute(people: list[User]) -> None:
    """Of forty within a minute three failed, all of them of somebody whose name is a formula."""
    hostile = User.objects.create_user("y;=HYPERLINK(1)")
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - 10 * MINUTE
    settle(hostile, begin, begin + MINUTE, 40, 3)
