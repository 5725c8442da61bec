"""What becomes of ticks, told by the worker: readiness and metrics show it.

A tick that expired before the worker took it means that the worker is overloaded, or that the
clocks of the hosts are apart; no tick at all, that Beat or the broker is away.
"""

from typing import Any

from celery.signals import task_failure, task_revoked, task_success

from transactions import tally

FLUSH = "transactions.tasks.flush_transactions"


@task_revoked.connect
def revoked(sender: Any, expired: bool, **_: Any) -> None:
    if expired and sender.name == FLUSH:
        tally.tick("expired")


@task_failure.connect
def failed(sender: Any, **_: Any) -> None:
    if sender.name == FLUSH:
        tally.tick("failed")


@task_success.connect
def done(sender: Any, **_: Any) -> None:
    if sender.name == FLUSH:
        tally.tick("done")
