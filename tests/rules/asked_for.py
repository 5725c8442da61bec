"""Backtests of a rule about large amounts, as somebody asks for them."""

from datetime import UTC, datetime, timedelta

from transactions.rules import backtest_runs, lifecycle
from transactions.rules.models import Backtest, Rule, Version

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEGIN, END = NOON - timedelta(days=2), NOON + timedelta(days=1)


def drafted(amount: int = 5, name: str = "Large") -> Version:
    rule, _ = Rule.objects.get_or_create(name=name)
    return lifecycle.draft(rule, "amount", {"amount": amount})


def asked(version: Version) -> Backtest:
    return backtest_runs.ask(version.rule, version=version, begin=BEGIN, end=END)


def state_of(run: Backtest) -> str:
    run.refresh_from_db()
    return run.state
