"""An alert, those who work on it, and what they did with it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection

from transactions.alerts.grouping import Raised, group
from transactions.alerts.models import Alert, AlertEvent
from transactions.alerts.triage import Refused
from transactions.stores.postgres_session import Session


def raised(user: int | None = 7, severity: str = "HIGH") -> Alert:
    """The open alert of a user, with one hit more."""
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(1, "Failures in a row", severity, user, 1)])
    return Alert.objects.exclude(state="CLOSED").get(user=user)


@pytest.fixture
def alert(db: None) -> Alert:
    return raised()


@pytest.fixture
def staff(people: list[User]) -> list[User]:
    for person in people:
        person.user_permissions.add(Permission.objects.get(codename="change_alert"))
    return [User.objects.get(pk=person.pk) for person in people]


def steps(alert: Alert) -> list[tuple[str, str, str, int]]:
    """What was done with it, by whom, with which words, and the version that came of it."""
    return list(
        AlertEvent.objects.filter(alert=alert)
        .order_by("id")
        .values_list("step", "by_name", "text", "version")
    )


class Beside(threading.Thread):
    """A step that somebody takes on a connection of their own; `told` is what came of it."""

    def __init__(self, step: Callable[[], Any]) -> None:
        super().__init__()
        self._step = step
        self.told: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.told = self._step()
        except (Refused, OperationalError) as error:
            self.told = error
        finally:
            connection.close()

    def ended(self) -> Any:
        self.join()
        return self.told
