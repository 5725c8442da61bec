"""What is told of an alert: as it is now, into the outbox, in the transaction of whoever changed it.

It says which rule and which user, how grave it is and how it stands; no amounts and nothing of a
transaction: who may see those looks behind the link.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model

from ..notifications import outbox
from ..notifications.latest import Standing
from ..notifications.models import MessageType
from .models import Alert, AlertState

ACCOUNT = get_user_model()._meta.db_table

# What one waits of, and what changes meanwhile goes into.
WAITS = MessageType.ALERT_UPDATED
# Where an alert is shown.
PAGE = "/admin/alerts/alert/"
# Purpose: a message for each alert, with the alert as this transaction sees it.
TELL = f"""
    {outbox.INSERT}
    SELECT t.type, a.id, a.severity, now() + t.hold, jsonb_build_object(
           'alert', a.id, 'rule', jsonb_build_object('id', a.rule, 'name', a.rule_name),
           'severity', a.severity, 'user', a."user", 'state', a.state, 'version', a.version,
           'hits', a.hits, 'suppressed', a.suppressed,
           'opened_at', {outbox.moment_of("a.opened_at")}, 'due_at', {outbox.moment_of("a.due_at")},
           'assignee', assignee.username,
           'closed_at', {outbox.moment_of("a.closed_at")}, 'closed_by', closer.username,
           'disposition', nullif(a.disposition, ''), 'reason', nullif(a.reason, ''),
           'link', %(page)s || a.id || '/change/')
      FROM unnest(%(alerts)s::bigint[], %(types)s::text[], %(holds)s::interval[]) t (id, type, hold)
      JOIN {Alert._meta.db_table} a ON a.id = t.id
      LEFT JOIN {ACCOUNT} assignee ON assignee.id = a.assignee_id
      LEFT JOIN {ACCOUNT} closer ON closer.id = a.closed_by_id
     ORDER BY a.id
    {outbox.JOIN_WAITING}
"""


def tell_hits(cursor: Any, opened: Iterable[int], joined: Iterable[int]) -> None:
    """After hits went into alerts, which they opened (or made graver, which is told alike), or joined.

    Nothing is done where there are none.
    """
    told = [(alert, MessageType.ALERT_OPENED, "0") for alert in opened]
    told += [(alert, WAITS, f"{outbox.TOGETHER.total_seconds()} s") for alert in joined]
    _tell(cursor, told)


def tell_change(cursor: Any, alert: int, *, closed: bool, assigned: bool = False) -> None:
    """After somebody changed an alert, or gave it to somebody else, which is told beside the change.

    Its end says what an update that waits would have said.
    """
    if assigned:
        _tell(cursor, [(alert, MessageType.ALERT_ASSIGNED, "0")])
    _tell(cursor, [(alert, MessageType.ALERT_CLOSED if closed else WAITS, "0")])


def standing(alerts: Sequence[int]) -> dict[int, Standing]:
    """How those that there are of them stand by now, for whoever tells of them. Raises django.db.Error."""
    rows = Alert.objects.filter(pk__in=alerts).values_list("pk", "state", "severity")
    return {pk: Standing(state == AlertState.CLOSED, severity) for pk, state, severity in rows}


def _tell(cursor: Any, told: list[tuple[int, MessageType, str]]) -> None:
    """An update that waits goes on growing, so it is always the last: anything else takes its place."""
    others = [alert for alert, type, _ in told if type != WAITS]
    if others:
        cursor.execute(outbox.DROP_UPDATE, [others])
    if told:
        alerts, types, holds = zip(*told, strict=True)
        cursor.execute(
            TELL,
            {
                "page": outbox.link(PAGE),
                "alerts": list(alerts),
                "types": [each.value for each in types],
                "holds": list(holds),
            },
        )
