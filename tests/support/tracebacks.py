"""What logs tell that should not have happened: of units in their journal, of containers line by line."""

import json

# Tracebacks of what tests do, by logger and begin of the message: Redis restarts amid a tick, sent or taken.
EXPECTED = (("celery.beat", "Message Error: "), ("celery.worker.request", "Couldn't ack "))


def errors(journal: str) -> list[str]:
    """Lines with a traceback, be they the interpreter's own or JSON of ours, less those that are EXPECTED."""
    return [line for line in journal.splitlines() if "Traceback" in line and not _is_expected(line)]


def _is_expected(line: str) -> bool:
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return any(told["logger"] == logger and told["message"].startswith(begin) for logger, begin in EXPECTED)
