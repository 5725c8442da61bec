"""Who works with the pages of alerts."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.alerts import analyst


@pytest.fixture(autouse=True)
def two_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = False


@pytest.fixture
def ann(transactional_db: None) -> tuple[Client, User]:
    return analyst("ann", "view_transaction", "view_rule")


@pytest.fixture
def bea(transactional_db: None) -> tuple[Client, User]:
    return analyst("bea")
