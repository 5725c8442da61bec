"""The versions that judge: those that are, or have been, in force."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from .kinds.kind import Bound, Kind
from .kinds.registry import read
from .models import Debt, Rule, Version, VersionState

VERSION, RULE, DEBT = Version._meta.db_table, Rule._meta.db_table, Debt._meta.db_table

# Versions that judge; an end that is not after the beginning is of one that never did.
_JUDGES = "v.effective_from IS NOT NULL AND coalesce(v.effective_until > v.effective_from, true)"
EXISTS_JUDGING = f"EXISTS (SELECT FROM {VERSION} v WHERE {_JUDGES})"
# Purpose: all versions that judge, however long ago they ended: records may come late. `stuck` is whether
# one failed lately and its debt is not paid.
SELECT_JUDGING = f"""
    SELECT v.id, v.rule_id, r.name, r.severity, v.number, v.kind, v.parameters::text, v.state,
           v.effective_from, v.effective_until,
           EXISTS (SELECT FROM {DEBT} d WHERE d.version_id = v.id AND d.error <> '')
      FROM {VERSION} v JOIN {RULE} r ON r.id = v.rule_id
     WHERE {_JUDGES}
     ORDER BY v.id
"""


@lru_cache(maxsize=1024)
def _form(kind: str, parameters: str) -> Kind:
    return read(kind, json.loads(parameters))


@dataclass(frozen=True, slots=True)
class Judging:
    """A version as the evaluation takes it: what happened from `begin` until before `end` is judged."""

    id: int
    rule: int
    name: str
    severity: str
    number: int
    kind: Kind
    state: str
    begin: datetime
    end: datetime | None
    stuck: bool

    @property
    def raises_alerts(self) -> bool:
        return self.state != VersionState.SHADOW

    @property
    def is_clock(self) -> bool:
        return self.kind.group == "clock"

    @property
    def needs_gate(self) -> bool:
        return self.kind.is_gated and self.state != VersionState.RETIRED

    def text(self, end: datetime) -> tuple[str, dict[str, Any]]:
        """The text of its kind, and what is bound to it, for what happened before `end`."""
        bound = Bound()
        sql = self.kind.sql(bound)
        until = end if self.end is None else min(end, self.end)
        return sql, {**bound.values, "begin": self.begin, "end": until, "version": self.id}


def judging(cursor: Any) -> list[Judging]:
    """All versions that judge. Raises psycopg2.Error."""
    cursor.execute(SELECT_JUDGING)
    return [
        Judging(id, rule, name, severity, number, _form(kind, parameters), state, begin, end, stuck)
        for id, rule, name, severity, number, kind, parameters, state, begin, end, stuck in cursor.fetchall()
    ]
