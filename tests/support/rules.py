"""Rules in force, for tests."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from transactions.rules import lifecycle
from transactions.rules.models import ClockCursor, Debt, Rule, Version
from transactions.severity import Severity
from transactions.storing.flush import flush

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def rule_in_force(
    kind: str, *, name: str = "", begin: datetime | None = LONG_AGO, shadow: bool = False, **parameters: Any
) -> Version:
    """A version that judges from `begin` on, None for the next full minute; FOUR_EYES must be off."""
    rule = Rule.objects.create(name=name or f"{kind} {Rule.objects.count()}", severity=Severity.HIGH)
    version = lifecycle.draft(rule, kind, parameters)
    lifecycle.submit(version)
    lifecycle.approve(version, None, begin=begin, shadow=shadow)
    return version


@contextmanager
def instead(kind: type[Any], text: str) -> Iterator[None]:
    """The kind's text is another one meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "sql", lambda self, bound: text)
        yield


def pay_debt() -> None:
    """Flushes until nothing is owed, without the wait between attempts."""
    for _ in range(20):
        if not Debt.objects.exists():
            return
        Debt.objects.update(due_at=datetime.now(UTC))
        flush()
    raise AssertionError(f"still owed: {list(Debt.objects.values())}")


def run_clock() -> None:
    """Flushes until the clock has come as far as it can: one flush gives it a few seconds."""
    before: list[object] = []
    for _ in range(50):
        ClockCursor.objects.exclude(error="").update(due_at=None)
        flush()
        after: list[object] = list(
            ClockCursor.objects.order_by("version").values_list("row", "moment", "error")
        )
        if after == before:
            return
        before = after
    raise AssertionError(f"the clock does not come to an end: {before}")


def eventually(holds: Callable[[], bool], otherwise: str) -> None:
    """Waits until something holds, for a minute; fails with `otherwise`."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)
