"""A pytest plugin: private servers for one test session, up before Django reads its settings.

Named in pyproject.toml, so that `make test`, `python -m pytest` and `manage.py test` are alike.
The servers' files are in a temporary directory, removed at the end; the servers die with pytest.
With `pytest -n 3` each of the three workers is a session with servers of its own.
What the shell says to the system is forgotten first: it may name real servers, and the tests empty theirs.
"""

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from dev import test_cluster
from dev.launch import die_with_parent
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
    # Nor for a search to give up, or for an answer to be kept until a page is no longer waited for.
    "SEARCH_MS_MAX": "10000",
    "KEPT_TIMES_ITS_COST": "0",
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
    _keep_bytecode()
    # Taken out: a suite that a test starts is no worker.
    worker = os.environ.pop("PYTEST_XDIST_WORKER", None) is not None
    # `-n 3`, say: this one loads the settings too, and hands the tests out to workers, who end with it.
    hands_out = not worker and getattr(early_config.known_args_namespace, "numprocesses", None)
    if not hands_out:
        _end_in_order(worker)
    settings = {**_SETTINGS, "SECRET_KEY": secrets.token_urlsafe(48)}
    stores = _NOWHERE if hands_out else _started(early_config, {**settings, **_NOWHERE})
    os.environ.update(settings, **stores)
    return (yield)


def _keep_bytecode() -> None:
    """A suite starts hundreds of Pythons: without it each of them compiles the whole project."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _end_in_order(worker: bool) -> None:
    """SIGTERM is as Ctrl-C: what is to be done at the end is done."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if worker:
        die_with_parent(os.getppid(), signal.SIGTERM)
        # By which it is told to end early; whoever starts a suite in the background has it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _started(config: pytest.Config, settings: dict[str, str]) -> dict[str, str]:
    """Where this process' servers are, once they are up, and its directory; all of it goes at the end."""
    closing = contextlib.ExitStack()
    config.add_cleanup(closing.close)
    # A worker whose controller was killed does not get as far as that.
    atexit.register(closing.close)
    directory = Path(tempfile.mkdtemp(prefix="transactions-tests-"))
    closing.callback(shutil.rmtree, directory, ignore_errors=True)
    postgres = PrivatePostgres(directory / "postgres")
    redis_server = PrivateRedis(directory / "redis")
    try:
        test_cluster.begin_with_copy(postgres.directory, config.rootpath / ".pytest_cache", settings)
    except (ServerError, OSError) as error:
        raise pytest.UsageError(str(error)) from None
    for server in (postgres, redis_server):
        closing.callback(server.stop)
        try:
            server.start()
        except ServerError as error:
            # The log goes with the directory: show its end.
            log = server.log.read_text(errors="replace")[-2000:] if server.log.exists() else ""
            raise pytest.UsageError(f"{error}\n{log}") from None
    return {"DATABASE_URL": postgres.url, "REDIS_URL": redis_server.url, "DATA_DIR": str(directory)}
