"""Ends with status 0 once a Celery worker of the application answers, with 1 and a line if none does."""

import sys
import time

from transaction_monitoring.celery import app

_LIMIT_SECONDS = 60.0


def main() -> None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while not app.control.ping(timeout=0.3, limit=1):
        if time.monotonic() > deadline:
            sys.exit(f"no Celery worker answered within {_LIMIT_SECONDS:.0f} s")


if __name__ == "__main__":
    main()
