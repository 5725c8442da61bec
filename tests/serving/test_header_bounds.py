"""Headers that take long to read, or that Django raises for: told so before anybody reads them."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIRequest
from django.http.request import split_domain_port

from tests.support.bystanders import holds_up_nobody
from tests.support.exchanging import post, say
from tests.support.serving import collect_static_files, daphne
from tests.support.watching import PATH, watch
from transaction_monitoring.serving.header_bounds import CONTENT_TYPE_BYTES_MAX, COOKIE_ESCAPES_MAX

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_failed_aloud"),
]

ADD = "/api/add-transaction/"
PATHS = (ADD, "/api/transactions/", "/api/nothing", "/livez", "/readyz", "/metrics", "/admin/login/", PATH)
HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
# Each took a second and more, of everybody's time.
STORMS = {
    "Cookie": 'a="' + "\\" * 15_000 + '"',
    "Content-Type": 'text/plain; "' + ";" * 14_500,
}
UNREADABLE = [
    "text/plain; charset*=nix''a",
    "text/plain; charset*=\xff''a",
    "application/json; a*=''; b*0*=nix''c",
]


@pytest.fixture(scope="module", autouse=True)
def static_files() -> None:
    """For the page of the log-in."""
    collect_static_files()


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


def told(url: str, path: str, header: str) -> tuple[int, dict[str, str], Any]:
    """What a GET with that header is answered: status, headers and JSON."""
    more = HANDSHAKE if path == PATH else "Connection: close\r\n"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}{header}\r\n\r\n"
    status, headers, body = say(address_of(url), head.encode("latin-1"))
    return status, headers, json.loads(body)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", STORMS)
def test_a_storm_in_a_header_is_refused_with_its_name(open_url: str, name: str, path: str) -> None:
    status, headers, answer = told(open_url, path, f"{name}: {STORMS[name]}")
    assert (status, headers["X-Request-Id"]) == (431, "ours")
    assert name in answer["detail"]


def test_the_pieces_of_a_storm_count_together(open_url: str) -> None:
    pieces = "\r\n".join(['Cookie: a="' + "\\" * 100 + '"'] * 40)
    assert told(open_url, "/readyz", pieces)[0] == 431
    pieces = "\r\n".join(["Content-Type: " + ";" * 200] * 40)
    assert told(open_url, "/readyz", pieces)[0] == 431


def test_nobody_waits_for_one_header(open_url: str) -> None:
    def storms() -> None:
        for _ in range(5):
            for name, value in STORMS.items():
                for path in ("/readyz", "/metrics", PATH, "/api/transactions/"):
                    told(open_url, path, f"{name}: {value}")

    assert holds_up_nobody(open_url, storms, 0.4)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", UNREADABLE)
def test_a_content_type_that_nobody_can_read_is_a_400_that_names_it(
    open_url: str, value: str, path: str
) -> None:
    status, headers, answer = told(open_url, path, f"Content-Type: {value}")
    assert (status, headers["X-Request-Id"]) == (400, "ours")
    assert "Content-Type" in answer["detail"]


@pytest.fixture(scope="module", params=["true", "false"])
def lane_url(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[str]:
    """A server with the lane, then one without it."""
    with daphne(FAST_LANE=request.param) as url:
        yield url


@pytest.mark.parametrize("value", UNREADABLE)
def test_the_lane_and_django_agree_on_it(people: list[User], lane_url: str, value: str) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    status, _, body = say(address_of(lane_url), post(ADD, record, type=value).decode().encode("latin-1"))
    assert (status, "Content-Type" in json.loads(body)["detail"]) == (400, True)


@pytest.mark.parametrize(
    "charset", ["hex", "rot13", "undefined", "idna", "punycode", "utf-7", "nix", "a" * 300]
)
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_no_charset_is_our_error(open_url: str, people: list[User], kind: str, charset: str) -> None:
    body = b"transaction_id=T1&user=1&amount=1"
    for path in (ADD, "/admin/login/"):
        request = post(path, body, type=f"{kind}; boundary=a; charset={charset}")
        assert say(address_of(open_url), request)[0] < 500, path
        get = request.replace(b"POST", b"GET").replace(path.encode(), b"/api/transactions/?limit=1")
        assert say(address_of(open_url), get)[0] < 500


def test_a_long_cookie_and_a_long_type_are_taken(open_url: str, people: list[User]) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    cookie = "; ".join(f"name{number}={'value' * 15}" for number in range(90))
    assert len(cookie) > 7_500
    assert say(address_of(open_url), post(ADD, record, f"Cookie: {cookie}"))[0] == 200
    quoted = r'prefs="{\"a\": 1}"; ' * 50
    assert say(address_of(open_url), post(ADD, record, f"Cookie: {quoted}"))[0] == 200
    kind = f'application/json; charset=utf-8; profile="{"p" * 400}"'
    assert say(address_of(open_url), post(ADD, record, type=kind))[0] == 200
    with watch(open_url, Cookie=cookie):
        pass


# --- What is left ------------------------------------------------------------------------------

ROOM = 15_900


def scope_of(**headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": named}


def cost_ms(work: Callable[[], object]) -> float:
    """The least of some runs, in milliseconds of the processor: what else runs costs nothing."""
    costs = []
    for _ in range(5):
        began = time.thread_time()
        work()
        costs.append(time.thread_time() - began)
    return min(costs) * 1000


def escapes(filler: str) -> str:
    each = ROOM // COOKIE_ESCAPES_MAX
    return 'a="' + ("\\" + filler * (each - 1)) * COOKIE_ESCAPES_MAX + '"'


def cookies(value: str) -> object:
    return ASGIRequest(scope_of(Cookie=value), BytesIO()).COOKIES


def content_type(value: str) -> object:
    return ASGIRequest(scope_of(Content_Type=value[:CONTENT_TYPE_BYTES_MAX]), BytesIO())


COOKIES = {
    "escapes at its end": 'a="' + "x" * 15_000 + "\\" * COOKIE_ESCAPES_MAX + '"',
    "escapes all over": escapes("x"),
    "almost octal escapes": escapes("7"),
    "semicolons": ";" * ROOM,
    "small ones": "a=b;" * (ROOM // 4),
}
TYPES = [
    f"text/plain; {begun}{piece * CONTENT_TYPE_BYTES_MAX}"
    for piece in (";", ";a*=", ';a*0="', '; a="\\"', ";a*1=b", "\\", "(")
    for begun in ("", '"')
]
WORST: dict[str, Callable[[], object]] = {
    **{f"a cookie of {name}": partial(cookies, value) for name, value in COOKIES.items()},
    **{f"the type {value:.24}": partial(content_type, value) for value in TYPES},
    "a host": partial(split_domain_port, "[" + "a" * ROOM),
    "a host of colons": partial(split_domain_port, "[" + ":" * ROOM + "x"),
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_that_may_be_costs_little(name: str) -> None:
    assert cost_ms(WORST[name]) < 20


@pytest.mark.parametrize(
    "name",
    ["Accept", "Accept-Language", "Accept-Encoding", "Authorization", "Forwarded", "X-Forwarded-For",
     "X-Forwarded-Proto", "If-None-Match", "If-Modified-Since", "Range", "Origin", "Referer", "User-Agent",
     "Sec-Fetch-Site", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "X-Request-Id", "Expect",
     "X-CSRFToken", "X-HTTP-Method-Override", "Traceparent", "Content-Encoding", "TE"],
)  # fmt: skip
def test_no_other_header_keeps_anybody_waiting(open_url: str, name: str) -> None:
    """Each with what is the worst for one parser or another, on every kind of path."""
    storms = [piece * (15_500 // len(piece)) for piece in (",", ";", "\\", '"', "[", ":", "1 ", "9")]

    def send_all() -> None:
        for storm in storms:
            for path in ("/api/transactions/", "/metrics", "/admin/login/", "/static/nothing", PATH):
                more = HANDSHAKE if path == PATH else "Connection: close\r\n"
                head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}{name}: {storm}\r\n\r\n"
                with socket.create_connection(address_of(open_url), 20) as line:
                    line.sendall(head.encode())
                    assert line.recv(12)[9:10] in b"1234", (path, storm[:2])

    assert holds_up_nobody(open_url, send_all, 1.0)
