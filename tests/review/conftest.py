"""Ann and Rob deal with alerts by their tokens; Vic only looks."""

import pytest
from pytest_django import Settings

from tests.support.alerts import Caller, caller
from transactions.access.rights import Right


@pytest.fixture(autouse=True)
def closed_api(settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    settings.FOUR_EYES = False


@pytest.fixture
def ann(transactional_db: None) -> Caller:
    return caller("ann", Right.VIEW_ALERTS, Right.CHANGE_ALERTS)


@pytest.fixture
def rob(transactional_db: None) -> Caller:
    return caller("rob", Right.VIEW_ALERTS, Right.CHANGE_ALERTS)


@pytest.fixture
def vic(transactional_db: None) -> Caller:
    return caller("vic", Right.VIEW_ALERTS, Right.VIEW_RULES)
