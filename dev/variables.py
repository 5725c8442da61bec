"""The variables by which a user tells the system something, and a suite that does not hear them."""

import os
import re
from pathlib import Path

_EXAMPLE = Path(__file__).resolve().parent.parent / ".env.example"
# Beside those of .env.example: of `make run`, of commands that post or listen, Django's, and of fault tests.
_OTHERS = {
    "ADMIN_PASSWORD",
    "API_TOKEN",
    "CRASH_FUSES",
    "CRASH_POINT",
    "DJANGO_SETTINGS_MODULE",
    "WEBHOOK_SECRET",
    "WEB_CONCURRENCY",
}
# Read by every client of PostgreSQL, and by the server: a port, a service, options of each session.
_OF_POSTGRES = "PG"


def names() -> set[str]:
    """Every variable that the application, `make run` or a command of theirs reads by its name."""
    return {*_OTHERS, *re.findall("^(?:# )?([A-Z][A-Z_]+)=", _EXAMPLE.read_text(), re.MULTILINE)}


def forget() -> None:
    """Take them, and PostgreSQL's own, out of the environment: of this process and of those it starts."""
    known = names()
    for name in list(os.environ):
        if name in known or name.startswith(_OF_POSTGRES):
            del os.environ[name]
