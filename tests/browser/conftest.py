"""A browser that notes what it should not see, a server, and somebody who is logged in."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser.dashboard import Dashboard
from tests.support.serving import collect_static_files, daphne
from tests.support.settled import settle
from transactions.models import Rollup

# Playwright keeps an event loop running on the thread of the tests, which Django takes for one of its own.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# Longer than two polls of the page, and than anything takes on a busy machine.
expect.set_options(timeout=30_000)

PASSWORD = "a password of the tests"  # noqa: S105
MINUTE = timedelta(minutes=1)
VIEWPORT: ViewportSize = {"width": 1360, "height": 850}
# Tells what the page's Content-Security-Policy stops; a violation need not be an error on the console.
TELL_VIOLATIONS = """
  document.addEventListener("securitypolicyviolation", (event) =>
    noteViolation(`${event.effectiveDirective} stopped ${event.blockedURI} ${event.sourceFile}`));
"""
# What Chromium says of a connection that the test itself has cut.
CUT = (
    r"net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|CONTENT_LENGTH_MISMATCH|EMPTY_RESPONSE)"
    r"|WebSocket connection to"
)


@pytest.fixture(scope="session")
def collected(django_db_setup: None) -> None:
    collect_static_files()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("No Chromium: install Debian's chromium, or name the program in CHROMIUM.")
    with sync_playwright() as playwright:
        # Root has no sandbox to give up; the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def currency() -> str:
    """The deployment's, for tests to override: none."""
    return ""


@pytest.fixture(scope="session")
def served(collected: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A server for each currency, for all tests that leave it as it is: two seconds less for each."""
    log = tmp_path_factory.mktemp("log") / "daphne.log"
    with ExitStack() as stack:
        yield cache(lambda currency: stack.enter_context(daphne(log=log, CURRENCY=currency)))


@pytest.fixture
def server(transactional_db: None, served: Callable[[str], str], currency: str) -> str:
    return served(currency)


class Watched:
    """What a context's pages did: errors on the console, what the policy stopped, requests to other hosts."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        # Patterns of what a test brings about itself; Chromium tells of every answer over 399.
        self.expected: list[str] = []

    def console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} {message.location.get('url', '')}")

    def violation(self, _source: object, told: str) -> None:
        self.errors.append(f"Content-Security-Policy: {told}")

    def request(self, request: Request) -> None:
        if (
            urlsplit(request.url).scheme not in ("data", "blob")
            and urlsplit(request.url).hostname != "127.0.0.1"
        ):
            self.foreign.append(request.url)

    def check(self) -> None:
        wanted = [error for error in self.errors if any(re.search(each, error) for each in self.expected)]
        assert [error for error in self.errors if error not in wanted] == []
        assert self.foreign == []


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def locale() -> str:
    """The browser's, for tests to override."""
    return "en-GB"


@pytest.fixture
def context(server: str, chromium: Browser, watched: Watched, locale: str) -> Iterator[BrowserContext]:
    """A browser without cookies, in UTC; at its end no page may have erred or asked another host."""
    context = chromium.new_context(viewport=VIEWPORT, timezone_id="UTC", locale=locale, color_scheme="light")
    context.set_default_timeout(30_000)
    context.on("console", watched.console)
    context.on("weberror", lambda error: watched.errors.append(str(error.error)))
    context.on("request", watched.request)
    context.expose_binding("noteViolation", watched.violation)
    context.add_init_script(TELL_VIOLATIONS)
    yield context
    context.close()
    watched.check()


@pytest.fixture
def root(transactional_db: None, quick_hashes: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def page(context: BrowserContext, server: str, root: User) -> Page:
    """A page of somebody who may do everything, logged in and not yet anywhere."""
    client = Client()
    client.force_login(root)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
    return context.new_page()


@pytest.fixture
def dashboard(page: Page, server: str, people: list[User]) -> Dashboard:
    """The dashboard, open and live, and nothing on it."""
    dashboard = Dashboard(page, server, people)
    dashboard.open()
    return dashboard


@pytest.fixture
def failing_more(people: list[User]) -> datetime:
    """Of a hundred in a quarter of an hour five fail, for a week; for ten minutes now nearly a third.

    When that began.
    """
    alice, bob, _ = people
    now = datetime.now(UTC)
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    Rollup.objects.bulk_create(
        Rollup(bucket=quarter - n * 15 * MINUTE, status=status, count=count, total=count * 1000)
        for n in range(8, 8 * 96)
        for status, count in (("SUCCESS", 95), ("FAILED", 5))
    )
    began = now.replace(second=0, microsecond=0) - 10 * MINUTE
    settle(bob, began - 30 * MINUTE, began, 300, 15)
    settle(alice, began, now, 80, 60)
    settle(bob, began, now, 180, 9)
    return began
