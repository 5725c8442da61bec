"""How the rules are: versions in force, what is owed, and which of them fail."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import redis

from ..alerts.models import Alert
from ..metrics.counters import tally
from ..stores.bounded_queries import bounded
from ..stores.hash_tag import TAG
from ..stores.redis_connection import connection, text
from .activity import COUNTED_MAX
from .models import ClockCursor, Debt, Hit, Rule, Version, VersionState

VERSION, RULE = Version._meta.db_table, Rule._meta.db_table
HIT, ALERT = Hit._meta.db_table, Alert._meta.db_table
DEBT, CURSOR = Debt._meta.db_table, ClockCursor._meta.db_table

# Debt is old, in seconds, when something is wrong: after a backlog it is paid as soon as that is stored.
OLD_S = 900
SHOWN_MAX = 3
# text, for as long: why rules were left after a flush, with something undone that is no single rule's.
LEFT, LEFT_S = f"{TAG}:rules_left", 60

# Purpose: versions in force, records owed, the age of the oldest debt that could have been paid, and what
# came of it all: alerts that are not closed, the latest hit.
SELECT_FIGURES = f"""
    SELECT (SELECT count(*) FROM {VERSION} WHERE state IN ('{VersionState.SHADOW}', '{VersionState.ACTIVE}')),
           coalesce(sum(records), 0),
           extract(epoch FROM now() - min(made_at) FILTER (WHERE due_at <= now() OR error <> ''))::float,
           (SELECT count(*) FROM (SELECT FROM {ALERT} WHERE state <> 'CLOSED' LIMIT {COUNTED_MAX}) open),
           (SELECT max(raised_at) FROM {HIT})
      FROM {DEBT}
"""
# Purpose: the age of the oldest debt that could have been paid.
SELECT_OLDEST = f"""
    SELECT extract(epoch FROM now() - min(made_at) FILTER (WHERE due_at <= now() OR error <> ''))::float
      FROM {DEBT}
"""
# Purpose: versions that failed when they were tried last; None is what no single one is to blame for.
SELECT_FAILING = f"""
    SELECT r.name, f.error
      FROM (SELECT version_id, error FROM {DEBT} WHERE error <> ''
             UNION SELECT version_id, error FROM {CURSOR} WHERE error <> '') f
      LEFT JOIN {VERSION} v ON v.id = f.version_id LEFT JOIN {RULE} r ON r.id = v.rule_id
     ORDER BY r.name LIMIT {SHOWN_MAX}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """As the books show them, alerts counted up to COUNTED_MAX; the age is None where nothing is owed."""

    versions: int
    debt_records: int
    oldest_debt_seconds: float | None
    open_alerts: int
    last_hit: datetime | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read() -> Figures:
    """Raises django.db.Error."""
    with bounded() as cursor:
        cursor.execute(SELECT_FIGURES)
        versions, records, oldest_s, alerts, hit = cursor.fetchone()
    return Figures(versions, int(records), None if oldest_s is None else round(oldest_s, 3), alerts, hit)


def tell_left(error: Exception) -> None:
    """Rules were left after a flush: readiness says so for a minute, and it is counted."""
    tally.add("rules_left")
    with suppress(redis.RedisError):
        connection().set(LEFT, repr(error).partition("\n")[0][:200], ex=LEFT_S)


def _left() -> list[str]:
    with suppress(redis.RedisError):
        why = connection().get(LEFT)
        return [] if why is None else [f"rules were left after a flush: {text(why)}"]
    return []


def problems() -> list[str]:
    """What an operator has to know, in a line each. Raises django.db.Error."""
    with bounded() as cursor:
        cursor.execute(SELECT_FAILING)
        told = [
            f"{f'the rule “{name}”' if name else 'the rules'}: {error}" for name, error in cursor.fetchall()
        ]
        cursor.execute(SELECT_OLDEST)
        (oldest_s,) = cursor.fetchone()
    told += _left()
    if oldest_s is not None and oldest_s > OLD_S:
        told.append(f"what was stored {round(oldest_s)} s ago has not been judged by rules")
    return told
