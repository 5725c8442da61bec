"""The compose file's proxy, run here: nginx with the project's own configuration and command."""

import contextlib
import http.server
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from dev.ports import free_port
from tests.support.containers import command, health_check, service
from tests.support.serving import ROOT

# The marks of tests of it.
NEEDS_NGINX = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("nginx", "openssl", "envsubst", "curl"))),
        reason="nginx, openssl, envsubst or curl is not installed: apt-get install nginx-light gettext-base",
    ),
]
# The bytes that a body may have in these.
LIMIT = 100_000
TEMPLATE = ROOT / "deploy" / "nginx" / "nginx.conf.template"
# Of a curve: a key of RSA takes a tenth of a second to find, and more with bad luck.
SELF_SIGNED = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout privkey.pem -out fullchain.pem"
)


@dataclass
class Proxy:
    """A running proxy; `plain` is its address without TLS, `secure` the one with."""

    process: "subprocess.Popen[bytes]"
    plain: str
    secure: str
    tls: ssl.SSLContext
    health_check: list[str]
    log: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.secure, verify=self.tls, trust_env=False, timeout=60)

    def socket(self) -> ssl.SSLSocket:
        """A TLS connection to it."""
        parts = urlsplit(self.secure)
        raw = socket.create_connection((str(parts.hostname), parts.port or 443), 60)
        return self.tls.wrap_socket(raw, server_hostname=str(parts.hostname))


@contextlib.contextmanager
def proxy(
    directory: Path,
    *upstreams: str,
    body_bytes: int = 0,
    file_bytes: int = 0,
    hosts: str = "",
    **changed: str,
) -> Iterator[Proxy]:
    """Runs it before `upstreams` (http://127.0.0.1:PORT), its files in `directory`.

    It is run as it stands in the compose file but for where it listens, writes and asks;
    `changed` replaces values of its directives. No file that it writes may pass `file_bytes`, as on
    a small /tmp; `hosts` are those of ALLOWED_HOSTS beside localhost.
    """
    certificates = directory / "certificates"
    certificates.mkdir()
    subprocess.run(SELF_SIGNED.split(), cwd=certificates, capture_output=True, check=True)
    plain, secure = free_port(), free_port()
    places = {
        "listen 8080": f"listen 127.0.0.1:{plain}",
        "listen 8443": f"listen 127.0.0.1:{secure}",
        "server web:8000;": " ".join(f"server {urlsplit(url).netloc};" for url in upstreams),
        "/certificates/": f"{certificates}/",
        "/tmp/": f"{directory}/",
        "/etc/nginx/nginx.conf.template": str(directory / "template"),
        "https://127.0.0.1:8443": f"https://127.0.0.1:{secure}",
        # Where the tests run as root, whose files in `directory` nobody else may read.
        "'daemon off;'": "'daemon off; user root;'" if os.geteuid() == 0 else "'daemon off;'",
    }

    def moved(text: str) -> str:
        return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)

    template = moved(TEMPLATE.read_text())
    for directive, value in changed.items():
        before = template
        template = template.replace(f"{directive} 10s;", f"{directive} {value};")
        assert template != before, directive
    (directory / "template").write_text(template)
    environment = {"PATH": os.environ["PATH"], **service("proxy")["environment"]}
    if body_bytes:
        environment["DATA_UPLOAD_MAX_MEMORY_SIZE"] = str(body_bytes)
    if hosts:
        environment["ALLOWED_HOSTS"] = f"localhost,{hosts}"
    small = ["prlimit", f"--fsize={file_bytes}"] if file_bytes else []
    log = directory / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*small, *(moved(word) for word in command("proxy"))],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_it_listens(process, secure, log)
        context = ssl.create_default_context(cafile=str(certificates / "fullchain.pem"))
        yield Proxy(
            process,
            f"http://localhost:{plain}",
            f"https://localhost:{secure}",
            context,
            [moved(word) for word in health_check("proxy")],
            log,
        )
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()) from None
            time.sleep(0.05)


PIECE_BYTES = 65_536


@dataclass
class Upstream:
    """A service of the test's own that notes what it is asked."""

    url: str = ""
    # The path and the headers of each request.
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    # Seconds until it answers.
    takes_s: float = 0.0
    # Bytes of a body of its own, in place of `here`.
    sends: int = 0
    # Whether it hangs up in place of an answer.
    breaks: bool = False


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:
    """Serves in a thread, answering everything with 200 and the body `here`."""
    notes = Upstream()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            notes.asked.append((self.path, dict(self.headers.items())))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            time.sleep(notes.takes_s)
            if notes.breaks:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Length", str(notes.sends or 4))
            self.end_headers()
            for _ in range(notes.sends // PIECE_BYTES):
                self.wfile.write(bytes(PIECE_BYTES))
            if not notes.sends:
                self.wfile.write(b"here")

        do_GET = do_POST = answer

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 1024

    with Server(("127.0.0.1", 0), Handler) as server:
        notes.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield notes
        finally:
            server.shutdown()
            thread.join()
