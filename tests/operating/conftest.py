"""A proxy before a service that takes notes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.proxying import LIMIT, Proxy, Upstream, proxy, upstream


@pytest.fixture
def web() -> Iterator[Upstream]:
    with upstream() as notes:
        yield notes


@pytest.fixture
def front(web: Upstream, tmp_path: Path) -> Iterator[Proxy]:
    with proxy(tmp_path, web.url, body_bytes=LIMIT, client_header_timeout="1s") as running:
        yield running
