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
from ..stores.redis_connection import connection, reader, text
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
# Purpose: the age of the oldest debt that could have been paid, but what is owed since something fails.
SELECT_OLDEST = f"""
    SELECT extract(epoch FROM now() - min(made_at))::float FROM {DEBT} WHERE due_at <= now() AND error = ''
"""
# Purpose: versions that failed when they were tried last; None is what no single one is to blame for.
SELECT_FAILING = f"""
    SELECT f.version_id, r.name, f.error
      FROM (SELECT version_id, min(error) AS error
              FROM (SELECT version_id, error FROM {DEBT} WHERE error <> ''
                     UNION ALL SELECT version_id, error FROM {CURSOR} WHERE error <> '') each
             GROUP BY version_id) f
      LEFT JOIN {VERSION} v ON v.id = f.version_id LEFT JOIN {RULE} r ON r.id = v.rule_id
     ORDER BY r.name, f.version_id LIMIT %s
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


def wrong(failing_max: int) -> dict[str, str]:
    """What an operator has to know, in a line each, by what it is about: a version's number, `all` where
    none is to blame, `debt`. Of what fails so many at most. Raises django.db.Error.
    """
    with bounded() as cursor:
        cursor.execute(SELECT_FAILING, [failing_max])
        found = {
            str(version or "all"): f"{f'the rule “{name}”' if name else 'the rules'}: {error}"
            for version, name, error in cursor.fetchall()
        }
        cursor.execute(SELECT_OLDEST)
        (oldest_s,) = cursor.fetchone()
    if oldest_s is not None and oldest_s > OLD_S:
        found["debt"] = f"what was stored {round(oldest_s)} s ago has not been judged by rules"
    return found


def left() -> dict[str, str]:
    """The same of what Redis alone knows, `left`. Raises redis.RedisError."""
    why = text(reader().get(LEFT))
    return {"left": f"rules were left after a flush: {why}"} if why else {}


def problems(*, redis_answers: bool = True) -> list[str]:
    """Both for whoever asks how things are: of what fails SHOWN_MAX. Where Redis is known not to answer, it
    is not waited for. Raises django.db.Error.
    """
    found = wrong(SHOWN_MAX)
    if redis_answers:
        with suppress(redis.RedisError):
            found |= left()
    return list(found.values())
