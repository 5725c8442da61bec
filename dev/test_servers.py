"""A pytest plugin: private servers for one test session, up before Django reads its settings.

Named in pyproject.toml, so that `make test`, `python -m pytest` and `manage.py test` are alike.
The servers' files are in a temporary directory, removed at the end; the servers die with pytest.
With `pytest -n 3` each of the three workers is a session with servers of its own.
What the shell says to the system is forgotten first: it may name real servers, and the tests empty theirs.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from dev.servers import PrivatePostgres, PrivateRedis, ServerError
from dev.variables import forget

_SETTINGS = {
    "DEBUG": "false",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],testserver",
    "ALLOW_ANONYMOUS_API": "true",
    "RATE_LIMIT_RECORDS_PER_SECOND": "0",
    "ALLOW_DELETE_ALL": "true",
    # A busy machine is no reason for the door to decide without PostgreSQL.
    "LOOKUP_TIMEOUT_MS": "10000",
    "SECURE_SSL_REDIRECT": "false",
}
_NOWHERE = {
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "DATA_DIR": "/nonexistent",
}
# What this plugin sets; a test that starts a run as a user would takes them out again.
EXPORTED = {*_SETTINGS, *_NOWHERE, "SECRET_KEY"}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    # A wrapper comes before pytest-django's hook of the same name, which loads the settings.
    forget()
    os.environ.update(_SETTINGS, SECRET_KEY=secrets.token_urlsafe(48), **_stores(early_config))
    return (yield)


def _stores(config: pytest.Config) -> dict[str, str]:
    """Where this process' servers are, once they are up, and its directory; both go at the end."""
    workers = getattr(config.known_args_namespace, "numprocesses", None)
    if workers and "PYTEST_XDIST_WORKER" not in os.environ:
        # It loads the settings, hands tests out and runs none.
        return _NOWHERE
    directory = Path(tempfile.mkdtemp(prefix="transactions-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    postgres = PrivatePostgres(directory / "postgres")
    redis_server = PrivateRedis(directory / "redis")
    for server in (postgres, redis_server):
        # Cleanups run in reverse: the servers stop before their files go.
        config.add_cleanup(server.stop)
        try:
            server.start()
        except ServerError as error:
            # The log goes with the directory: show its end.
            log = server.log.read_text(errors="replace")[-2000:] if server.log.exists() else ""
            raise pytest.UsageError(f"{error}\n{log}") from None
    return {"DATABASE_URL": postgres.url, "REDIS_URL": redis_server.url, "DATA_DIR": str(directory)}
