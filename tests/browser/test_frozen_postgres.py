"""Pages while PostgreSQL is frozen, with its connections open: they name it, and not the server."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from playwright.sync_api import Page, expect

from tests.browser.conftest import CUT, Watched
from tests.browser.dashboard import Dashboard, serious
from tests.faults.proxy import Proxy
from tests.support.living import everybody_works
from tests.support.serving import daphne

pytestmark = pytest.mark.django_db(transaction=True)

# Longer than a busy machine takes for a poll and what it waits for.
TOLD_MS = 60_000


@pytest.fixture
def postgres_line() -> Iterator[Proxy]:
    """Daphne's way to PostgreSQL."""
    (directory,) = parse_qs(urlsplit(os.environ["DATABASE_URL"]).query)["host"]
    proxy = Proxy(Path(directory) / ".s.PGSQL.5432")
    yield proxy
    proxy.close()


@pytest.fixture
def server(collected: None, transactional_db: None, tmp_path: Path, postgres_line: Proxy) -> Iterator[str]:
    facts = database.settings_dict
    with daphne(
        log=tmp_path / "daphne.log",
        DATABASE_URL=f"postgres://{facts['USER']}@127.0.0.1:{postgres_line.port}/{facts['NAME']}",
        LOOKUP_TIMEOUT_MS="250",
    ) as url:
        yield url


def test_the_page_of_the_system_names_postgresql_and_what_to_do(
    page: Page, server: str, watched: Watched, postgres_line: Proxy
) -> None:
    watched.expected = [CUT, "status of 503"]
    everybody_works()
    page.goto(f"{server}/admin/system/")
    health, silent = page.locator("#health"), page.locator("#silent")
    expect(health.locator("#postgres .pill")).to_have_text("normal")
    postgres_line.silence()
    expect(silent).to_contain_text("PostgreSQL does not answer in time.", timeout=TOLD_MS)
    expect(page.locator("#silent-title")).to_have_text("PostgreSQL not answering")
    expect(silent).to_contain_text("docker compose logs --tail 50 database")
    expect(silent.get_by_text("docker compose restart web")).to_be_hidden()
    expect(page.locator("#system-said")).to_have_text("PostgreSQL does not answer in time")
    assert serious(page) == []
    # What is late afterwards is late by PostgreSQL: nobody is told to restart the server, not for a moment.
    for _ in range(20):
        page.wait_for_timeout(1000)
        expect(page.locator("#silent-title")).to_have_text("PostgreSQL not answering", timeout=1)
    page.goto(f"{server}/admin/")
    expect(page.get_by_role("heading", name="PostgreSQL does not answer")).to_be_visible()


def test_the_overview_says_what_comes_of_it_and_what_to_do(
    dashboard: Dashboard, watched: Watched, postgres_line: Proxy
) -> None:
    watched.expected = [CUT, "status of 503"]
    page = dashboard.page
    postgres_line.silence()
    expect(page.locator("#system-said")).to_have_text("PostgreSQL does not answer in time", timeout=TOLD_MS)
    banner = page.locator("#banner")
    expect(banner).to_contain_text("What is accepted waits in Redis meanwhile", timeout=TOLD_MS)
    expect(banner.get_by_role("link", name="What to do")).to_have_attribute("href", "#system-silent")
    banner.get_by_role("link", name="What to do").click()
    expect(page.locator("#system-silent")).to_contain_text("docker compose logs --tail 50 database")
    expect(page.locator("#system-silent").get_by_text("docker compose restart web")).to_be_hidden()
