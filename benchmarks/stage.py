"""What every part plays on: private servers, a migrated database, users, a token, and the books.

Nothing of Django is imported before the servers are up, since its settings name them.
"""

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command

from dev.servers import PrivatePostgres, PrivateRedis
from dev.waiting import wait_until

# For Redis to write its file anew.
CALM_S = 120.0
# Keys of four digits, so that requests have one length.
USERS = range(1000, 2000)
_SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "transaction_monitoring.settings",
    "DEBUG": "false",
    "ALLOWED_HOSTS": "127.0.0.1",
    "ALLOW_ANONYMOUS_API": "true",
    "ALLOW_DELETE_ALL": "false",
    "SECURE_SSL_REDIRECT": "false",
    "LOG_LEVEL": "WARNING",
    # On, and never reached.
    "RATE_LIMIT_RECORDS_PER_SECOND": "10000000",
    "RATE_LIMIT_BURST": "100000000",
    # Receivers are on this machine.
    "WEBHOOK_SECRET_KEYS": "benchmarks" * 4,
    "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
}


class Unbalanced(Exception):
    """The books do not balance after a part, or something still waits: what it measured is worth nothing."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything; `quick` is for seeing that it runs, not for figures."""

    quick: bool
    # A window of single POSTs or batches, and how often each contestant has its turn.
    window_s: float
    warm_up_s: float
    rounds: int
    flush_records: tuple[int, ...]
    copy_records: int
    sustained_s: float
    sustained_rate: int
    average_rows: tuple[int, ...]


QUICK = Scale(True, 0.7, 0.3, 1, (20_000,), 20_000, 8.0, 10_000, (100_000,))
FULL = Scale(False, 3.0, 1.0, 2, (100_000, 500_000), 200_000, 60.0, 25_000, (1_000_000, 10_000_000))


@dataclass(frozen=True, slots=True)
class Stage:
    """A token with the rights to post and to read, and the keys of the users that are posted for."""

    directory: Path
    scale: Scale
    token: str
    users: range


@contextmanager
def set_up(scale: Scale) -> Iterator[Stage]:
    """Starts the servers in a temporary directory, and takes all of it away at the end."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transactions-bench-")))
        servers = (PrivatePostgres(directory / "postgres"), PrivateRedis(directory / "redis"))
        for server in servers:
            stack.callback(server.stop)
            server.start()
        os.environ.update(
            _SETTINGS,
            SECRET_KEY=secrets.token_urlsafe(48),
            DATABASE_URL=servers[0].url,
            REDIS_URL=servers[1].url,
            DATA_DIR=str(directory),
        )
        (directory / "static").mkdir()  # or every process warns that it is not there
        django.setup()
        call_command("migrate", verbosity=0)
        yield Stage(directory, scale, _fill(), USERS)


def _fill() -> str:
    """Makes the users, the baselines' table, and a token."""
    from django.contrib.auth.models import User  # noqa: PLC0415  (once Django is set up)
    from django.db import connection  # noqa: PLC0415

    from benchmarks.baselines.models import NaiveTransaction  # noqa: PLC0415
    from transactions.access.tokens import create  # noqa: PLC0415

    with connection.schema_editor() as editor:
        editor.create_model(NaiveTransaction)
    User.objects.bulk_create(User(pk=key, username=f"payer-{key}") for key in USERS)
    token, _ = create("benchmarks")
    return token


def settle_up() -> str:
    """Flushes until nothing waits and says how the books stand. Raises Unbalanced."""
    from transactions.books import balance  # noqa: PLC0415
    from transactions.storing import flush  # noqa: PLC0415

    for _ in range(100):
        flush.flush()
        found = balance.read()
        if not found.buffered and not found.in_flight:
            break
    if not found.balanced or found.buffered or found.in_flight:
        raise Unbalanced(f"The books do not balance: {found}")
    return (
        f"Books: accepted {found.accepted:,} = stored {found.stored:,} + settled {found.settled:,} "
        f"+ duplicates {found.duplicates:,} + rejected {found.rejected:,}; nothing waits."
    )


def calm_down() -> None:
    """Has the stores do now what they still owe to what was stored: the next part is not measured amid it."""
    from django.db import connection as postgres  # noqa: PLC0415

    from transactions.stores.redis_connection import connection  # noqa: PLC0415
    from transactions.tables import TRANSACTIONS  # noqa: PLC0415

    with postgres.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {TRANSACTIONS}")
        cursor.execute("CHECKPOINT")
    wait_until(
        lambda: not connection().info("persistence")["aof_rewrite_in_progress"], CALM_S, "Redis is calm"
    )


_began = time.monotonic()


def say(line: str) -> None:
    """A line of progress."""
    print(f"{time.monotonic() - _began:6.0f} s  {line}", file=sys.stderr, flush=True)
