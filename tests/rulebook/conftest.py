"""Ann writes rules and Bob approves them, each by a token."""

from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from transactions.access.rights import Right
from transactions.access.tokens import create


class Caller(NamedTuple):
    """A client of the API, and the account for which its token acts."""

    user: User
    api: APIClient

    def call(self, method: str, path: str, said: Any = None) -> Any:
        """The answer; `said` is sent as JSON."""
        return getattr(self.api, method)(f"/api/rules/{path}", said, format="json")

    def get(self, path: str, status: int = 200) -> Any:
        return self.told("get", path, None, status)

    def post(self, path: str, said: Any = None, status: int = 200) -> Any:
        return self.told("post", path, said, status)

    def told(self, method: str, path: str, said: Any, status: int) -> Any:
        """What the answer says, which has this status."""
        answer = self.call(method, path, said)
        assert answer.status_code == status, answer.content
        return answer.json()


@pytest.fixture(autouse=True)
def four_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = True
    settings.ALLOW_ANONYMOUS_API = False


def caller(name: str, *rights: Right) -> Caller:
    token, row = create(name, rights=frozenset(rights))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return Caller(row.user, api)


@pytest.fixture
def ann(transactional_db: None) -> Caller:
    """Who writes."""
    return caller("ann", Right.VIEW_RULES, Right.CHANGE_RULES)


@pytest.fixture
def bob(transactional_db: None) -> Caller:
    """Who approves, and writes too."""
    return caller("bob", Right.VIEW_RULES, Right.CHANGE_RULES, Right.APPROVE_RULES)
