"""What tests of rules begin with."""

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def two_eyes(settings: Settings) -> None:
    """Rules come into force without a second person, but where a test is about that."""
    settings.FOUR_EYES = False
