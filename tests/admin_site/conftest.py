"""What tests of the admin site begin with."""

import pytest


@pytest.fixture(autouse=True)
def quickly_hashed(quick_hashes: None) -> None:
    """Its pages set passwords and ask for them; how hard a hash is to guess is Django's."""
