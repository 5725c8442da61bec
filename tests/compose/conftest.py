"""An engine and its images, or why there are none; a site that the tests of a module go through in order."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.compose import stand_ins
from tests.compose.engine import Engine, UnstartedError, engine, unavailable


@pytest.fixture(scope="session")
def machine() -> Iterator[Engine]:
    """An engine with the stand-ins; COMPOSE_IMAGES names a directory that keeps them for the next time."""
    why = unavailable()
    if why:
        pytest.skip(f"no engine for containers: {why}")
    with tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True) as name:
        root = Path(os.environ.get("COMPOSE_IMAGES") or f"{name}/root")
        root.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                running = stack.enter_context(engine(Path(name), root))
            except UnstartedError as error:
                pytest.skip(f"no engine for containers: it does not start here: {error}")
            stand_ins.make(running)
            yield running
