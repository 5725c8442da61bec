"""The dashboard as its tests read and use it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

# How far a clock is set forward to stop it: it may not go back, and a busy machine is slow.
AHEAD = timedelta(minutes=5)
# Every text that a place shows from now on, in lines, however short it stands there.
NOTE_TEXTS = """place => {
  place.dataset.noted = "";
  new MutationObserver(() => { place.dataset.noted += `${place.textContent}\\n`; })
    .observe(place, { childList: true });
}"""


def post_all(server: str, records: list[dict[str, Any]]) -> None:
    """Posts transactions and sees that they are taken, on a busy machine and after an outage as well."""
    for _ in range(3):
        answer = httpx.post(f"{server}/api/add-transactions/", json=records, timeout=30, trust_env=False)
        if answer.status_code != 503:  # "Send the same again".
            break
    told = answer.json()
    assert told["accepted"] + told["duplicates"] == len(records), told


def stop_clock(page: Page) -> None:
    """For what the page opens from now on no time goes by but what its clock is told to run for.

    So it asks the server for nothing again, however long the test takes.
    """
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + AHEAD)


def look_again(page: Page) -> None:
    """Somebody comes back to the page, which asks the server for everything at once."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


class Dashboard:
    """One open dashboard and the server behind it."""

    def __init__(self, page: Page, server: str, people: list[User]) -> None:
        self.page = page
        self.server = server
        self.people = people

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.server}/admin/{query}")
        self.is_live()

    def is_live(self) -> None:
        expect(self.page.locator("#feed-state")).to_have_text("● live")

    def post(self, id: str, **more: Any) -> None:
        """Posts a transaction, of Alice unless said otherwise, and sees that it is taken."""
        self.post_all([{"transaction_id": id, **more}])

    def post_all(self, records: list[dict[str, Any]]) -> None:
        facts = {"user": self.people[0].pk, "amount": 1000, "status": "PENDING"}
        post_all(self.server, [{**facts, **record} for record in records])

    def note_texts(self, place: str) -> None:
        """Has the browser note what a place shows, until the page is left; `has_shown` looks there.

        The eyes of the tests come by once a second at best: what stands as long as that may escape them.
        """
        self.page.locator(place).evaluate(NOTE_TEXTS)

    def has_shown(self, place: str, line: str) -> None:
        """Waits until the place has shown such a text since it was noted."""
        noted = re.compile(f"^{line}$", re.MULTILINE)
        expect(self.page.locator(place)).to_have_attribute("data-noted", noted)

    def ids(self) -> list[str]:
        """The ids in the live table, newest first."""
        return self.page.locator("#rows tbody button").all_text_contents()

    def shows(self, *ids: str) -> None:
        """Waits until the live table has exactly these, newest first."""
        expect(self.page.locator("#rows tbody button")).to_have_text(list(ids))


def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
