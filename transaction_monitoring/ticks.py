"""When Celery Beat sends which tick, counted from its start: it keeps nothing of what it sent before."""

from datetime import UTC, datetime
from typing import Any

# Due as Beat starts: one that is started more often than such a tick comes would never send it.
AT_ITS_START = {"last_run_at": datetime(1970, 1, 1, tzinfo=UTC)}


def schedule(flush_s: float, *, prunes: bool) -> dict[str, Any]:
    """Celery's schedule, of seconds: a flush every `flush_s`, and whether old transactions are removed."""
    made: dict[str, Any] = {
        "note-expired-tokens": {
            "task": "transactions.tasks.note_expired_tokens",
            # The audit trail is to say it; the token itself is refused from the first moment on.
            "schedule": 3600.0,
            "options": {"expires": 1800.0},
            **AT_ITS_START,
        },
        "flush-transactions": {
            "task": "transactions.tasks.flush_transactions",
            "schedule": flush_s,
            # A tick carries no data: one that nobody took in time is worth nothing.
            "options": {"expires": flush_s},
            **AT_ITS_START,
        },
        "look-after-backtests": {
            "task": "transactions.tasks.look_after_backtests",
            # What a killed worker left is taken up again a minute later; two short statements.
            "schedule": 60.0,
            "options": {"expires": 30.0},
        },
        "deliver-messages": {
            "task": "transactions.tasks.deliver_messages",
            # What was just committed is told about a second later. Where nothing was it takes two short
            # statements, and four for mail; none of them writes.
            "schedule": 2.0,
            "options": {"expires": 2.0},
        },
        "look-after-system": {
            "task": "transactions.tasks.look_after_system",
            "schedule": 30.0,
            "options": {"expires": 30.0},
        },
    }
    if prunes:
        made["prune-transactions"] = {
            "task": "transactions.tasks.prune_transactions",
            # Two seconds of every minute at the most: above what arrives, and the flush hardly notices.
            "schedule": 60.0,
            "options": {"expires": 30.0},
        }
    return made
