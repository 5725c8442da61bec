"""Evaluation: which hits rows that were stored or settled have made. The contract:

- a hit is a function of the stored transactions, by the time at which they happened and their ids;
- of a set rule, a transaction is a hit if it and those of its user in the window before it reach the
  limit. Rows are only added to such a set, so that rows which happened from `lo` to `hi` can make
  hits only of what happened from `lo` to a window after `hi`: exactly these are looked at;
- a prefix rule looks at rows with smaller ids only, and is fixed once a row is stored;
- what was found before is left as it is: the key of a hit is version and transaction.

So it is the same whether rows are judged as they are stored, later, again, or all at once.

Everything works on temporary tables of the session: the rows that were touched, and by version the
users to look at. What happens in the future is judged when its minute has begun: until then a list
or a version may still change for it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extras import execute_values

from ..alerts import grouping
from ..models import Transaction
from ..severity import gravity
from ..stores.crash_points import crash_point
from ..stores.postgres_session import limits_again
from . import gate
from .kinds.kind import ENTRIES, LISTS, Bound
from .locks import JUDGING_LOCK_MS_MAX
from .models import Hit, Version
from .versions import Judging

TABLE, HIT, VERSION = Transaction._meta.db_table, Hit._meta.db_table, Version._meta.db_table

# What one rule may take of one transaction, and when no further rule is begun in it.
RULE_MS_MAX = 2_000
RULES_MS_MAX = 6_000
# Hits that one statement puts into alerts: of one busy user there may be as many as rows and rules.
PLACED_AT_ONCE = 2_000
# Rows that are older than this cannot be vouched for by the gate, as a rule.
OLD_S = 3_600

# Purpose: the rows that are judged now; of this session alone, and empty again with each COMMIT.
CREATE_TOUCHED = """
    CREATE TEMPORARY TABLE IF NOT EXISTS rule_touched (
        id bigint, user_id bigint, created_at timestamptz, accepted_at timestamptz, amount bigint,
        status text, is_new boolean
    ) ON COMMIT DELETE ROWS
"""
# Purpose: by version the users to look at, and the time in which rows of theirs were touched; likewise.
CREATE_LOOK = """
    CREATE TEMPORARY TABLE IF NOT EXISTS rule_look (
        version bigint, user_id bigint, lo timestamptz, hi timestamptz
    ) ON COMMIT DELETE ROWS
"""
# Purpose: rows are touched: of a range of ids, or by their ids.
TOUCH = f"""
    INSERT INTO rule_touched
    SELECT id, user_id, created_at, accepted_at, amount, status, %(is_new)s FROM {TABLE} WHERE
"""
TOUCH_RANGE = f"{TOUCH} id >= %(first)s AND id <= %(last)s"
TOUCH_IDS = f"{TOUCH} id = ANY(%(ids)s)"
# Purpose: the end of this minute: what happens later is not judged yet.
HORIZON = "SELECT date_bin('1 minute', now(), '2000-01-01 00:00:00+00') + interval '1 minute' AS next"
# Purpose: what was touched: how much, of when, which ids are still to come, and the end of this minute.
DESCRIBE = f"""
    WITH minute AS ({HORIZON})
    SELECT count(*), count(*) FILTER (WHERE created_at < now() - interval '{OLD_S} seconds'),
           min(created_at), max(created_at), array_agg(id) FILTER (WHERE created_at >= next),
           (SELECT next FROM minute)
      FROM rule_touched, minute
"""
PLAN_ALONG_INDEXES = """
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL work_mem = '64MB';
    SET LOCAL jit = off
"""
PLAN_AS_USUAL = """
    SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_bitmapscan TO DEFAULT;
    SET LOCAL work_mem TO DEFAULT; SET LOCAL jit TO DEFAULT
"""
# Purpose: the users to look at, by version: those with touched rows that may have made a hit. All
# conditions stand behind one OR first, which most rows fail.
LOOK = """
    {standing}
    INSERT INTO rule_look (version, user_id, lo, hi)
    SELECT l.version, r.user_id, min(r.created_at), max(r.created_at)
      FROM rule_touched r LEFT JOIN rule_bound b ON b.user_id = r.user_id
     CROSS JOIN LATERAL (VALUES {values}) l (version, looked)
     WHERE r.created_at < %(horizon)s AND ({any}) AND l.looked
     GROUP BY l.version, r.user_id
"""
# Purpose: who of the touched users ever stood on a list, once for all versions that ask, and user by user:
# without the fence the whole list might be read.
STANDING = f"""
    WITH standing AS MATERIALIZED (
        SELECT l.name, u.user_id
          FROM (SELECT DISTINCT user_id FROM rule_touched) u
          JOIN {LISTS} l ON l.name = ANY(%(lists)s)
         WHERE EXISTS (SELECT FROM {ENTRIES} e WHERE e.list_id = l.id AND e.user_id = u.user_id OFFSET 0))
"""
# Purpose: the versions for which there is any user to look at.
COUNT_LOOKS = "SELECT version FROM rule_look GROUP BY version"
SCOPE = "WITH scope AS MATERIALIZED (SELECT user_id, lo, hi FROM rule_look WHERE version = %(version)s)"
# The key of a hit, and the last word against doubles.
EACH_ONCE = "    ON CONFLICT (version_id, transaction) DO NOTHING"
# Purpose: the hits of one version, each once, and which of them are new. `scope` is put before where the text
# reads it. Into alerts they go by PLACE_HITS: only when they are in is it known which are new.
INSERT_HITS = f"""
    {{scope}} found AS MATERIALIZED ({{text}})
    INSERT INTO {HIT} (version_id, transaction, transaction_id, "user", amount, status, happened_at, figures)
    SELECT %(version)s, f.id, t.transaction_id, f.user_id, f.amount, t.status, f.created_at, f.figures
      FROM found f
     CROSS JOIN LATERAL (SELECT transaction_id, status FROM {TABLE} t WHERE t.id = f.id OFFSET 0) t
     ORDER BY f.created_at, f.id
    {EACH_ONCE}
    RETURNING id, "user", happened_at, transaction
"""
# Purpose: of new hits those which another version of their rule has raised before, of the same transaction
# or bucket, and what became of that. Each version's hits are looked for by its own key.
SELECT_KNOWN = f"""
    SELECT n.id, k.alert_id, k.suppressed
      FROM {HIT} n
      JOIN {VERSION} v ON v.id = n.version_id
      JOIN {VERSION} o ON o.rule_id = v.rule_id AND o.id <> v.id AND o.effective_from IS NOT NULL
     CROSS JOIN LATERAL (
        (SELECT alert_id, suppressed FROM {HIT} k
          WHERE k.version_id = o.id AND k.transaction = n.transaction)
         UNION ALL
        (SELECT alert_id, suppressed FROM {HIT} k WHERE k.version_id = o.id AND k.bucket = n.bucket)) k
     WHERE n.id = ANY(%s) AND (k.alert_id IS NOT NULL OR k.suppressed <> '')
"""
# Purpose: new hits are told the alert that they went into, or why into none.
PLACE_HITS = f"""
    UPDATE {HIT} h SET alert_id = p.alert, suppressed = p.suppressed
      FROM (VALUES %s) AS p (id, alert, suppressed) WHERE h.id = p.id
"""


class NewHit(NamedTuple):
    """A hit that there was not before."""

    id: int
    user: int | None
    happened_at: datetime
    # What an alert counts: the row's key, or the bucket.
    subject: int | datetime


@dataclass(slots=True)
class Touched:
    """What was touched; `future` are ids of rows whose minute has not begun, `horizon` its end."""

    rows: int
    old: int
    lo: datetime
    hi: datetime
    future: list[int]
    horizon: datetime


@dataclass(slots=True)
class Findings:
    """What came of versions: new hits, seconds, and the error of those that failed."""

    hits: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    # Versions for which no time was left, or which found too much to be put into alerts now.
    put_off: list[int] = field(default_factory=list)


def limit(times: int = 1) -> str:
    """Purpose: for the statements of rules alone: bounded, along the indexes, with room to sort.

    A rule may take so many times what it may take of a chunk.
    """
    bounds = (
        f"SET LOCAL statement_timeout = {RULE_MS_MAX * times}; SET LOCAL lock_timeout = {JUDGING_LOCK_MS_MAX}"
    )
    return f"{bounds}; {PLAN_ALONG_INDEXES}"


def no_limit() -> str:
    """Purpose: what `limit` has changed is as it was, in a session of a writer."""
    return f"{limits_again('statement_timeout', 'lock_timeout')}; {PLAN_AS_USUAL}"


def prepare(cursor: Any) -> None:
    """Makes the session's temporary tables, if it has none yet."""
    cursor.execute(CREATE_TOUCHED)
    cursor.execute(CREATE_LOOK)
    gate.prepare(cursor)


def describe(cursor: Any) -> Touched | None:
    """What is in the table of touched rows; None if there is nothing."""
    cursor.execute(DESCRIBE)
    rows, old, lo, hi, future, horizon = cursor.fetchone()
    return Touched(rows, old, lo, hi, future or [], horizon) if rows else None


def evaluate(
    cursor: Any, versions: Sequence[Judging], touched: Touched, *, hits_max: int | None = None
) -> Findings:
    """Raises the hits that touched rows have made, each version within a savepoint, and groups them.

    The bounds of users are given before, by the gate. A version that fails, or cannot be read, is told in
    the findings, and has changed nothing; so is one whose hits are more than are left of `hits_max`, or
    for which no time is left. Raises psycopg2.Error for what is no rule's fault.
    """
    findings = Findings()
    raised: list[tuple[Judging, list[NewHit]]] = []
    asked = concerned(versions, touched)
    findings.failed = {version.id: version.unreadable for version in asked if version.unreadable}
    by_id = {version.id: version for version in asked if not version.unreadable}
    left, latest = hits_max, time.monotonic() + RULES_MS_MAX / 1000
    for id in _look(cursor, list(by_id.values()), touched.horizon, latest, findings):
        began = time.monotonic()
        if began > latest:
            findings.put_off.append(id)
            continue
        sql, values = by_id[id].text(touched.horizon)
        found = attempt(cursor, INSERT_HITS.format(scope=f"{SCOPE},", text=sql), values, rows_max=left)
        findings.seconds[id] = time.monotonic() - began
        if isinstance(found, str):
            findings.failed[id] = found
        elif found is None:
            findings.put_off.append(id)
        elif found:
            left = None if left is None else left - len(found)
            findings.hits[id] = len(found)
            raised.append((by_id[id], found))
        crash_point("flush.amid_rules")
    place(cursor, raised, in_chunk=hits_max is not None)
    return findings


def evaluate_looked_at(cursor: Any, version: Judging) -> Findings:
    """Raises the hits of one version of the users it looks at already, and groups them; see `evaluate`."""
    findings = Findings()
    cursor.execute(HORIZON)
    sql, values = version.text(cursor.fetchone()[0])
    began = time.monotonic()
    found = attempt(cursor, INSERT_HITS.format(scope=f"{SCOPE},", text=sql), values)
    findings.seconds[version.id] = time.monotonic() - began
    if isinstance(found, str):
        findings.failed[version.id] = found
    elif found:
        findings.hits[version.id] = len(found)
        place(cursor, [(version, found)])
    return findings


def concerned(versions: Sequence[Judging], touched: Touched) -> list[Judging]:
    """The versions in whose time something may have changed."""
    found = []
    for version in versions:
        before_end = version.end is None or touched.lo < version.end
        window_s = version.kind.window_s
        if not version.is_clock and before_end and (version.begin - touched.hi).total_seconds() <= window_s:
            found.append(version)
    return found


def look_at(versions: Sequence[Judging], horizon: datetime) -> tuple[str, dict[str, Any]]:
    """The statement that puts the users to look at, of these versions, into their table; and its values."""
    lists = {name for version in versions for name in version.kind.lists_of_gate()}
    values: dict[str, Any] = {"horizon": horizon, "lists": sorted(lists)}
    conditions = {}
    for version in versions:
        bound = Bound(f"v{version.id}_")
        condition = version.kind.gate(bound)
        if version.end is not None:
            condition += f" AND r.created_at < {bound('until', version.end)}"
        conditions[version.id] = f"({condition})"
        values.update(bound.values)
    pairs = ", ".join(f"({id}, {condition})" for id, condition in conditions.items())
    # Where none asks, lists that somebody has locked hold up nobody.
    standing, any_of_them = STANDING if lists else "", " OR ".join(conditions.values())
    return LOOK.format(standing=standing, values=pairs, any=any_of_them), values


def _look(
    cursor: Any, versions: Sequence[Judging], horizon: datetime, latest: float, findings: Findings
) -> list[int]:
    """Which users are looked at goes into its table; returns the versions that look at any, in order.

    All gates are asked at once. Where that fails each is asked by itself, until the moment `latest`: so that
    the failure of one is its own, and told in the findings.
    """
    if not versions:
        return []
    if error := _look_at(cursor, versions, horizon):
        for version in versions:
            if time.monotonic() > latest:
                findings.put_off.append(version.id)
            elif alone := error if len(versions) == 1 else _look_at(cursor, [version], horizon):
                findings.failed[version.id] = alone
    cursor.execute(COUNT_LOOKS)
    return sorted(row[0] for row in cursor.fetchall())


def _look_at(cursor: Any, versions: Sequence[Judging], horizon: datetime) -> str:
    if error := _attempt(cursor, *look_at(versions, horizon)):
        return error
    cursor.execute("RELEASE SAVEPOINT rule")
    return ""


def _attempt(cursor: Any, sql: str, values: dict[str, Any]) -> str:
    """Executes a statement after a savepoint; where it fails it is as if it had not been, and its error is
    returned, as text.
    """
    cursor.execute("SAVEPOINT rule")
    try:
        cursor.execute(sql, values)
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT rule")
        return str(error).partition("\n")[0][:200] or type(error).__name__
    return ""


def attempt(
    cursor: Any, sql: str, values: dict[str, Any], *, rows_max: int | None = None
) -> list[NewHit] | str | None:
    """The hits that a statement returns, within a savepoint; its error, as text, if it fails.

    None where they are more than `rows_max`: then there are none of them.
    """
    if error := _attempt(cursor, sql, values):
        return error
    rows = [NewHit(*row) for row in cursor.fetchall()]
    if rows_max is not None and len(rows) > rows_max:
        cursor.execute("ROLLBACK TO SAVEPOINT rule")
        return None
    cursor.execute("RELEASE SAVEPOINT rule")
    return rows


def place(cursor: Any, raised: Sequence[tuple[Judging, list[NewHit]]], *, in_chunk: bool = False) -> None:
    """Puts new hits of versions into alerts, but those of a time in which their version raises none.

    An alert counts transactions: what another version of the rule has found already goes where that went,
    and is counted no more. In a chunk each statement of it is bounded as a rule is.
    """
    rules: dict[tuple[int, int | None], list[tuple[Judging, NewHit]]] = {}
    for version, hits in raised:
        for hit in hits:
            if version.alerts(hit.happened_at):
                rules.setdefault((version.rule, hit.user), []).append((version, hit))
    if not rules:
        return
    if not in_chunk:
        # No rule is to blame for how many hits there are, and they do not grow fewer when it is tried again.
        cursor.execute(limits_again("statement_timeout"))
    cursor.execute(SELECT_KNOWN, ([hit.id for found in rules.values() for _, hit in found],))
    known = {id: (alert, suppressed) for id, alert, suppressed in cursor.fetchall()}
    rows = [(id, *where) for id, where in known.items()]
    fresh = {key: [each for each in found if each[1].id not in known] for key, found in rules.items()}
    groups = [
        _together(fresh[key])
        for key, found in sorted(rules.items(), key=lambda item: min(hit for _, hit in item[1]))
        if fresh[key]
    ]
    rows += [
        (hit.id, where.alert, where.suppressed)
        for where in (grouping.group(cursor, groups) if groups else [])
        for _, hit in fresh[where.rule, where.user]
    ]
    execute_values(cursor, PLACE_HITS, rows, template="(%s, %s::bigint, %s)", page_size=PLACED_AT_ONCE)


def _together(found: list[tuple[Judging, NewHit]]) -> grouping.Raised:
    """Hits of one rule for one user, as grave as the gravest of the versions that found them."""
    version, hit = max(found, key=lambda each: gravity(each[0].severity))
    subjects = {hit.subject for _, hit in found}
    return grouping.Raised(version.rule, version.name, version.severity, hit.user, len(subjects))
