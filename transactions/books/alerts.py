"""Alerts as the books of hits: does each count the hits that it has, and was it told as it is?

Compared in one snapshot, so it is right while hits are raised, alerts are worked on and messages get
their places. PostgreSQL counts; what comes here is what is wrong, up to SHOWN_MAX of each kind.
"""

from typing import Any, NamedTuple

from ..alerts.models import Alert, AlertState
from ..notifications.models import Message, MessageType, Numbering
from ..notifications.numbering import KEPT_DAYS
from ..rules.emptying import CHECK_SESSION
from ..rules.models import Hit, Version
from ..stores.postgres_session import Session

ALERT, HIT, VERSION = Alert._meta.db_table, Hit._meta.db_table, Version._meta.db_table
MESSAGE, NUMBERING = Message._meta.db_table, Numbering._meta.db_table

# What is shown of each thing that can be wrong.
SHOWN_MAX = 10
# How long it may all take: millions of hits are some seconds.
CHECK_MS_MAX = 600_000
# A hit is raised and put into its alert by one transaction, which lasts a minute at most.
APART_MAX = "interval '10 minutes'"
# What was told so long ago may have been removed; a day before that, since removing takes its time.
TOLD_SINCE = f"now() - interval '{KEPT_DAYS - 1} days'"

# Purpose: one snapshot of all of them. They are held before it is taken: a table that is emptied meanwhile
# would seem to have been empty.
BEGIN = f"""
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = {CHECK_MS_MAX};
    SET LOCAL idle_in_transaction_session_timeout = {CHECK_MS_MAX};
    SET LOCAL client_connection_check_interval = 2000;
    LOCK TABLE {ALERT}, {HIT}, {VERSION}, {MESSAGE}, {NUMBERING} IN ACCESS SHARE MODE
"""
COUNT = f"""
    SELECT (SELECT count(*) FROM {ALERT}), (SELECT count(*) FROM {HIT}),
           (SELECT count(*) FROM {MESSAGE} WHERE position IS NOT NULL)
"""


class Check(NamedTuple):
    """What is looked for: a SELECT of what is wrong, how each row of it is told, and how so many more are."""

    sql: str
    told: str
    more: str


class Agreement(NamedTuple):
    """How many there are, and what is wrong, in sentences: none where all agree."""

    alerts: int
    hits: int
    events: int
    wrong: list[str]


# Purpose: what alerts have. A transaction, or a bucket, counts once, whatever versions of a rule found it.
_HAS = f"""
    WITH has AS (
        SELECT alert_id, count(*) FILTER (WHERE joined) AS hits,
               count(*) FILTER (WHERE NOT joined) AS suppressed,
               min(raised_at) FILTER (WHERE joined) AS first, max(raised_at) FILTER (WHERE joined) AS last
          FROM (SELECT alert_id, suppressed = '' AS joined, min(raised_at) AS raised_at
                  FROM {HIT} WHERE alert_id IS NOT NULL
                 GROUP BY alert_id, suppressed = '', transaction, bucket) subjects
         GROUP BY alert_id)
    SELECT a.id, a.hits AS says, a.suppressed AS says_suppressed, coalesce(h.hits, 0) AS hits,
           coalesce(h.suppressed, 0) AS suppressed, a.opened_at, h.first, a.touched_at, h.last
      FROM {ALERT} a LEFT JOIN has h ON h.alert_id = a.id
"""
# Purpose: of each alert the message that was written last. Whoever writes one holds the alert, so their keys
# are in the order of its changes.
_TOLD = f"""
    WITH newest AS (
        SELECT alert, max(id) AS id, bool_or(type = '{MessageType.ALERT_OPENED}') AS opened
          FROM {MESSAGE} WHERE alert IS NOT NULL GROUP BY alert)
    SELECT coalesce(a.id, n.alert) AS id, a.id IS NOT NULL AS there, n.id IS NOT NULL AS told, n.opened,
           a.version, a.state, a.hits, a.opened_at,
           greatest(a.opened_at, a.touched_at, a.closed_at) AS changed_at,
           m.data ->> 'version' AS told_version, m.data ->> 'state' AS told_state,
           m.data ->> 'hits' AS told_hits
      FROM {ALERT} a FULL JOIN newest n ON n.alert = a.id LEFT JOIN {MESSAGE} m ON m.id = n.id
"""
# Purpose: places as they are, each with the one that should be there; and the end of them.
_PLACES = f"""
    SELECT position, lag(position, 1, (SELECT coalesce(max(removed_to), 0) FROM {NUMBERING}))
                     OVER (ORDER BY position) + 1 AS expected
      FROM (SELECT position FROM {MESSAGE} WHERE position IS NOT NULL
             UNION ALL SELECT coalesce(max(last), 0) + 1 FROM {NUMBERING}) places
"""
_HITS = f"""
    SELECT h.id, h.alert_id, h.suppressed, h."user", h.happened_at, v.alerts_from, v.rule_id,
           a.rule, a."user" AS alert_user
      FROM {HIT} h JOIN {VERSION} v ON v.id = h.version_id LEFT JOIN {ALERT} a ON a.id = h.alert_id
"""
CHECKS = (
    Check(
        f"SELECT id, says, says_suppressed, hits, suppressed FROM ({_HAS}) c"
        " WHERE says <> hits OR says_suppressed <> suppressed OR hits = 0",
        "Alert {} says that it has {} hits and {} suppressed, and has {} and {}.",
        "alerts count other hits than they have",
    ),
    Check(
        f"SELECT id, opened_at, first FROM ({_HAS}) c"
        f" WHERE opened_at NOT BETWEEN first - {APART_MAX} AND first + {APART_MAX}",
        "Alert {} was opened at {}, and its first hit was raised at {}.",
        "alerts were opened at another time than their first hit was raised",
    ),
    Check(
        f"SELECT id, touched_at, last FROM ({_HAS}) c"
        f" WHERE touched_at NOT BETWEEN last - {APART_MAX} AND last + {APART_MAX}",
        "The last hit joined alert {} at {}, and was raised at {}.",
        "alerts were joined at another time than their last hit was raised",
    ),
    Check(
        f"""SELECT id FROM ({_HITS}) c WHERE alert_id IS NULL AND suppressed <> '{Hit.Suppressed.SNOOZED}'
               AND (suppressed <> '' OR happened_at >= alerts_from)""",
        "Hit {} is in no alert, and does not say why.",
        "hits are in no alert, and do not say why",
    ),
    Check(
        f"""SELECT id FROM ({_HITS}) c
             WHERE alert_id IS NOT NULL AND (rule <> rule_id OR alert_user IS DISTINCT FROM "user")""",
        "Hit {} is in an alert of another rule or user.",
        "hits are in alerts of another rule or user",
    ),
    Check(
        f"SELECT id FROM {ALERT} WHERE state = '{AlertState.IN_REVIEW}' AND assignee_id IS NULL",
        "Alert {} is in review, and nobody has it.",
        "alerts are in review, and nobody has them",
    ),
    Check(
        f"SELECT id FROM ({_TOLD}) c WHERE NOT there",
        "Alert {} was told, and there is none.",
        "alerts were told that there are not",
    ),
    Check(
        f"SELECT id FROM ({_TOLD}) c WHERE there AND NOT told AND changed_at > {TOLD_SINCE}",
        "Nothing was told of alert {}.",
        "alerts were not told",
    ),
    Check(
        f"SELECT id FROM ({_TOLD}) c WHERE there AND NOT opened AND opened_at > {TOLD_SINCE}",
        "It was never told that alert {} was opened.",
        "alerts were never told to be open",
    ),
    Check(
        f"""SELECT id, version, state, hits, told_version, told_state, told_hits FROM ({_TOLD}) c
             WHERE there AND told AND (told_version, told_state, told_hits)
                   IS DISTINCT FROM (version::text, state::text, hits::text)""",
        "Alert {} is at version {}, {}, hits {}; what was told last is version {}, {}, hits {}.",
        "alerts are not what was told of them last",
    ),
    Check(
        f"SELECT expected FROM ({_PLACES}) c WHERE expected < position",
        "Event {} is missing.",
        "gaps are among the events",
    ),
    Check(
        f"SELECT position FROM ({_PLACES}) c WHERE expected > position",
        "Event {} has a place that was not given.",
        "events have places that were not given",
    ),
)


def opened() -> Session:
    """The session in which it is checked. Whoever deletes everything ends it. Raises psycopg2.Error."""
    return Session(CHECK_SESSION, silence_s=len(CHECKS) * CHECK_MS_MAX / 1_000)


def check() -> Agreement:
    """Compares alerts with their hits, and messages with alerts. Raises psycopg2.Error."""
    with opened() as session, session.transaction() as cursor:
        cursor.execute(BEGIN)
        cursor.execute(COUNT)
        alerts, hits, events = cursor.fetchone()
        wrong = [sentence for each in CHECKS for sentence in ask(cursor, each)]
        return Agreement(alerts, hits, events, wrong)


def ask(cursor: Any, check: Check) -> list[str]:
    """What one of CHECKS finds, in sentences. Raises psycopg2.Error."""
    cursor.execute(f"SELECT count(*) OVER (), w.* FROM ({check.sql}) w ORDER BY 2 LIMIT {SHOWN_MAX}")
    rows = cursor.fetchall()
    found = [check.told.format(*row[1:]) for row in rows]
    more = rows[0][0] - len(rows) if rows else 0
    return [*found, f"{more:,} more {check.more}."] if more else found
