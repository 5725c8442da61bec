"""System checks: what is wrong with the settings before it is wrong with the money. `apps` registers them."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning


def nothing_open_in_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """`check --deploy`: a system for others lets nobody in unknown, and deletes nothing at a word."""
    found: list[CheckMessage] = []
    if settings.ALLOW_ANONYMOUS_API and not settings.DEBUG:
        found.append(
            Error(
                "ALLOW_ANONYMOUS_API is on with DEBUG off: anybody who reaches the server could post.",
                hint="Unset ALLOW_ANONYMOUS_API and give each client a token.",
                id="transactions.E001",
            )
        )
    if settings.ALLOW_DELETE_ALL and not settings.DEBUG:
        found.append(
            Warning(
                "ALLOW_DELETE_ALL is on with DEBUG off: one request empties every table.",
                hint="Unset ALLOW_DELETE_ALL.",
                id="transactions.W001",
            )
        )
    return found
