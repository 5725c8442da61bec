"""A tick for the worker of backtests: that one waits. What it is to do stands in the database."""

import logging

from celery import current_app
from celery.exceptions import OperationalError

log = logging.getLogger(__name__)

# The task by its name: whoever asks for a backtest stands below the tasks, or beside them.
RUN_BACKTEST = "transactions.tasks.run_backtest"
# Seconds after which a tick that no worker took is worth nothing: another one is sent.
EXPIRES_S = 60.0


def send_backtest_tick() -> None:
    """Has a worker take the backtest that is next. While Redis is away another tick is sent later."""
    try:
        current_app.send_task(RUN_BACKTEST, expires=EXPIRES_S, retry=False)
    except OperationalError as error:
        log.error("No tick for backtests was sent, and one will be in a minute: %s", error)
