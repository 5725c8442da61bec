"""Grouping: new hits join the open alert of their rule and user, or open one.

Unless that is snoozed, or the last alert was closed a short while before: such hits are kept all the
same, and counted where they were suppressed.

An alert is as grave as the gravest version whose hits it counts: severity decides who is told, so one that
becomes graver is told like one that is opened.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg2.extras import execute_values

from ..severity import Severity, gravity
from . import telling
from .models import Alert, AlertEvent, Snooze, Step

ALERT, EVENT = Alert._meta.db_table, AlertEvent._meta.db_table
SNOOZE = Snooze._meta.db_table

# Hours after an alert was closed in which hits do not open another one.
QUIET_HOURS = 24

# By when an alert has to have been dealt with, in hours after it was opened, by severity.
DUE_HOURS: dict[str, int] = {Severity.CRITICAL: 1, Severity.HIGH: 4, Severity.MEDIUM: 24, Severity.LOW: 72}
_DUE = " ".join(f"WHEN '{severity}' THEN {hours}" for severity, hours in DUE_HOURS.items())


def _select_known(same_user: str) -> str:
    """Purpose: of each rule and user the open alert, held until COMMIT, or the one closed a short while
    ago, and the snooze in force. Rules that look at the whole system have no user, and a statement of
    their own: with an OR in it no index would do for either.
    """
    return f"""
    SELECT p.rule, p."user", a.id, a.state <> 'CLOSED', a.severity, s.id
      FROM (VALUES %s) AS p (rule, "user")
      LEFT JOIN LATERAL (
        SELECT id, state, severity FROM {ALERT} a
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
    RETURNING rule, "user", id, severity, xmax = 0
"""
# Purpose: alerts become graver, and are due no later than one that is opened now; an event of each says so.
MAKE_GRAVER = f"""
    WITH graver AS (
        UPDATE {ALERT} a
           SET severity = p.severity,
               due_at = least(a.due_at,
                              statement_timestamp() + interval '1 hour' * CASE p.severity {_DUE} END)
          FROM (VALUES %s) AS p (id, was, severity) WHERE a.id = p.id
        RETURNING a.id, a.rule_name, a.version, p.was, p.severity)
    INSERT INTO {EVENT} (alert_id, step, by_name, text, version)
    SELECT id, '{Step.GRAVER}', 'the rule “' || rule_name || '”',
           'from ' || lower(was) || ' to ' || lower(severity), version
      FROM graver ORDER BY id
"""


class Raised(NamedTuple):
    """New hits of one rule for one user (None: for the whole system)."""

    rule: int
    rule_name: str
    severity: str
    user: int | None
    hits: int


# An alert that hits joined, its severity, and that of these hits.
Joined = tuple[int, str, str]


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
    joined: list[Joined] = []
    for rule, user, alert, is_open, severity, snooze in known:
        hits = by_pair[rule, user].hits
        if is_open:
            counted[COUNT_JOINED].append((alert, hits))
            joined.append((alert, severity, by_pair[rule, user].severity))
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
    opened = _open(cursor, opening)
    places += [Placed(rule, user, alert, "") for rule, user, alert, _, _ in opened]
    # Of one that somebody else has just opened the hits join it.
    joined += [
        (alert, severity, by_pair[rule, user].severity)
        for rule, user, alert, severity, is_new in opened
        if not is_new
    ]
    _make_graver(cursor, [alert for _, _, alert, _, is_new in opened if is_new], joined)
    return places


def _open(cursor: Any, opening: list[Raised]) -> list[tuple[int, int | None, int, str, bool]]:
    """For each of these an alert that is open: (rule, user, alert, its severity, whether it is new)."""
    if not opening:
        return []
    template = "(%s::bigint, %s, %s, %s::bigint, %s::bigint)"
    opened: list[tuple[int, int | None, int, str, bool]] = execute_values(
        cursor, OPEN, opening, template=template, page_size=len(opening), fetch=True
    )
    return opened


def _make_graver(cursor: Any, new: list[int], joined: list[Joined]) -> None:
    """Alerts that hits joined become as grave as these. What came of them, and which are new, is told."""
    graver = [each for each in joined if gravity(each[2]) > gravity(each[1])]
    if graver:
        execute_values(cursor, MAKE_GRAVER, graver, template="(%s::bigint, %s, %s)", page_size=len(graver))
    told = {*new, *(alert for alert, _, _ in graver)}
    telling.tell_hits(cursor, told, [alert for alert, _, _ in joined if alert not in told])


def _known(cursor: Any, statement: str, raised: list[Raised]) -> list[tuple[Any, ...]]:
    pairs = [(each.rule, each.user) for each in raised]
    if not pairs:
        return []
    found: list[tuple[Any, ...]] = execute_values(
        cursor, statement, pairs, template=PAIR, page_size=len(pairs), fetch=True
    )
    return found
