"""How a line of the log looks, and what never stands in one."""

import json
import logging
import re

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, SuspiciousOperation
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from transaction_monitoring.observability.logs import JSONFormatter, ReadableFormatter, redacted, request_id

# Whatever we say of it: an amount like no other number.
AMOUNT = 867_530_931_337


@pytest.mark.parametrize("formatter", [JSONFormatter(), ReadableFormatter()])
def test_a_line_says_what_happened_and_leaves_out_what_it_must(formatter: logging.Formatter) -> None:
    words = f"txmon_{'A' * 43} is null\nDETAIL:  Failing row contains ({AMOUNT}).\nCONTEXT:  COPY"
    try:
        raise ValueError(words)
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("pipeline", logging.ERROR, "file", 1, "A \x1b[2J\udcff %s", ("é",), told)
    mark = request_id.set("request-1")
    text = formatter.format(record)
    request_id.reset(mark)
    assert "ERROR" in text
    assert "request-1" in text
    assert "Traceback" in text
    assert "\x1b" not in text
    text.encode()
    for secret in ("AAAA", str(AMOUNT), "COPY"):
        assert secret not in text
    assert redacted(f"IntegrityError('no\\nDETAIL: {AMOUNT}')") == "IntegrityError('no\\nDETAIL: (left out)"


# CSI in Latin-1, next line, a line and a paragraph separator, bidi, zero width, BOM, a tag; DEL.
UNSEEN = (
    "\x80\x85\x9b\x9f\u2028\u2029\u061c\u200e\u200f\u202a"
    "\u202e\u2066\u2069\u200b\u2060\ufeff\xad\U000e0041\x7f\x1b\r"
)


@pytest.mark.parametrize("formatter", [JSONFormatter(), ReadableFormatter()])
@pytest.mark.parametrize("character", UNSEEN)
def test_what_a_terminal_would_obey_is_escaped(formatter: logging.Formatter, character: str) -> None:
    """In a message, and in an exception's text."""
    try:
        raise ValueError(f"é{character}[31m")
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("pipeline", logging.ERROR, "file", 1, "A %s B", (character,), told)
    line = formatter.format(record)
    assert character not in line
    assert len(line.splitlines()) == line.count("\n") + 1
    if isinstance(formatter, JSONFormatter):
        assert json.loads(line)["message"] == f"A {character} B"
    else:
        escaped = {"\x1b": r"\x1b", "\r": r"\x0d"}.get(character, character.encode("unicode_escape").decode())
        assert f"A {escaped} B" in line
        assert f"é{escaped}[31m" in line


def test_letters_of_every_script_stay_readable() -> None:
    words = "Müller עברית العربية 日本語 😀 \xa0 ¿"
    record = logging.LogRecord("pipeline", logging.INFO, "file", 1, words, (), None)
    assert words in ReadableFormatter().format(record)


@pytest.mark.parametrize("formatter", [JSONFormatter(), ReadableFormatter()])
@pytest.mark.parametrize("refusal", [PermissionDenied, SuspiciousOperation, BadRequest, DisallowedHost])
def test_a_request_that_is_refused_is_one_line(
    formatter: logging.Formatter, refusal: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(request: HttpRequest) -> HttpResponse:
        raise refusal("not you")

    convert_exception_to_response(refuse)(RequestFactory().get("/admin/x/"))
    (record,) = caplog.records
    assert record.name.startswith(("django.request", "django.security"))
    line = formatter.format(record)
    assert ("\n" in line, "Traceback" in line) == (False, False)
    assert re.search("not you|Forbidden|Bad request", line)
    # Another handler, Sentry's say, still has it all.
    assert record.exc_info


def test_what_fails_in_a_view_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: HttpRequest) -> HttpResponse:
        raise ValueError("ours")

    convert_exception_to_response(fail)(RequestFactory().get("/admin/x/"))
    assert "Traceback" in ReadableFormatter().format(caplog.records[0])


@pytest.mark.django_db(transaction=True)
def test_a_403_of_the_admin_is_one_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get("/admin/transactions/transaction/").status_code == 403
    lines = [ReadableFormatter().format(record) for record in caplog.records]
    assert [line.partition(" WARNING ")[2] for line in lines] == [
        "django.request: Forbidden (Permission denied): /admin/transactions/transaction/"
    ]


def test_a_line_of_json_is_one_line() -> None:
    record = logging.LogRecord("pipeline", logging.INFO, "file", 1, "two\nlines", (), None)
    told = json.loads(JSONFormatter().format(record))
    assert "\n" not in JSONFormatter().format(record)
    assert (told["message"], told["level"], told["logger"]) == ("two\nlines", "INFO", "pipeline")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["time"])
    assert "request_id" not in told
