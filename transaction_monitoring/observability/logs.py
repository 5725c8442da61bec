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
from typing import Any

# The id of the request that is being served here; "" outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")

_TOKEN = re.compile(r"txmon_[A-Za-z0-9_-]{8,}")
# PostgreSQL quotes rows, parameters and statements in these; in a repr all of it is one line.
_QUOTED = re.compile(r"(DETAIL|CONTEXT|LINE \d+|STATEMENT): .*")
# A terminal obeys them, and a line of somebody else's could look like one of ours.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127) if chr(code) not in "\n\t"}


def redacted(text: str) -> str:
    """`text` without tokens and without what PostgreSQL quotes of the data."""
    return _QUOTED.sub(r"\1: (left out)", _TOKEN.sub("txmon_(left out)", text))


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
        line = redacted(super().format(record))
        return line.encode("utf-8", "backslashreplace").decode().translate(_CONTROL)


class JSONFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger, process, message; request_id, exception if any."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
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
        return json.dumps(line)


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
