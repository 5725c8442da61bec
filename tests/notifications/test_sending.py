"""A POST to somebody else's server: wherever it leads and whatever comes back, it is bounded or refused."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.receiving import Receiver
from transactions.notifications import destinations, sending
from transactions.notifications.destinations import Forbidden

PUBLIC = ip_address("93.184.216.34")
# More than stands in the buffers between two sockets.
POURED_BYTES = 64 * 1024 * 1024
LONG_HOST = "The name of the host has at most 253 characters, and 1 to 63 between its dots."


def post(url: str) -> sending.Reply:
    return sending.post(url, {"Content-Type": "application/json"}, b"{}")


@contextmanager
def server(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that speaks as it likes to each who connects; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(caller,), daemon=True).start()

        def talk(caller: socket.socket) -> None:
            with caller:
                try:
                    caller.recv(65_536)
                    speak(caller)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def pouring(head: bytes, more: bytes) -> Iterator[tuple[str, Queue[int]]]:
    """A server that says `head` and then `more` again and again, POURED_BYTES at the least; its URL, and how
    many of these bytes it was rid of once it is through or hung up on.
    """
    taken: Queue[int] = Queue()

    def pour(caller: socket.socket) -> None:
        sent = 0
        try:
            caller.sendall(head)
            while sent < POURED_BYTES:
                caller.sendall(more)
                sent += len(more)
        finally:
            taken.put(sent)

    with server(pour) as url:
        yield url, taken


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.org/", "This is not a URL, as in https://example.org/webhooks."),
        ("example.org", "This is not a URL, as in https://example.org/webhooks."),
        ("https://", "This is not a URL, as in https://example.org/webhooks."),
        ("https://example.org:99999/", "This is not a URL, as in https://example.org/webhooks."),
        ("https://[::1/", "This is not a URL, as in https://example.org/webhooks."),
        ("https://exa mple.org/", "This is not a URL, as in https://example.org/webhooks."),
        ("not a url", "This is not a URL, as in https://example.org/webhooks."),
        *[
            (url, "This is not a URL, as in https://example.org/webhooks.")
            for url in ("http:", "https:", "HTTP:", "http:x", "https:/x", "https:\\\\x", "https:x//y")
        ],
        ("https://example.org:0/", "The port is from 1 to 65535."),
        (
            "https://me:secret@example.org/",
            "The URL has no user name and no password: messages are signed.",
        ),
        ("https://example.org/#a", "The URL has no fragment (#)."),
        (
            "https://example.org/a b",
            "The URL has only visible ASCII characters; others are written as %C3%A9 or xn--….",
        ),
        (
            "https://example.org/\r\nX: y",
            "The URL has only visible ASCII characters; others are written as %C3%A9 or xn--….",
        ),
        (f"https://example.org/{'a' * 500}", "The URL has at most 500 characters."),
        (f"https://{'a' * 64}.org/", LONG_HOST),
        ("https://example..org/", LONG_HOST),
        ("https://.example.org/", LONG_HOST),
        ("https://./", LONG_HOST),
        (f"https://{'.'.join(['a' * 63] * 3 + ['a' * 62])}/", LONG_HOST),
        (
            "http://169.254.169.254/latest/meta-data/",
            "The address 169.254.169.254 is not public, and not in WEBHOOK_PRIVATE_NETWORKS.",
        ),
        (
            "https://[fd00:ec2::254]/",
            "The address fd00:ec2::254 is not public, and not in WEBHOOK_PRIVATE_NETWORKS.",
        ),
        ("https://10.0.0.1/", "The address 10.0.0.1 is not public, and not in WEBHOOK_PRIVATE_NETWORKS."),
        (
            "https://167772161/",
            "The address 10.0.0.1 is not public, and not in WEBHOOK_PRIVATE_NETWORKS.",
        ),
        (
            "http://93.184.216.34/",
            "http:// is for networks of WEBHOOK_PRIVATE_NETWORKS, and 93.184.216.34 is in none.",
        ),
    ],
)
def test_a_url_that_leads_nowhere_good_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(Forbidden) as refused:
        destinations.read(url)
    assert str(refused.value) == why
    assert post(url).error == why[:200]


@pytest.mark.parametrize("host", ["example.org.", ".".join(["a" * 63] * 3 + ["a" * 61]), "a_b.example.org"])
def test_a_name_may_be_as_long_as_names_are_and_end_with_a_dot(host: str) -> None:
    assert destinations.read(f"https://{host}/").host == host


def test_plain_http_is_refused_where_no_private_network_is_named(settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_NETWORKS = []
    with pytest.raises(Forbidden, match="The URL begins with https://"):
        destinations.read("http://example.org/")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "::", "::1", "fe80::1", "fc00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "fec0::1", "192.0.0.8", "192.88.99.1", "3fff::1", "::7f00:1", "64:ff9b:1::1",
        "100::1", "2001::1", "2001:db8::1", "4000::1", "192.0.0.9",
        # Where clouds tell their machines about themselves: Azure, Alibaba, Oracle, AWS.
        "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "100.100.100.200", "192.0.0.192",
        "fd00:ec2::254",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused_in_any_form(address: str, settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_NETWORKS = []
    with pytest.raises(Forbidden, match="is not public"):
        destinations.judge(ip_address(address), is_secure=True)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_are_taken_by_tls(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, [address])
    destination = destinations.read("https://public.example/")
    assert destinations.addresses(destination, sending.WHOLE_S) == [ip_address(address)]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """What names mean, look-up after look-up, the last one from then on; the names that are asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_any_of_whose_addresses_is_private_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    assert post("https://two.example/").error == (
        "The address 10.0.0.1 is not public, and not in WEBHOOK_PRIVATE_NETWORKS."
    )


def test_what_was_judged_is_connected_to_whatever_the_name_means_a_moment_later(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name means the receiver when it is asked for, and the metadata address ever after."""
    asked: list[str] = []
    genuine = socket.getaddrinfo

    def getaddrinfo(host: str, *more: Any, **named: Any) -> Any:
        if host != "rebound.example":
            return genuine(host, *more, **named)
        asked.append(host)
        meant = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (meant, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    outcome = post(receiver.url.replace("127.0.0.1", "rebound.example"))
    assert (outcome.status, asked) == (204, ["rebound.example"])
    assert receiver.got[0].headers["Host"].startswith("rebound.example:")
    assert "not public" in post(receiver.url.replace("127.0.0.1", "rebound.example")).error
    assert len(receiver.got) == 1


def test_a_redirect_is_a_failure_and_is_not_followed(receiver: Receiver) -> None:
    receiver.answer(302, {"Location": "http://169.254.169.254/latest/meta-data/"})
    outcome = post(receiver.url)
    assert (outcome.status, outcome.delivered) == (302, False)
    assert outcome.error == "Answered 302: a redirect is not followed."
    assert len(receiver.got) == 1


@pytest.mark.parametrize(("status", "delivered"), [(200, True), (204, True), (299, True), (400, False)])
def test_an_answer_of_two_hundred_and_some_is_success(
    receiver: Receiver, status: int, delivered: bool
) -> None:
    receiver.answer(status)
    assert post(receiver.url).delivered is delivered


def test_of_an_answer_without_end_the_beginning_is_read() -> None:
    with pouring(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b"x" * 65_536) as (url, taken):
        outcome = post(url)
    assert (outcome.status, outcome.answer) == (200, "x" * 500)
    assert taken.get(timeout=30) < POURED_BYTES


def test_heads_without_end_are_not_read() -> None:
    with pouring(b"HTTP/1.1 200 OK\r\n", b"X-Filler: y\r\n" * 1_000) as (url, taken):
        outcome = post(url)
    assert (outcome.status, outcome.error) == (None, "The answer is not HTTP: HTTPException.")
    assert taken.get(timeout=30) < POURED_BYTES


@pytest.mark.parametrize("size", ["-1", "-2", f"-{'f' * 40}", "f" * 40, "no number"])
def test_of_chunks_of_any_size_no_more_is_read(size: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n".encode()
    with pouring(head, b"x" * 65_536) as (url, taken):
        outcome = post(url)
    assert (outcome.status, outcome.error) == (200, "")
    # What is not read stays in the buffers between the two.
    assert taken.get(timeout=30) < POURED_BYTES


def test_of_trailers_without_end_few_are_read_and_the_answer_is_kept() -> None:
    head = b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nWhy\r\n0\r\n"
    with pouring(head, b"X-Filler: y\r\n" * 5_000) as (url, taken):
        outcome = post(url)
    assert (outcome.status, outcome.answer) == (400, "Why")
    assert taken.get(timeout=30) < POURED_BYTES


@pytest.mark.parametrize(
    "again", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"y" * 60_000]
)
def test_answers_that_do_not_come_to_their_end_are_not_read(again: bytes) -> None:
    with pouring(b"", again) as (url, taken):
        outcome = post(url)
    assert (outcome.status, outcome.error) == (None, "The answer is not HTTP: AnswerTooLong.")
    assert taken.get(timeout=30) < POURED_BYTES


def test_an_answer_in_chunks_is_put_together() -> None:
    def answer(caller: socket.socket) -> None:
        head = b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        caller.sendall(head + b"2\r\nNo\r\n5;a=b\r\n body\r\n0\r\nX-Trailer: y\r\n\r\n")

    with server(answer) as url:
        assert post(url).answer == "No body"


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_server_that_drips_is_cut_off_in_time(beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WHOLE_S", 1.0)

    def drip(caller: socket.socket) -> None:
        caller.sendall(beginning)
        while True:
            caller.sendall(b"H")
            time.sleep(0.1)

    # It drips for as long as it is read.
    with server(drip) as url:
        outcome = post(url)
    assert (outcome.status, outcome.error) == (None, "No answer within 1 s.")


def test_a_server_that_says_nothing_and_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda caller: time.sleep(30)) as url, monkeypatch.context() as impatient:
        impatient.setattr(sending, "WHOLE_S", 1.0)
        assert post(url).error == "No answer within 1 s."
    assert post(url).error == "No connection, or it broke: Connection refused."
    with server(lambda caller: None) as url:
        assert post(url).error == "The answer is not HTTP: RemoteDisconnected."


def test_a_name_that_is_not_resolved_in_time_does_not_hold_anybody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "WHOLE_S", 0.5)
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30) or [])
    try:
        assert post("https://slow.example/").error == "No answer within 0 s."
    finally:
        over.set()


def test_a_name_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert post("https://none.example/").error == "The name cannot be resolved."


def test_a_wish_to_be_left_alone_is_read_as_seconds_or_a_date_and_bounded(receiver: Receiver) -> None:
    def asked_for(text: str) -> float:
        receiver.answer(503, {"Retry-After": text})
        return post(receiver.url).retry_after_s

    assert [asked_for(text) for text in ("120", "-1", "soon", "", "9" * 100)] == [120, 0, 0, 0, 86_400]
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3_500 < asked_for(in_an_hour) <= 3_600


def test_an_answer_is_kept_as_text_that_postgres_and_pages_take(receiver: Receiver) -> None:
    receiver.answer(500, body=b"a\0b\xff<script>\x1b[2J")
    assert post(receiver.url).answer == "a\ufffdb\ufffd<script>\ufffd[2J"


def certificate(name: str, where: Path) -> Path:
    """A certificate for a name, signed by itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = where / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_by_tls_the_certificate_is_that_of_the_name_and_not_of_the_address(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate("hooks.example", tmp_path)
    names: list[str | None] = []
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(file)
    served.sni_callback = lambda connection, name, context: names.append(name)
    receiver.server.socket = served.wrap_socket(receiver.server.socket, server_side=True)
    resolve_to(monkeypatch, ["127.0.0.1"])
    trusting = ssl.create_default_context(cafile=str(file))
    monkeypatch.setattr(sending, "_tls", lambda: trusting)
    port = receiver.url.split(":")[2]
    monkeypatch.setattr(socket, "create_connection", _straight(socket.create_connection))
    assert post(f"https://hooks.example:{port}").status == 204
    assert names == ["hooks.example"]
    assert receiver.got[0].headers["Host"] == f"hooks.example:{port.partition('/')[0]}"
    assert post(f"https://other.example:{port}").error.startswith(
        "The certificate was refused: Hostname mismatch"
    )
    monkeypatch.undo()


def _straight(connect: Any) -> Any:
    """Connections to addresses, while names are resolved as a test says."""

    def straight(where: tuple[str, int], timeout: float) -> socket.socket:
        found = socket.socket()
        found.settimeout(timeout)
        found.connect(where)
        return found

    return straight


def test_a_network_that_is_named_may_be_sent_to(settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_NETWORKS = [ip_network("10.1.0.0/16")]
    destinations.judge(ip_address("10.1.2.3"), is_secure=False)
    with pytest.raises(Forbidden):
        destinations.judge(ip_address("10.2.0.1"), is_secure=True)
