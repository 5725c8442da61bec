"""Who may open the websocket, over Daphne as it runs in production."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User

from tests.support.serving import daphne
from tests.support.watching import PATH, refused, session_of
from transactions.access.rights import Right
from transactions.access.tokens import create

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_failed_aloud"),
]


@pytest.fixture(scope="module")
def closed_url(django_db_setup: None, log: Path) -> Iterator[str]:
    """A server for which everybody needs credentials, behind a proxy that ends TLS."""
    with daphne(
        log=log,
        ALLOW_ANONYMOUS_API="false",
        CSRF_TRUSTED_ORIGINS="https://*.example.org",
        SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https",
    ) as url:
        yield url


@pytest.mark.parametrize("origin", ["http://{host}:{port}", "http://{host}:{port}/"])
def test_a_page_of_its_own_is_let_in(open_url: str, origin: str) -> None:
    parts = urlsplit(open_url)
    assert not refused(open_url, Origin=origin.format(host=parts.hostname, port=parts.port))


@pytest.mark.parametrize(
    "origin",
    [
        "https://{host}:{port}",
        "http://{host}",
        "http://{host}:1",
        "http://localhost:{port}",
        "http://{host}.evil.example:{port}",
        "http://evil.example",
        "null",
    ],
)
@pytest.mark.parametrize("kind", ["open", "closed"])
def test_a_page_of_another_origin_is_refused_whatever_it_shows(
    open_url: str, closed_url: str, origin: str, kind: str
) -> None:
    url = open_url if kind == "open" else closed_url
    token, _ = create("watcher")
    parts = urlsplit(url)
    stated = origin.format(host=parts.hostname, port=parts.port)
    assert refused(url, Origin=stated, Authorization=f"Bearer {token}")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_calls_another_site_is_refused(open_url: str, site: str) -> None:
    assert refused(open_url, Sec_Fetch_Site=site)


def test_a_host_that_is_not_ours_is_refused(open_url: str) -> None:
    assert refused(open_url, host="evil.example", Origin="http://evil.example")
    assert not refused(open_url, host="localhost")


def test_the_scheme_is_what_the_trusted_proxy_says(open_url: str, closed_url: str) -> None:
    bearer = f"Bearer {create('watcher')[0]}"
    for url, passes in ((closed_url, True), (open_url, False)):
        origin = url.replace("http:", "https:")
        headers = {"Origin": origin, "X_Forwarded_Proto": "https", "Authorization": bearer}
        assert refused(url, **headers) is not passes
    assert refused(closed_url, Origin=closed_url, X_Forwarded_Proto="https", Authorization=bearer)


def test_a_trusted_origin_is_let_in(closed_url: str) -> None:
    bearer = f"Bearer {create('watcher')[0]}"
    assert not refused(closed_url, Origin="https://pages.example.org", Authorization=bearer)
    assert refused(closed_url, Origin="http://pages.example.org", Authorization=bearer)


def test_nobody_unknown_is_let_in(open_url: str, closed_url: str) -> None:
    unknown = f"Bearer txmon_{'A' * 43}"
    assert refused(closed_url)
    assert refused(closed_url, Authorization=unknown)
    # Who shows credentials is judged by them, in a private run too.
    assert refused(open_url, Authorization=unknown)
    assert refused(open_url, X_Forwarded_For="127.0.0.1")


def test_a_token_with_the_right_to_read_is_let_in(closed_url: str, people: list[User]) -> None:
    reader, _ = create("reader", rights=frozenset({Right.READ}))
    writer, _ = create("writer", rights=frozenset({Right.POST, Right.ADMINISTER}))
    assert not refused(closed_url, Authorization=f"Bearer {reader}")
    assert refused(closed_url, Authorization=f"Bearer {writer}")
    assert refused(closed_url, f"{PATH}?token={reader}")


def test_staff_with_the_right_to_read_is_let_in(closed_url: str) -> None:
    permission = Permission.objects.get(codename="view_transaction")
    for name, staff, may_view, passes in (
        ("ann", True, True, True),
        ("ben", True, False, False),
        ("cem", False, True, False),
    ):
        user = User.objects.create_user(name, is_staff=staff)
        user.user_permissions.set([permission] if may_view else [])
        assert refused(closed_url, Cookie=session_of(user)) is not passes, name
    assert refused(closed_url, Cookie=f"{settings.SESSION_COOKIE_NAME}=made-up")


@pytest.mark.parametrize("path", ["/ws/", "/ws/admin/transactions/more/", "/", "/ws/admin/transactions//"])
def test_an_unknown_path_is_refused(open_url: str, path: str) -> None:
    assert refused(open_url, path)


def test_a_root_path_that_a_client_makes_up_is_refused(open_url: str) -> None:
    """The path is, not the connection, which is what it is without."""
    assert not refused(open_url, Daphne_Root_Path="/somewhere")
    assert refused(open_url, f"/somewhere{PATH}", Daphne_Root_Path="/somewhere")


def test_without_postgres_only_those_are_let_in_whom_nobody_need_ask_about(log: Path) -> None:
    with daphne(log=log, DATABASE_URL="postgres://nobody@127.0.0.1:1/none") as url:
        assert not refused(url)
        assert refused(url, Cookie=f"{settings.SESSION_COOKIE_NAME}=a-session")
        assert refused(url, Authorization=f"Bearer txmon_{'A' * 43}")


# --- Made-up credentials ------------------------------------------------------------------------


def test_a_handshake_with_known_credentials_passes_many_with_made_up_sessions(
    closed_url: str, people: list[User]
) -> None:
    """From the same address: the good one has a turn of its own, and the others wait for each other."""
    token, _ = create("watcher", rights=frozenset({Right.READ}))
    good = {"Authorization": f"Bearer {token}"}
    assert not refused(closed_url, **good)

    async def all_at_once() -> tuple[bool, bool]:
        def made_up(number: int) -> bool:
            return refused(closed_url, Cookie=f"sessionid=made-up-{number}")

        with ThreadPoolExecutor(60) as threads:
            loop = asyncio.get_running_loop()
            others = [loop.run_in_executor(threads, made_up, number) for number in range(600)]
            await asyncio.sleep(0.3)
            turned_away = await asyncio.to_thread(refused, closed_url, **good)
            under_way = not all(other.done() for other in others)
            assert all(await asyncio.gather(*others))
        return turned_away, under_way

    assert asyncio.run(all_at_once()) == (False, True)


def test_an_address_that_guesses_is_refused_before_anybody_is_asked(log: Path, people: list[User]) -> None:
    token, _ = create("watcher", rights=frozenset({Right.READ}))
    limits: dict[str, Any] = {
        "MAX_BATCH_RECORDS": "5",
        "RATE_LIMIT_BURST": "5",
        "RATE_LIMIT_RECORDS_PER_SECOND": "1",
    }
    with daphne(log=log, ALLOW_ANONYMOUS_API="false", **limits) as url:
        assert not refused(url, Authorization=f"Bearer {token}")
        for number in range(20):
            assert refused(url, Authorization=f"Bearer txmon_{number:043}")
        assert not refused(url, Authorization=f"Bearer {token}")
