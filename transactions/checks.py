"""System checks: what is wrong with the settings before it is wrong with the money. `apps` registers them."""

import re
from typing import Any

import psycopg2
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from .stores.own_sessions import SessionsShared
from .stores.postgres_session import Session

# Purpose: the language of the server's messages, where it waits for standbys.
SELECT_LANGUAGE = """
    SELECT current_setting('lc_messages') WHERE current_setting('synchronous_standby_names') <> ''
"""
ENGLISH = re.compile(r"(C|POSIX|en)(_|\.|$)|English", re.IGNORECASE)


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


def standbys_are_heard(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Before migrations: where commits wait for a standby, a cancelled wait is told in words that we know."""
    if "default" not in (databases or ()):
        return []
    try:
        with Session("transactions check") as session, session.transaction() as cursor:
            cursor.execute(SELECT_LANGUAGE)
            (language,) = cursor.fetchone() or ("C",)
    except psycopg2.Error:
        return []
    if ENGLISH.match(language):
        return []
    return [
        Error(
            f"PostgreSQL waits for standbys and speaks {language}: a COMMIT that none confirmed looks well.",
            hint="ALTER SYSTEM SET lc_messages = 'C'; SELECT pg_reload_conf(); as a superuser.",
            id="transactions.E003",
        )
    ]
