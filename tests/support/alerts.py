"""Alerts as a burst of failures raises them, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.models import Permission, User
from django.test import Client
from rest_framework.test import APIClient

from tests.support.accepting import record, take
from tests.support.rules import rule_in_force
from transactions.access.rights import Right, grant
from transactions.access.tokens import create
from transactions.alerts.models import Alert
from transactions.rules.models import Version
from transactions.storing.flush import flush

BURST: dict[str, Any] = {"count": 3, "window": "10m"}


class Caller(NamedTuple):
    """A client of the API, and the account for which its token acts."""

    user: User
    api: APIClient

    def get(self, path: str, status: int = 200) -> Any:
        return self._told("get", path, None, status)

    def post(self, path: str, said: Any = None, status: int = 200) -> Any:
        return self._told("post", path, {} if said is None else said, status)

    def _told(self, method: str, path: str, said: Any, status: int) -> Any:
        answer = getattr(self.api, method)(f"/api/{path}", said, format="json")
        assert answer.status_code == status, answer.content
        return answer.json()


def caller(name: str, *rights: Right) -> Caller:
    grant(User.objects.create_user(name), rights)
    token, row = create(name, username=name)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return Caller(row.user, api)


def analyst(name: str, *more: str) -> tuple[Client, User]:
    """One of the staff who deals with alerts, with a client."""
    user = User.objects.create_user(name, is_staff=True)
    codenames = ["view_alert", "change_alert", *more]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client, user


def burst_rule(name: str = "Failures in a row") -> Version:
    """Three failures of a user within ten minutes; FOUR_EYES must be off."""
    return rule_in_force("failure_burst", name=name, **BURST)


def burst(user: User, ids: str = "F", count: int = 4, ago: timedelta = timedelta(minutes=5)) -> None:
    """So many failures of a user, a second apart, stored and judged."""
    begin = datetime.now(UTC) - ago
    failures = [
        record(f"{ids}{n}", user, 100 + n, "FAILED", created_at=begin + timedelta(seconds=n))
        for n in range(count)
    ]
    take(*failures)
    flush()


def open_alert(user: User, **of: Any) -> Alert:
    """An alert out of nothing: no rule and no hit stands behind it."""
    facts = {"rule": 1, "rule_name": "Failures in a row", "severity": "HIGH", "hits": 1, **of}
    return Alert.objects.create(user=user.pk, **facts)
