"""How soon the queue and an alert open over many open alerts, and that each is found by an index."""

import time
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.history import forget_rules
from benchmarks.report import Section, number
from benchmarks.stage import Stage, say
from transactions.alerts.models import Alert
from transactions.models import Transaction
from transactions.review import queue
from transactions.review.parameters import AlertParameters
from transactions.rules import lifecycle
from transactions.rules.models import Hit, Rule

ALERTS, QUICK_ALERTS = 100_000, 5_000
# The alert that is opened is a month old, of a user who has gone on ever since. So many hits are in it, as
# many as one of a rule that never ends has, and so many were snoozed.
BUSY, BUSY_ROWS, QUICK_BUSY_ROWS = 90_000, 300_000, 60_000
HITS, QUIET_HITS = 20_000, 30
ROUNDS = 7
QUEUE_MS_MAX, ALERT_MS_MAX = 300.0, 200.0
RULES = 20
QUEUE_PAGES = {
    "gravest first": "?order=urgent",
    "gravest first, of a rule": "?order=urgent&rule={rule}",
    "all open": "?closed=false",
    "due first": "?order=due",
    "overdue": "?overdue=true",
    "unassigned": "?unassigned=true&closed=false",
    "mine (none)": "?mine=true&closed=false",
    "of a severity": "?severity=CRITICAL&closed=false",
    "of a rule": "?rule={rule}",
}

# Purpose: open alerts a second apart, of as many users, of the rules in turn, each of all severities.
FILL = f"""
    INSERT INTO {Alert._meta.db_table} (rule, rule_name, severity, "user", hits, state, opened_at, due_at)
    SELECT (%(rules)s::bigint[])[1 + n %% %(count)s], 'benchmark',
           (array['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'])[1 + n / %(count)s %% 4], 1000000 + n, 1, 'OPEN',
           now() - n * interval '1 second', now() + (n %% 7000 - 3500) * interval '1 minute'
      FROM generate_series(1, %(alerts)s) n
"""
# Purpose: transactions of one user over two months, all of which fail.
FILL_BUSY = f"""
    INSERT INTO {Transaction._meta.db_table}
           (transaction_id, user_id, status, created_at, amount, accepted_at, stored_at)
    SELECT 'busy-' || n, %(user)s, 'FAILED', t.at, 1000, t.at, t.at
      FROM generate_series(1, %(rows)s) n
     CROSS JOIN LATERAL (SELECT now() - 60 * (1 - n::float / %(rows)s) * interval '1 day' AS at) t
"""
_HIT = f"""
    INSERT INTO {Hit._meta.db_table} (version_id, transaction, transaction_id, "user", amount, status,
                                      happened_at, figures, raised_at, alert_id, suppressed)
"""
# Purpose: a hit of each alert.
FILL_HITS = f"""{_HIT}
    SELECT %(version)s, -a.id, 'B' || a.id, a."user", 1000, 'FAILED', now(), '{{"count": 9}}', now(), a.id, ''
      FROM {Alert._meta.db_table} a
"""
# Purpose: the alert of the busy user; its hits, the latest of them suppressed, and what was snoozed then.
AGE_ALERT = f"""
    UPDATE {Alert._meta.db_table}
       SET "user" = %(user)s, opened_at = now() - interval '30 days', suppressed = %(quiet)s
     WHERE id = %(one)s
"""
FILL_ITS_HITS = f"""{_HIT}
    SELECT %(version)s, t.id, t.transaction_id, t.user_id, t.amount, t.status, t.created_at,
           '{{"count": 9}}', now(), CASE WHEN t.n <= %(hits)s THEN %(one)s END,
           CASE WHEN t.n <= %(hits)s - %(quiet)s THEN '' WHEN t.n <= %(hits)s THEN 'QUIET' ELSE 'SNOOZED' END
      FROM (SELECT *, row_number() OVER (ORDER BY created_at) AS n FROM {Transaction._meta.db_table}
             WHERE user_id = %(user)s AND created_at > now() - interval '31 days'
             ORDER BY created_at LIMIT 2 * %(hits)s) t
     ORDER BY t.created_at
"""


def run(stage: Stage) -> Section:
    alerts = QUICK_ALERTS if stage.scale.quick else ALERTS
    section = Section(f"{alerts:,} open alerts")
    one, rule = _fill(alerts, QUICK_BUSY_ROWS if stage.scale.quick else BUSY_ROWS)
    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.create_superuser("triage"))
    pages = {f"api: {name}": f"/api/alerts/{asked.format(rule=rule)}" for name, asked in QUEUE_PAGES.items()}
    pages |= {
        "api: counts": "/api/alerts/counts/",
        "admin: the queue": "/admin/alerts/alert/",
        "admin: overdue": "/admin/alerts/alert/?tab=overdue",
    }
    one_alert = {
        "api: an alert": f"/api/alerts/{one}/",
        "admin: an alert": f"/admin/alerts/alert/{one}/change/",
    }
    queue_ms = {name: _open(client, name, path) for name, path in pages.items()}
    alert_ms = {name: _open(client, name, path) for name, path in one_alert.items()}
    performance_ms = {"api: performance": _open(client, "performance", "/api/rules/performance/?days=90")}
    rows = [(name, min(ms), max(ms)) for name, ms in (queue_ms | alert_ms | performance_ms).items()]
    section.table(("page", "best ms", "worst ms"), rows)
    for what, taken, most in (("queue", queue_ms, QUEUE_MS_MAX), ("alert", alert_ms, ALERT_MS_MAX)):
        slowest = max(min(ms) for ms in taken.values())
        section.target(
            f"the slowest page of the {what}, its best of {ROUNDS}",
            f"< {most:g} ms",
            f"{number(slowest)} ms",
            slowest < most,
        )
    scanned = [name for name, asked in QUEUE_PAGES.items() if _scans(asked, rule)]
    section.target("pages that read the whole table", "none", ", ".join(scanned) or "none", not scanned)
    _forget()
    return section


def _fill(alerts: int, rows: int) -> tuple[int, int]:
    """The key of an old alert of a user with so many rows, and that of a rule."""
    forget_rules()
    author, approver = (User.objects.create(pk=key, username=f"triage-{key}") for key in (BUSY, BUSY + 1))
    versions = []
    for n in range(RULES):
        rule = Rule.objects.create(name=f"triage {n}")
        versions.append(lifecycle.draft(rule, "failure_burst", {"count": 3, "window": "10m"}, author))
        lifecycle.submit(versions[-1])
        lifecycle.approve(versions[-1], approver)
    rules = [version.rule_id for version in versions]
    say(f"triage: {alerts:,} open alerts, a user with {rows:,} rows")
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"rules": rules, "count": RULES, "alerts": alerts})
        one = Alert.objects.order_by("id").values_list("id", flat=True)[alerts // 2]
        cursor.execute(FILL_HITS, {"version": versions[0].pk})
        cursor.execute(FILL_BUSY, {"user": BUSY, "rows": rows})
        # The version that looks at it is the one of the alert's rule.
        place = rules.index(Alert.objects.get(pk=one).rule)
        its = {"user": BUSY, "one": one, "version": versions[place].pk, "hits": HITS, "quiet": QUIET_HITS}
        cursor.execute(AGE_ALERT, its)
        cursor.execute(FILL_ITS_HITS, its)
        tables = (Alert, Hit, Transaction)
        cursor.execute(f"ANALYZE {', '.join(table._meta.db_table for table in tables)}")
    return one, rules[3]


def _forget() -> None:
    forget_rules()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {Transaction._meta.db_table} WHERE user_id = %s", [BUSY])
    User.objects.filter(username__startswith="triage").delete()


def _open(client: Client, name: str, path: str) -> list[float]:
    taken_ms = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path)
        taken_ms.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
    say(f"triage: {name}: {number(min(taken_ms))} ms")
    return taken_ms


def _scans(asked: str, rule: int) -> bool:
    """Whether a page of the queue is found by reading the whole table, by one statement of it at least."""
    pairs = (pair.partition("=") for pair in asked.format(rule=rule).lstrip("?").split("&"))
    parameters = AlertParameters(data=_query({name: value for name, _, value in pairs}))
    parameters.is_valid(raise_exception=True)
    caller = User.objects.get(username="triage")
    with CaptureQueriesContext(connection) as asking:
        queue.rows_of_page(parameters.validated_data, caller)
    statements = [each["sql"] for each in asking if f'FROM "{Alert._meta.db_table}"' in each["sql"]]
    if not statements:
        raise RuntimeError(f"No statement of {asked} was seen.")
    plans = [_plan(statement) for statement in statements]
    say(f"triage: {asked}: {'; '.join(plan[0] for plan in plans)}")
    return any(f"Seq Scan on {Alert._meta.db_table}" in line for plan in plans for line in plan)


def _plan(statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        return [line for (line,) in cursor.fetchall()]


def _query(asked: dict[str, Any]) -> Any:
    query = QueryDict(mutable=True)
    query.update(asked)
    return query
