"""Both manners of storing a chunk."""

from collections.abc import Iterator

import pytest

from transactions.storing import flush as flushing


@pytest.fixture(params=[1, 1000], ids=["straight", "with care"])
def manner(request: pytest.FixtureRequest) -> Iterator[None]:
    """A chunk of few records is first stored straight, as large ones are, or with care at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flushing, "STRAIGHT_RECORDS_MIN", request.param)
        yield
