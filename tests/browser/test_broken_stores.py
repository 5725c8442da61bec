"""The dashboard while Redis or PostgreSQL is away, and when the books do not balance."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from playwright.sync_api import expect

from tests.browser.conftest import CUT, Watched
from tests.browser.dashboard import Dashboard
from tests.faults.proxy import Proxy
from tests.support.accepting import queued
from tests.support.serving import daphne
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis_line() -> Iterator[Proxy]:
    """Daphne's way to Redis; this process has one of its own."""
    proxy = Proxy(Path(urlsplit(os.environ["REDIS_URL"]).path))
    yield proxy
    proxy.close()


@pytest.fixture
def postgres_line() -> Iterator[Proxy]:
    """Daphne's way to PostgreSQL."""
    (directory,) = parse_qs(urlsplit(os.environ["DATABASE_URL"]).query)["host"]
    proxy = Proxy(Path(directory) / ".s.PGSQL.5432")
    yield proxy
    proxy.close()


@pytest.fixture
def server(
    collected: None, transactional_db: None, tmp_path: Path, redis_line: Proxy, postgres_line: Proxy
) -> Iterator[str]:
    facts = database.settings_dict
    with daphne(
        log=tmp_path / "daphne.log",
        REDIS_URL=f"redis://127.0.0.1:{redis_line.port}/0",
        DATABASE_URL=f"postgres://{facts['USER']}@127.0.0.1:{postgres_line.port}/{facts['NAME']}",
        LOOKUP_TIMEOUT_MS="250",
    ) as url:
        yield url


@contextmanager
def away(line: Proxy) -> Iterator[None]:
    """The server at the end of `line` is gone in this block: connections end, and no new one gets through."""
    there, line.target = line.target, Path("/nonexistent")
    line.cut()
    try:
        yield
    finally:
        line.target = there


@pytest.fixture
def settled(dashboard: Dashboard, watched: Watched) -> Dashboard:
    """A dashboard that shows one stored transaction everywhere."""
    watched.expected = [CUT, "status of 503"]
    dashboard.post("BEFORE", status="SUCCESS")
    flush()
    expect(dashboard.page.locator("#rows tbody td").last).to_have_text("● stored")
    expect(dashboard.page.locator("[data-figure=succeeded] .figure-value")).to_have_text("1,000")
    expect(dashboard.page.locator("#books")).to_have_text("✓ balanced")
    return dashboard


AS_OF = re.compile(r"^as of \d\d:\d\d:\d\d:")


def nothing_is_claimed(dashboard: Dashboard, why: str) -> None:
    """The page says that it does not know, and of when the figures are that it goes on showing."""
    page = dashboard.page
    expect(page.locator("#banner")).to_contain_text(why)
    expect(page.locator("#books")).to_have_text("? not known")
    expect(page.locator("#next-flush")).to_have_text("? not known")
    these = r"These are as of \d\d:\d\d:\d\d, of what came in the last hour\."
    moment = re.compile(f"^{re.escape(why)} {these}$")
    expect(page.locator("#figures-moment")).to_have_text(moment)
    expect(page.locator("[data-figure=succeeded] .figure-value")).to_have_text("1,000")


def all_is_well(dashboard: Dashboard) -> None:
    page = dashboard.page
    dashboard.is_live()
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#books")).to_have_text("✓ balanced")
    expect(page.locator("#figures-moment")).to_have_text(AS_OF)
    expect(page.locator("[data-figure=succeeded] .figure-value")).to_have_text("2,000")


def test_while_redis_is_away_it_says_so_and_comes_back_by_itself(
    settled: Dashboard, redis_line: Proxy
) -> None:
    with away(redis_line):
        expect(settled.page.locator("#feed-state")).to_have_text(re.compile("^▲ stale since"))
        nothing_is_claimed(settled, "Redis does not answer.")
        banner = settled.page.locator("#banner")
        expect(banner).to_contain_text("No transaction is accepted meanwhile, and none is stored.")
        expect(banner.get_by_role("link", name="What to do")).to_have_attribute(
            "href", "/admin/system/#redis"
        )
        settled.shows("BEFORE")
    settled.is_live()
    settled.post("AFTER", status="SUCCESS")
    settled.shows("AFTER", "BEFORE")
    flush()
    all_is_well(settled)


def test_while_postgres_is_away_transactions_still_arrive(settled: Dashboard, postgres_line: Proxy) -> None:
    with away(postgres_line):
        nothing_is_claimed(settled, "PostgreSQL does not answer in time.")
        settled.post("DURING", status="SUCCESS")
        settled.shows("DURING", "BEFORE")
        expect(settled.page.locator("#buffered")).to_have_text("1")
        expect(settled.page.locator("#rows tbody td").nth(5)).to_have_text("○ waiting")
        settled.is_live()
    flush()
    expect(settled.page.locator("#rows tbody td").nth(5)).to_have_text("● stored")
    all_is_well(settled)


def test_books_that_do_not_balance_are_told_until_they_do(settled: Dashboard) -> None:
    connection().rpush(QUEUE, queued("nobody accepted it", settled.people[0]))
    expect(settled.page.locator("#books")).to_have_text("✗ do not balance")
    expect(settled.page.locator("#banner")).to_contain_text("The books do not balance.")
    connection().rpop(QUEUE)
    expect(settled.page.locator("#books")).to_have_text("✓ balanced")
    expect(settled.page.locator("#banner")).to_be_hidden()
