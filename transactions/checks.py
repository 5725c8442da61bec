"""System checks: what is wrong with the settings before it is wrong with the money. `apps` registers them."""

from typing import Any

import psycopg2
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from .stores.own_sessions import SessionsShared
from .stores.postgres_session import Session


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


def sessions_are_ours(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Before migrations, and so before everything: no pooler lends PostgreSQL's sessions by transaction."""
    if "default" not in (databases or ()):
        return []
    try:
        with Session("transactions check") as session:
            session.insist_on_own()
    except SessionsShared as error:
        return [Error(str(error), hint="See docs/operations.md#pgbouncer.", id="transactions.E002")]
    except psycopg2.Error:
        pass  # A server that does not answer is told of by whoever needs it.
    return []
