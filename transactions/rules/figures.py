"""How the rules are: versions in force, what is owed, and which of them fail."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection

from .models import ClockCursor, Debt, Rule, Version, VersionState

VERSION, RULE = Version._meta.db_table, Rule._meta.db_table
DEBT, CURSOR = Debt._meta.db_table, ClockCursor._meta.db_table

# Debt is old, in seconds, when something is wrong: after a backlog it is paid as soon as that is stored.
OLD_S = 900
SHOWN_MAX = 3

# Purpose: versions in force, records owed, and the age of the oldest debt that could have been paid.
SELECT_FIGURES = f"""
    SELECT (SELECT count(*) FROM {VERSION} WHERE state IN ('{VersionState.SHADOW}', '{VersionState.ACTIVE}')),
           coalesce(sum(records), 0),
           extract(epoch FROM now() - min(made_at) FILTER (WHERE due_at <= now() OR error <> ''))::float
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
    """As the books show them; the age is None where nothing is owed."""

    versions: int
    debt_records: int
    oldest_debt_seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read() -> Figures:
    """Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_FIGURES)
        versions, records, oldest_s = cursor.fetchone()
    return Figures(versions, int(records), None if oldest_s is None else round(oldest_s, 3))


def problems() -> list[str]:
    """What an operator has to know, in a line each. Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_FAILING)
        told = [
            f"{f'the rule “{name}”' if name else 'the rules'}: {error}" for name, error in cursor.fetchall()
        ]
    oldest_s = read().oldest_debt_seconds
    if oldest_s is not None and oldest_s > OLD_S:
        told.append(f"what was stored {round(oldest_s)} s ago has not been judged by rules")
    return told
