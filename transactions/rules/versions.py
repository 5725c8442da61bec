"""The versions that judge: those that are, or have been, in force."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from .kinds.kind import Bound, Kind
from .kinds.registry import CLOCK_NAMES, UnreadableKind, read_kept
from .models import ClockCursor, Debt, Rule, Version, VersionState

VERSION, RULE, DEBT = Version._meta.db_table, Rule._meta.db_table, Debt._meta.db_table
CURSOR = ClockCursor._meta.db_table

# Versions that judge; an end that is not after the beginning is of one that never did.
_JUDGES = "v.effective_from IS NOT NULL AND coalesce(v.effective_until > v.effective_from, true)"
_IS_CLOCK = f"v.kind IN ({', '.join(map(repr, CLOCK_NAMES))})"
# A version about the clock that has looked at all of its time judges no more, and none that was given up.
_DONE = f"(v.given_up_at IS NOT NULL OR EXISTS (SELECT FROM {CURSOR} c WHERE c.version_id = v.id AND c.done))"
# Purpose: whether any version is in force; and until when those that have ended judge what comes late.
ANY_IN_FORCE = f"EXISTS (SELECT FROM {VERSION} v WHERE {_JUDGES} AND v.effective_until IS NULL)"
LATEST_END = (
    f"(SELECT max(v.effective_until) FROM {VERSION} v WHERE {_JUDGES} AND NOT {_IS_CLOCK} AND NOT {_DONE})"
)
CLOCK_TO_LOOK_AT = f"EXISTS (SELECT FROM {VERSION} v WHERE {_JUDGES} AND {_IS_CLOCK} AND NOT {_DONE})"
# Purpose: all versions that judge, however long ago they ended: records may come late. `stuck` is whether
# one failed lately and its debt is not paid.
SELECT_JUDGING = f"""
    SELECT v.id, v.rule_id, r.name, v.severity, v.number, v.kind, v.parameters::text, v.state,
           v.effective_from, v.effective_until, v.alerts_from,
           EXISTS (SELECT FROM {DEBT} d WHERE d.version_id = v.id AND d.error <> '')
      FROM {VERSION} v JOIN {RULE} r ON r.id = v.rule_id
     WHERE {_JUDGES} AND NOT {_DONE}
     ORDER BY v.id
"""


@lru_cache(maxsize=1024)
def _form(kind: str, parameters: str) -> Kind:
    return read_kept(kind, json.loads(parameters))


@dataclass(frozen=True, slots=True)
class Judging:
    """A version as the evaluation takes it: what happened from `begin` until before `end` is judged, and
    raises alerts from `alerts_from` on, or none.
    """

    id: int
    rule: int
    name: str
    severity: str
    number: int
    kind: Kind
    is_clock: bool
    state: str
    begin: datetime
    end: datetime | None
    alerts_from: datetime | None
    stuck: bool

    @property
    def unreadable(self) -> str:
        """Why it cannot be read; "" if it can."""
        return self.kind.sentence() if isinstance(self.kind, UnreadableKind) else ""

    def alerts(self, moment: datetime) -> bool:
        """Whether a hit that happened then goes into an alert: of a time in shadow none does."""
        return self.alerts_from is not None and moment >= self.alerts_from

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
    """All versions that judge, each read by itself: of one that cannot be read the others know nothing.

    Raises psycopg2.Error.
    """
    cursor.execute(SELECT_JUDGING)
    return [
        Judging(id, rule, name, severity, number, _form(kind, parameters), kind in CLOCK_NAMES, *rest)
        for id, rule, name, severity, number, kind, parameters, *rest in cursor.fetchall()
    ]
