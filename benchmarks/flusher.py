"""Flushes in a process of its own, as the worker does: one for each line of input."""

import sys
import time

import django

if __name__ == "__main__":
    django.setup()
    from transactions.storing.flush import flush

    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.monotonic()
        report = flush()
        print(report.stored, began, time.monotonic(), flush=True)
