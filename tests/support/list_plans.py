"""How PostgreSQL finds what a page of the list of transactions shows."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.admin_pages import page, url


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read a table or an index."""
    if "Index Name" in plan or "Relation Name" in plan:
        yield plan
    for child in plan.get("Plans", []):
        yield from scans(child)


def plans(client: Client, query: str) -> list[tuple[str, dict[str, Any]]]:
    """The statements on transactions behind a page of the list, each as it was really carried out."""
    return plans_of(lambda: page(client, url("transaction", query)))


def plans_of(ask: Callable[[], object]) -> list[tuple[str, dict[str, Any]]]:
    """The statements on transactions that `ask` sends, each as it was really carried out."""
    with CaptureQueriesContext(database) as queries:
        ask()
    sent = [q["sql"] for q in queries if "transactions_transaction" in q["sql"]]
    statements = [sql for sql in sent if not sql.startswith("EXPLAIN")]
    assert statements
    found = []
    with transaction.atomic(), database.cursor() as cursor:
        # Workers read on for a moment after the limit is reached.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        for sql in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"), [])
            (document,) = cursor.fetchone()
            found.append((sql, (json.loads(document) if isinstance(document, str) else document)[0]["Plan"]))
    return found


def rows_read(plan: dict[str, Any]) -> int:
    """The most rows that a scan of the plan has looked at."""
    return max(
        int(node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * int(node["Actual Loops"])
        for node in scans(plan)
    )
