"""The PostgreSQL cluster that every session of tests begins with a copy of.

To make one and to migrate its database takes seconds of a processor; to copy it takes a tenth of one. It
is kept in pytest's cache, under a name that says what it was made from.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from dev.servers import PrivatePostgres, ServerError

ROOT = Path(__file__).resolve().parent.parent
# Migrated, and otherwise empty.
DATABASE = "test_transactions_database"
# What migrations import, beside themselves, and which applications there are.
_IMPORTED = (
    "dev/servers.py",
    "dev/test_cluster.py",
    "transaction_monitoring/*settings.py",
    "transactions/models.py",
    "transactions/stores/*.py",
)


def begin_with_copy(directory: Path, cache: Path, settings: dict[str, str]) -> None:
    """Puts the cluster with the migrated database into `directory`, which is not there yet.

    It is made anew where `cache` has none of today's migrations and packages; two who need it at once
    make it once, each account in a directory of its own. `settings` is the environment of the application.
    Raises ServerError, also where there is no room for a copy.
    """
    cache /= f"clusters-{os.geteuid()}"
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / f"cluster-{_made_from()}"
    with (cache / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            for old in cache.glob("cluster-*"):
                shutil.rmtree(old)
            _make(kept, settings)
        _copy(kept, directory)


def _made_from() -> str:
    """Another one where a migration, a package, Python or the account is another."""
    digest = hashlib.sha256(f"{sys.version} {os.geteuid()}".encode())
    # Each has its version in the name.
    packages = sorted(each.name for each in Path(psycopg2.__file__).parents[1].glob("*.dist-info"))
    digest.update("\n".join(packages).encode())
    files = {
        *ROOT.glob("transactions/**/migrations/*.py"),
        *(f for name in _IMPORTED for f in ROOT.glob(name)),
    }
    for file in sorted(files):
        digest.update(f"\n{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _make(kept: Path, settings: dict[str, str]) -> None:
    # Not where it is kept: a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="transactions-cluster-") as made:
        postgres = PrivatePostgres(Path(made) / "postgres")
        try:
            postgres.start()
            with closing(psycopg2.connect(postgres.url)) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
            _migrate({**settings, "DATABASE_URL": database_url(postgres), "DATA_DIR": made})
        except ServerError as error:
            said = postgres.log.read_text(errors="replace")[-2000:] if postgres.log.exists() else ""
            raise ServerError(f"{error}\n{said}") from None
        finally:
            postgres.stop()
        attempt = kept.with_name("attempt")
        shutil.rmtree(attempt, ignore_errors=True)
        _copy(postgres.directory, attempt)
    # All of it or nothing, also where the power fails.
    os.sync()
    attempt.rename(kept)


def _migrate(settings: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "--run-syncdb", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True)
    if done.returncode != 0:
        raise ServerError(f"manage.py migrate ended with status {done.returncode}:\n{done.stderr[-2000:]}")


def database_url(postgres: PrivatePostgres) -> str:
    """DATABASE_URL of the migrated database."""
    return urlsplit(postgres.url)._replace(path=f"/{DATABASE}").geturl()


def _copy(source: Path, target: Path) -> None:
    # `cp` keeps the owner, who need not be who runs the tests; `-a` is all that every system's knows of it.
    done = subprocess.run(["cp", "-a", str(source), str(target)], capture_output=True, text=True)
    if done.returncode != 0:
        raise ServerError(f"{source} could not be copied to {target}: {done.stderr.strip()[-500:]}")
