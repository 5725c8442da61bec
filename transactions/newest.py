"""What no rollup tells: amounts and users of the newest transactions, beside as many before them.

Amounts are strings: a browser's numbers end at 2^53.
"""

from typing import Any

from .dashboard import TRANSACTION, query
from .models import Transaction

USER = Transaction._meta.get_field("user").related_model._meta

SAMPLE_ROWS = 50_000
TOP_USERS = 10

# The latest rows, newest first by the index transaction_by_time, and as many before them.
_SAMPLED = f"""
    (SELECT user_id, status, amount, created_at, row_number() OVER () <= %(rows)s AS latest
       FROM (SELECT user_id, status, amount, created_at FROM {TRANSACTION}
              ORDER BY created_at DESC, id DESC LIMIT 2 * %(rows)s) AS newest) AS sampled
"""
# Purpose: how amounts are spread among the latest rows and those before: 0, 1-9, 10-99, … by their
# number of digits.
COUNT_AMOUNTS = f"""
    SELECT CASE WHEN amount = 0 THEN 0 ELSE length(amount::text) END, count(*) FILTER (WHERE latest),
           count(*) FILTER (WHERE NOT latest), min(created_at) FILTER (WHERE latest)
      FROM {_SAMPLED} GROUP BY 1 ORDER BY 1
"""
# Purpose: what each user moved and failed among the latest rows and those before; those who did most.
SELECT_TOP_USERS = f"""
    WITH sums AS MATERIALIZED (
        SELECT user_id,
               count(*) FILTER (WHERE latest) AS count,
               count(*) FILTER (WHERE latest AND status = 'FAILED') AS failed,
               sum(amount) FILTER (WHERE latest) AS volume,
               count(*) FILTER (WHERE NOT latest AND status = 'FAILED') AS failed_before,
               coalesce(sum(amount) FILTER (WHERE NOT latest), 0) AS volume_before
          FROM {_SAMPLED} GROUP BY user_id)
    SELECT top.what, sums.user_id, person.username, sums.count, sums.failed, sums.volume,
           sums.failed_before, sums.volume_before
      FROM ((SELECT 'volume' AS what, user_id FROM sums WHERE count > 0
              ORDER BY volume DESC, user_id LIMIT %(most)s)
            UNION ALL
            (SELECT 'failed', user_id FROM sums WHERE failed > 0
              ORDER BY failed DESC, user_id LIMIT %(most)s)) AS top
      JOIN sums USING (user_id)
      LEFT JOIN {USER.db_table} AS person ON person.{USER.pk.column} = sums.user_id
     ORDER BY top.what, CASE top.what WHEN 'volume' THEN sums.volume ELSE sums.failed END DESC, sums.user_id
"""


def sample() -> dict[str, Any]:
    """Of the latest SAMPLE_ROWS rows: amounts by their number of digits, and the users who did most.

    Each beside the same of up to as many rows before them. Raises django.db.Error.
    """
    amounts = query(COUNT_AMOUNTS, {"rows": SAMPLE_ROWS})
    return {
        "rows": sum(count for _, count, _, _ in amounts),
        "rows_before": sum(before for _, _, before, _ in amounts),
        "since": min((since for *_, since in amounts if since is not None), default=None),
        "amounts": [
            {"digits": digits, "count": count, "before": before} for digits, count, before, _ in amounts
        ],
        **_top_users(),
    }


def _top_users() -> dict[str, list[dict[str, Any]]]:
    """Who moved most (`by_volume`) and who failed most (`by_failed`)."""
    found: dict[str, list[dict[str, Any]]] = {"by_volume": [], "by_failed": []}
    for what, user, name, count, failed, volume, failed_before, volume_before in query(
        SELECT_TOP_USERS, {"rows": SAMPLE_ROWS, "most": TOP_USERS}
    ):
        now, before = (str(volume), str(volume_before)) if what == "volume" else (failed, failed_before)
        found[f"by_{what}"].append(
            {"user": user, "name": name, "count": count, "value": now, "before": before}
        )
    return found
