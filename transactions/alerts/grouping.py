"""Grouping: new hits join the open alert of their rule and user, or open one.

Unless that is snoozed, or the last alert was closed a short while before: such hits are kept all the
same, and counted where they were suppressed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg2.extras import execute_values

from . import telling
from .models import Alert, Snooze

ALERT = Alert._meta.db_table
SNOOZE = Snooze._meta.db_table

# Hours after an alert was closed in which hits do not open another one.
QUIET_HOURS = 24

# By when an alert has to have been dealt with, in hours after it was opened, by severity.
DUE_HOURS = {"CRITICAL": 1, "HIGH": 4, "MEDIUM": 24, "LOW": 72}
_DUE = " ".join(f"WHEN '{severity}' THEN {hours}" for severity, hours in DUE_HOURS.items())


def _select_known(same_user: str) -> str:
    """Purpose: of each rule and user the open alert, held until COMMIT, or the one closed a short while
    ago, and the snooze in force. Rules that look at the whole system have no user, and a statement of
    their own: with an OR in it no index would do for either.
    """
    return f"""
    SELECT p.rule, p."user", a.id, a.state <> 'CLOSED', s.id
      FROM (VALUES %s) AS p (rule, "user")
      LEFT JOIN LATERAL (
        SELECT id, state FROM {ALERT} a
         WHERE a.rule = p.rule AND {same_user.format("a")}
           AND (a.state <> 'CLOSED' OR a.closed_at > now() - interval '{QUIET_HOURS} hours')
         ORDER BY a.closed_at DESC NULLS FIRST LIMIT 1 FOR UPDATE) a ON true
      LEFT JOIN LATERAL (
        SELECT id FROM {SNOOZE} s
         WHERE s.rule = p.rule AND {same_user.format("s")} AND s.ends_at > now()
         ORDER BY s.ends_at DESC LIMIT 1) s ON true
     ORDER BY p.rule, p."user"
"""


SELECT_KNOWN = _select_known('{}."user" = p."user"')
SELECT_KNOWN_OF_ALL = _select_known('{}."user" IS NULL')
PAIR = "(%s::bigint, %s::bigint)"
# Purpose: hits that join, or would have.
COUNT_JOINED = f"""
    UPDATE {ALERT} a SET hits = a.hits + p.hits, touched_at = statement_timestamp()
      FROM (VALUES %s) AS p (id, hits) WHERE a.id = p.id
"""
COUNT_QUIET = f"""
    UPDATE {ALERT} a SET suppressed = a.suppressed + p.hits FROM (VALUES %s) AS p (id, hits) WHERE a.id = p.id
"""
COUNT_SNOOZED = f"""
    UPDATE {SNOOZE} s SET hits = s.hits + p.hits FROM (VALUES %s) AS p (id, hits) WHERE s.id = p.id
"""
# Purpose: new alerts. Where somebody opened one meanwhile, the hits join it; a row that is new has no xmax.
OPEN = f"""
    INSERT INTO {ALERT} AS kept (rule, rule_name, severity, "user", hits, state, due_at)
    SELECT rule, rule_name, severity, "user", hits, 'OPEN',
           statement_timestamp() + interval '1 hour' * CASE severity {_DUE} END
      FROM (VALUES %s) AS p (rule, rule_name, severity, "user", hits)
        ON CONFLICT (rule, "user") WHERE NOT (state = 'CLOSED') DO UPDATE
       SET hits = kept.hits + excluded.hits, touched_at = statement_timestamp()
    RETURNING rule, "user", id, xmax = 0
"""


class Raised(NamedTuple):
    """New hits of one rule for one user (None: for the whole system)."""

    rule: int
    rule_name: str
    severity: str
    user: int | None
    hits: int


class Placed(NamedTuple):
    """Where hits have gone: the alert, "" or why none was opened for them."""

    rule: int
    user: int | None
    alert: int | None
    suppressed: str


def group(cursor: Any, raised: Sequence[Raised]) -> list[Placed]:
    """Puts hits into alerts, in the cursor's transaction; each pair of rule and user at most once.

    What came of it is told in the same transaction. Raises psycopg2.Error.
    """
    known = _known(cursor, SELECT_KNOWN, [each for each in raised if each.user is not None])
    known += _known(cursor, SELECT_KNOWN_OF_ALL, [each for each in raised if each.user is None])
    by_pair = {(each.rule, each.user): each for each in raised}
    places: list[Placed] = []
    counted: dict[str, list[tuple[int, int]]] = {COUNT_JOINED: [], COUNT_QUIET: [], COUNT_SNOOZED: []}
    opening: list[Raised] = []
    opened: list[tuple[int, int | None, int, bool]] = []
    for rule, user, alert, is_open, snooze in known:
        hits = by_pair[rule, user].hits
        if is_open:
            counted[COUNT_JOINED].append((alert, hits))
            places.append(Placed(rule, user, alert, ""))
        elif snooze is not None:
            counted[COUNT_SNOOZED].append((snooze, hits))
            places.append(Placed(rule, user, None, "SNOOZED"))
        elif alert is not None:
            counted[COUNT_QUIET].append((alert, hits))
            places.append(Placed(rule, user, alert, "QUIET"))
        else:
            opening.append(by_pair[rule, user])
    for statement, rows in counted.items():
        if rows:
            execute_values(cursor, statement, rows, page_size=len(rows))
    if opening:
        template = "(%s::bigint, %s, %s, %s::bigint, %s::bigint)"
        opened = execute_values(cursor, OPEN, opening, template=template, page_size=len(opening), fetch=True)
        places += [Placed(rule, user, alert, "") for rule, user, alert, _ in opened]
    new = {alert for _, _, alert, is_new in opened if is_new}
    joined = [each.alert for each in places if each.alert and not each.suppressed and each.alert not in new]
    telling.tell_hits(cursor, new, joined)
    return places


def _known(cursor: Any, statement: str, raised: list[Raised]) -> list[tuple[Any, ...]]:
    pairs = [(each.rule, each.user) for each in raised]
    if not pairs:
        return []
    found: list[tuple[Any, ...]] = execute_values(
        cursor, statement, pairs, template=PAIR, page_size=len(pairs), fetch=True
    )
    return found
