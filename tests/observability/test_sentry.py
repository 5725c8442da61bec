"""Errors reported by Sentry's protocol: that they arrive, and what they leave out."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.serving import ROOT

AMOUNT = 867_530_931_337
TOKEN = "txmon_" + "A" * 43

# Purpose: a view that fails with a token and an amount wherever they could be, and a line of the log.
# Its own lines may arrive, as source code does, so what must not arrive does not stand there as it is.
FAIL = f"""
import logging
import django
django.setup()
from django.test import RequestFactory
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIHandler
import transaction_monitoring.urls as urls
from django.urls import path

def fails(request):
    amount = int("{AMOUNT:x}", 16)
    logging.getLogger("pipeline").info("a %s of %s", "crumb", amount)
    raise ValueError("broken {TOKEN}\\nDETAIL:  Failing row contains (" + str(amount) + ").")

urls.urlpatterns.insert(0, path("fails/", fails))
from wsgiref.util import setup_testing_defaults
import io
body = b'{{"amount": %d}}' % int("{AMOUNT:x}", 16)
environ = {{}}
setup_testing_defaults(environ)
environ.update(PATH_INFO="/fails/", QUERY_STRING="token={TOKEN}&amount={AMOUNT}", REQUEST_METHOD="POST",
    CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(body)), HTTP_AUTHORIZATION="Bearer {TOKEN}",
    HTTP_COOKIE="sessionid=SESSION", HTTP_HOST="localhost", **{{"wsgi.input": io.BytesIO(body)}})
from transaction_monitoring.wsgi import application
from django.views.decorators.csrf import csrf_exempt
fails.csrf_exempt = True
b"".join(application(environ, lambda status, headers, *_: print(status)))
logging.getLogger("pipeline").error("%s of {TOKEN} failed", {AMOUNT})
import sentry_sdk
sentry_sdk.flush(20)
"""


@pytest.fixture
def sink() -> Iterator[tuple[str, list[str]]]:
    """A DSN, and what arrives there."""
    arrived: list[str] = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            arrived.append(body.decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Sink) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://key@127.0.0.1:{server.server_port}/1", arrived
        server.shutdown()
        thread.join()


def run(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_an_error_arrives_without_tokens_amounts_or_sessions(sink: tuple[str, list[str]]) -> None:
    dsn, arrived = sink
    result = run(FAIL, SENTRY_DSN=dsn)
    assert "500" in result.stdout, result.stderr
    text = "\n".join(arrived)
    assert "ValueError" in text
    assert "/fails/" in text
    for secret in (TOKEN, "SESSION", "a crumb"):
        assert secret not in text
    failure = next(event for event in arrived if "ValueError" in event)
    assert str(AMOUNT) not in failure


def test_without_its_setting_it_is_not_even_imported() -> None:
    result = run("import django, sys; django.setup(); print('sentry_sdk' in sys.modules)", SENTRY_DSN="")
    assert result.stdout == "False\n", result.stderr
