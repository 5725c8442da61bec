"""Keeping: how long transactions are needed by rules, in force or with something owed.

What is promised of late records: with transactions kept for `days_needed` a record that comes up to LATE
after it happened is judged as if it had come in time. One that comes later still is judged by what is left
of its window: the days for which they are kept, less the window, are how late it may be.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..models import Transaction
from .debts import EARLIEST_IS_KNOWN
from .kinds.registry import UnreadableKind, read_kept
from .models import APPROVED, Debt, Version
from .versions import judging

TABLE, DEBT = Transaction._meta.db_table, Debt._meta.db_table

# How late a record may come, at the least, and find its window whole. Pruning that goes on for a while, and
# debt that is written meanwhile, lie within it too.
LATE = timedelta(days=1)

# Purpose: when the earliest row of each debt happened. It is looked for only where it is not known: what is
# owed may be most of the table. The fence keeps the planner from walking along the times of all rows to the
# first of a range.
SELECT_OWED_SINCE = f"""
    SELECT d.version_id, CASE WHEN {EARLIEST_IS_KNOWN.format(d="d")} THEN d.earliest ELSE least(
           d.since,
           (SELECT min(created_at)
              FROM (SELECT created_at FROM {TABLE}
                     WHERE id >= d.first_id AND id <= d.last_id OFFSET 0) owed),
           (SELECT min(created_at) FROM {TABLE}
             WHERE id IN (SELECT jsonb_array_elements_text(d.ids)::bigint))) END
      FROM {DEBT} d
"""


class OwedSince(NamedTuple):
    """Transactions from `since` on are needed to pay what a rule owes ("" for all rules)."""

    since: datetime
    rule: str


def days_needed(memory_s: int) -> int:
    """Days for which transactions must be kept for a rule that looks back so far: these, and LATE."""
    return -(-(memory_s + int(LATE.total_seconds())) // 86_400)


def longest() -> tuple[int, str]:
    """For how many days rules in force need transactions to be kept, and of which rule that is; 0 for none.

    Of one that cannot be read that is as long as of any rule there may be.
    """
    in_force = Version.objects.filter(state__in=APPROVED).select_related("rule")
    needed = []
    for version in in_force:
        kind = read_kept(version.kind, version.parameters)
        told = ", which cannot be read," if isinstance(kind, UnreadableKind) else ""
        needed.append((days_needed(kind.memory_s), f"“{version.rule.name}”{told}"))
    return max(needed, default=(0, ""))


def owed_since(cursor: Any) -> OwedSince | None:
    """From when on transactions are needed for what is owed: its earliest row, and as far as its rule looks
    back from that. None where nothing is owed. Raises psycopg2.Error.
    """
    cursor.execute(SELECT_OWED_SINCE)
    owed = [(version, since) for version, since in cursor.fetchall() if since is not None]
    if not owed:
        return None
    versions = {version.id: version for version in judging(cursor) if not version.is_clock}
    all_s = max((version.kind.memory_s for version in versions.values()), default=0)
    reaching = []
    for id, since in owed:
        version = versions.get(id)
        back = timedelta(seconds=all_s if version is None else version.kind.memory_s)
        reaching.append(OwedSince(since - back, "" if version is None else version.name))
    return min(reaching)
