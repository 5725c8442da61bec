"""A guest with the application installed by the handbook, or why there is none."""

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.compose.sending import Sender
from tests.units.guest import Guest, debian, unavailable
from tests.units.installed import Installed


@pytest.fixture(scope="session")
def lower(pytestconfig: pytest.Config) -> Iterator[Path]:
    """Debian; UNITS_ROOT names a directory that keeps it for the next time."""
    why = unavailable()
    if why:
        pytest.skip(f"systemd cannot be a first process here: {why}")
    with tempfile.TemporaryDirectory(prefix="units-", ignore_cleanup_errors=True) as name:
        kept = Path(os.environ.get("UNITS_ROOT") or name)
        kept.mkdir(parents=True, exist_ok=True)
        yield debian(kept, partial(_say, pytestconfig))


def _say(config: pytest.Config, text: str) -> None:
    """To who waits, past what is kept for a test that fails."""
    capture = config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\n{text}", flush=True)


@pytest.fixture(scope="session")
def guest(lower: Path) -> Iterator[Guest]:
    with tempfile.TemporaryDirectory(prefix="units-", ignore_cleanup_errors=True) as name:
        made = Guest(str(lower), Path(name))
        try:
            made.boot()
            yield made
        finally:
            made.power_off()


@pytest.fixture(scope="session")
def installed(guest: Guest) -> Installed:
    made = Installed(guest)
    made.install()
    made.wait_until_up()
    made.enroll()
    return made


@pytest.fixture(scope="session")
def sender(installed: Installed) -> Sender:
    return Sender(installed)
