"""The newest entries of the audit trail, which no test clears."""

import json
from typing import Any

from transactions.audit.models import Entry


def newest(count: int = 1) -> list[Entry]:
    """The newest entries, in their order."""
    return list(Entry.objects.order_by("-number")[:count])[::-1]


def head() -> int:
    """The number of the newest entry, 0 where there is none."""
    return newest()[0].number if newest() else 0


def since(number: int) -> list[Entry]:
    """The entries after one."""
    return list(Entry.objects.filter(number__gt=number).order_by("number"))


def told(number: int) -> list[tuple[str, str, Any]]:
    """Of the entries after one: action, target and details."""
    return [(entry.action, entry.target, json.loads(entry.details)) for entry in since(number)]
