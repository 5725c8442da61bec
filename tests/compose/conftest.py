"""An engine and its images, or why there are none; a site that the tests of a module go through in order."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import stand_ins
from tests.compose.engine import Engine, engine, unavailable


@pytest.fixture(scope="session")
def machine() -> Iterator[Engine]:
    """An engine with the stand-ins; COMPOSE_IMAGES names a directory that keeps them for the next time.

    Left out where something is not installed; an engine that is there and does not start fails its tests.
    """
    why = unavailable()
    if why:
        pytest.skip(f"no engine for containers: {why}")
    with tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True) as name:
        root = Path(os.environ.get("COMPOSE_IMAGES") or f"{name}/root")
        root.mkdir(parents=True, exist_ok=True)
        with engine(Path(name), root) as running:
            stand_ins.make(running)
            yield running
