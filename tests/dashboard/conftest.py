"""Figures of no earlier test, for those who must log in."""

import pytest
from pytest_django import Settings

from transactions.dashboard.shared_figures import shared_figures


@pytest.fixture
def nothing_kept(settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    shared_figures.forget()
