"""Twelve rules that find something in what the clients send, and the check of what they have found."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dev.waiting import NotInTime, wait_until
from tests.faults.system import System
from tests.support.judging import Entry, Fact, judge
from transactions.alerts.models import Alert
from transactions.rules.kinds.clock import PendingTooLong
from transactions.rules.kinds.registry import read
from transactions.rules.models import ClockCursor, Debt, Hit, ListEntry, Rule, UserList, Version
from transactions.tables import TRANSACTIONS

# Debt is paid within this, in seconds, once everything is stored: 600,000 records of fault 12 are owed.
PAY_S = 240.0
LIST = "Watched"
# Few users, of whom each row is judged: what all of the users did would be millions of hits.
WATCHED = (7, 23)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

_OF_WATCHED = {"in_list": LIST}
TWELVE: dict[str, dict[str, Any]] = {
    "amount": {"at": "least", "amount": 92 * 10**17},
    "below_limit": {"count": 2, "limit": 1000, "margin": 1, "window": "24h", "filter": _OF_WATCHED},
    "round_amount": {"multiple": 50_000, "least": 50_000},
    "velocity_count": {"count": 5, "window": "10m", "filter": _OF_WATCHED},
    "velocity_sum": {
        "total": 2**63 - 1,
        "window": "1h",
        "filter": {**_OF_WATCHED, "amount_min": 10**18, "statuses": ["SUCCESS"]},
    },
    "failure_burst": {"count": 3, "window": "10m", "filter": _OF_WATCHED},
    "rapid_repeat": {"count": 2, "window": "6h", "filter": {**_OF_WATCHED, "amount_min": 1}},
    "listed": {"list_name": LIST, "filter": _OF_WATCHED},
    "clock_gap": {"minutes": 60, "filter": _OF_WATCHED},
    "deviation": {
        "factor": 1.5,
        "past_min": 3,
        "past_max": 10,
        "least": 7 * 10**18,
        "filter": _OF_WATCHED,
    },
    "first_or_dormant": {"days": 60, "least": 50_000, "filter": _OF_WATCHED},
    "pending_too_long": {"minutes": 1, "filter": _OF_WATCHED},
}

HIT, ALERT, DEBT, VERSION = (model._meta.db_table for model in (Hit, Alert, Debt, Version))
# Purpose: a rule and its version, taken step by step, as the database asks, until it is in force since long
# ago. Nothing is stored yet that it would owe.
DRAFT = f"""
    WITH rule AS (
        INSERT INTO {Rule._meta.db_table} (name, severity, description) VALUES (%(kind)s, 'HIGH', '')
        RETURNING id
    )
    INSERT INTO {VERSION} (rule_id, number, kind, parameters, severity, description, state)
    SELECT id, 1, %(kind)s, %(parameters)s, 'HIGH', '', 'DRAFT' FROM rule RETURNING id
"""
SUBMIT = f"UPDATE {VERSION} SET state = 'SUBMITTED', submitted_at = now() WHERE id = %(id)s"
PUT_IN_FORCE = f"""
    UPDATE {VERSION} SET state = 'ACTIVE', approved_at = now(), four_eyes = false,
           effective_from = %(begin)s, alerts_from = %(begin)s
     WHERE id = %(id)s
"""
WATCH = f"""
    WITH list AS (
        INSERT INTO {UserList._meta.db_table} (name, description) VALUES (%(list)s, '') RETURNING id
    )
    INSERT INTO {ListEntry._meta.db_table} (list_id, user_id, comment, starts_at)
    SELECT id, unnest(%(users)s), '', %(begin)s FROM list
"""
SELECT_FACTS = f"""
    SELECT id, user_id, amount, status, created_at, accepted_at, settled_at FROM {TRANSACTIONS}
"""
SELECT_VERSIONS = f"""
    SELECT v.id, v.rule_id, v.kind, v.parameters, coalesce(c."row", 0)
      FROM {VERSION} v LEFT JOIN {ClockCursor._meta.db_table} c ON c.version_id = v.id
"""
SELECT_HITS = f"SELECT version_id, transaction FROM {HIT}"
# An alert counts transactions, or moments, however many versions of its rule find each.
COUNTED = "count(DISTINCT (h.transaction, h.bucket))"
SELECT_GROUPS = f"""
    SELECT v.rule_id, h."user", {COUNTED} FROM {HIT} h JOIN {VERSION} v ON v.id = h.version_id
     GROUP BY v.rule_id, h."user"
"""
SELECT_ALERTS = f"""
    SELECT a.rule, a."user", a.hits, (SELECT {COUNTED} FROM {HIT} h WHERE h.alert_id = a.id) FROM {ALERT} a
"""
SELECT_DEBT = f"SELECT version_id, records, attempts, error FROM {DEBT}"


def put_in_force(cursor: Any) -> None:
    """The twelve rules, before anything is stored."""
    cursor.execute(WATCH, {"list": LIST, "users": list(WATCHED), "begin": LONG_AGO})
    for kind, parameters in TWELVE.items():
        cursor.execute(DRAFT, {"kind": kind, "parameters": json.dumps(parameters)})
        values = {"id": cursor.fetchone()[0], "begin": LONG_AGO}
        cursor.execute(SUBMIT, values)
        cursor.execute(PUT_IN_FORCE, values)


@dataclass
class Judgement:
    """What there is and what is wrong with it; lost and doubled are hits and alerts."""

    hits: int = 0
    alerts: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)


def wait_paid(system: System) -> float:
    """Waits until nothing is owed; how long it took, in seconds."""

    def paid() -> bool:
        return not _debt(system)

    try:
        return wait_until(paid, PAY_S, "what rules owe is paid")
    except NotInTime as error:
        raise AssertionError(f"{error}: {_debt(system)}") from None


def _debt(system: System) -> list[Any]:
    with system.sql() as cursor:
        cursor.execute(SELECT_DEBT)
        return list(cursor.fetchall())


def check_hits(system: System) -> Judgement:
    """Holds hits and alerts against what the plain judge finds among all that is stored."""
    with system.sql() as cursor:
        # What a clock has walked past is judged for good; it walks on meanwhile.
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(SELECT_FACTS)
        facts = [Fact(*row) for row in cursor.fetchall()]
        cursor.execute(SELECT_VERSIONS)
        versions = cursor.fetchall()
        cursor.execute(SELECT_HITS)
        raised = set(cursor.fetchall())
        cursor.execute(SELECT_GROUPS)
        groups = {(rule, user): hits for rule, user, hits in cursor.fetchall()}
        cursor.execute(SELECT_ALERTS)
        alerts = cursor.fetchall()
    judgement = Judgement(hits=len(raised), alerts=len(alerts))
    expected = {hit for version in versions for hit in _expected(version, facts)}
    _compare(judgement, "hit of version and row", expected, raised)
    _compare(judgement, "alert of rule and user", groups.keys(), [alert[:2] for alert in alerts])
    for rule, user, told, joined in alerts:
        if not told == joined == groups.get((rule, user)):
            judgement.wrong.append(
                f"the alert of rule {rule} and user {user} tells of {told} hits, {joined} joined it,"
                f" there are {groups.get((rule, user))}"
            )
    return judgement


def _expected(version: tuple[Any, ...], facts: list[Fact]) -> Iterable[tuple[int, int]]:
    """Version and row of each hit that there should be."""
    id, _, name, parameters, row = version
    kind = read(name, parameters)
    entries = [Entry(LIST, user, LONG_AGO, None) for user in WATCHED]
    concerned = facts
    if kind.filter.in_list is not None:
        concerned = [fact for fact in facts if fact.user in WATCHED]
    if isinstance(kind, PendingTooLong):
        concerned = [fact for fact in concerned if fact.id <= row]
    # Rows that the clock has walked past had been accepted long enough before.
    now = datetime.now(UTC) + timedelta(days=1)
    return ((id, found) for found in judge(kind, concerned, entries, LONG_AGO, None, now))


def _compare(judgement: Judgement, what: str, expected: Iterable[Any], found: Iterable[Any]) -> None:
    there = Counter(found)
    should = set(expected)
    lost = should - there.keys()
    doubled = [each for each, number in there.items() if number > 1 or each not in should]
    judgement.lost += len(lost)
    judgement.doubled += len(doubled)
    if lost or doubled:
        judgement.wrong.append(
            f"{what}: {len(lost)} are not there: {sorted(lost)[:5]};"
            f" {len(doubled)} are there twice or should not be: {sorted(doubled)[:5]}"
        )
