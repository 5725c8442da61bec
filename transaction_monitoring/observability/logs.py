"""How a line of the log looks, and what never stands in one.

JSON for a collector, plain text in a terminal. Both bear the id of the request that caused the line,
and both leave out tokens and what PostgreSQL quotes of a row in its errors: our own lines name
neither amounts nor contents, but an exception's text is its library's.
"""

import json
import logging
import re
import time
from contextvars import ContextVar
from copy import copy
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http.multipartparser import MultiPartParserError

from transactions.encodings import UNSEEN_RANGES

# The id of the request that is being served here; "" outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")

_TOKEN = re.compile(r"txmon_[A-Za-z0-9_-]{8,}")
# PostgreSQL quotes rows, parameters and statements in these; in a repr all of it is one line.
_QUOTED = re.compile(r"(DETAIL|CONTEXT|LINE \d+|STATEMENT): .*")
# A terminal obeys them, and a line of somebody else's could look like one of ours: controls, what is not
# seen, what turns the direction of writing, what ends a line.
_UNSEEN = {ord("\r"), *(code for first, last in UNSEEN_RANGES for code in range(first, last + 1))}
_ESCAPES = {code: f"\\x{code:02x}" if code < 256 else ascii(chr(code))[1:-1] for code in _UNSEEN}
# Whom we refuse for what they sent: that says all, and no line of code is to blame.
_REFUSALS = (PermissionDenied, SuspiciousOperation, BadRequest, MultiPartParserError)


def redacted(text: str) -> str:
    """`text` without tokens and without what PostgreSQL quotes of the data."""
    return _QUOTED.sub(r"\1: (left out)", _TOKEN.sub("txmon_(left out)", text))


def _brief(record: logging.LogRecord) -> logging.LogRecord:
    """The record, and of a request that Django refused without the traceback, as no error: one line."""
    of_django = record.name == "django.request" or record.name.startswith("django.security")
    if not (of_django and record.exc_info and isinstance(record.exc_info[1], _REFUSALS)):
        return record
    # A copy: Sentry may want the rest.
    brief = copy(record)
    brief.exc_info = brief.exc_text = None
    brief.levelname = "WARNING"
    return brief


class NoRefusals(logging.Filter):
    """Drops Django's line for each 429 and 503: they come in thousands, and metrics count them.

    What is behind a 503 has a line of its own, by whom it failed.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) not in (429, 503)


class ReadableFormatter(logging.Formatter):
    """Time, level, logger, message, and the request's id in brackets where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return f"{line} [{name}]" if (name := request_id.get()) else line

    def format(self, record: logging.LogRecord) -> str:
        line = redacted(super().format(_brief(record)))
        return line.encode("utf-8", "backslashreplace").decode().translate(_ESCAPES)


class JSONFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger, process, message; request_id, exception if any."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        record = _brief(record)
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": redacted(record.getMessage()),
        }
        if name := request_id.get():
            line["request_id"] = name
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        # In ASCII, of which json lets one control through.
        return json.dumps(line).replace("\x7f", r"\u007f")


LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def configuration(level: str, *, readable: bool) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, our own lines from `level` on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": ReadableFormatter if readable else JSONFormatter}},
        "filters": {"refusals": {"()": NoRefusals}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Under DEBUG Django has a handler of its own there, and every line would come twice.
            "django": {"handlers": []},
            "daphne": {"level": "WARNING"},
            "django.request": {"filters": ["refusals"]},
            # Its version at every command, and two lines for every log-in.
            "axes": {"level": "WARNING"},
            # Three lines for every tick say less than the one line of a flush that stored something.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }
