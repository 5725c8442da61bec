"""What no rollup tells: amounts and users of the newest transactions, beside as long a time before.

Amounts are strings: a browser's numbers end at 2^53.
"""

from datetime import datetime, timedelta
from typing import Any

from ..stores.bounded_queries import query
from ..tables import TRANSACTIONS, USER_KEY, USERS

PERIOD_MAX = timedelta(hours=24)
# Rows of the period at most, and as many of the time before it.
SAMPLE_ROWS = 50_000
TOP_USERS = 10

# Purpose: the moment of the row at which a period that has too many is cut off; by the index
# transaction_by_time.
SELECT_START = f"""
    SELECT created_at FROM {TRANSACTIONS} WHERE created_at >= %(since)s AND created_at < %(until)s
     ORDER BY created_at DESC OFFSET %(rows)s - 1 LIMIT 1
"""
# The rows of a period, and of as long a time before it; by the same index.
_SAMPLED = f"""
    ((SELECT user_id, status, amount, true AS latest FROM {TRANSACTIONS}
       WHERE created_at >= %(start)s AND created_at < %(until)s ORDER BY created_at DESC LIMIT %(rows)s)
     UNION ALL
     (SELECT user_id, status, amount, false FROM {TRANSACTIONS}
       WHERE created_at >= %(before)s AND created_at < %(start)s ORDER BY created_at DESC LIMIT %(rows)s)
    ) AS sampled
"""
# Purpose: how amounts are spread in a period and before: 0, 1-9, 10-99, … by their
# number of digits.
COUNT_AMOUNTS = f"""
    SELECT CASE WHEN amount = 0 THEN 0 ELSE length(amount::text) END, count(*) FILTER (WHERE latest),
           count(*) FILTER (WHERE NOT latest)
      FROM {_SAMPLED} GROUP BY 1 ORDER BY 1
"""
# Purpose: what each user moved and failed in a period and before; those who did most.
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
      LEFT JOIN {USERS} AS person ON person.{USER_KEY} = sums.user_id
     ORDER BY top.what, CASE top.what WHEN 'volume' THEN sums.volume ELSE sums.failed END DESC, sums.user_id
"""


def sample(until: datetime) -> dict[str, Any]:
    """Amounts by their number of digits, and the users who did most, each beside as long a time before.

    Of the PERIOD_MAX that ends at `until`, or of its latest SAMPLE_ROWS rows, and of no more before
    them. Raises django.db.Error.
    """
    start = until - PERIOD_MAX
    if cut_off := query(SELECT_START, {"since": start, "until": until, "rows": SAMPLE_ROWS}):
        start = cut_off[0][0]
    before = start - (until - start)
    asked = {"before": before, "start": start, "until": until, "rows": SAMPLE_ROWS, "most": TOP_USERS}
    amounts = query(COUNT_AMOUNTS, asked)
    return {
        "rows": sum(count for _, count, _ in amounts),
        "rows_before": sum(before for *_, before in amounts),
        "since": start,
        "amounts": [
            {"digits": digits, "count": count, "before": before} for digits, count, before in amounts
        ],
        **_top_users(asked),
    }


def _top_users(asked: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Who moved most (`by_volume`) and who failed most (`by_failed`)."""
    found: dict[str, list[dict[str, Any]]] = {"by_volume": [], "by_failed": []}
    rows = query(SELECT_TOP_USERS, asked)
    for what, user, name, count, failed, volume, failed_before, volume_before in rows:
        now, before = (str(volume), str(volume_before)) if what == "volume" else (failed, failed_before)
        found[f"by_{what}"].append(
            {"user": user, "name": name, "count": count, "value": now, "before": before}
        )
    return found
