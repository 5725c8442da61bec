"""What a version owes in several ranges is made one before it is paid: the window of each user is read once.

Each flush may leave a range of its own, and so may each attempt that failed. Paid one after the other, each
would have the windows of nearly all users read again, for hits of which most are known by then.
"""

from typing import Any

from .models import Debt

DEBT = Debt._meta.db_table

# Rows that settled, in one row of debt.
IDS_MAX = 50_000

# Whether `earliest` of a row of debt {d} holds of all of it, and not only of what was owed before the release
# before added to it.
EARLIEST_IS_KNOWN = """(
    {d}.earliest IS NOT NULL
    AND ({d}.last_id IS NULL OR {d}.last_id = {d}.earliest_last_id)
    AND ({d}.ids = '[]' OR ({d}.ids ->> -1)::bigint = {d}.earliest_last_of_ids)
)"""
# Purpose: the ranges that a version owes, and could pay now, join the one of them that is paid next. Not
# those far from it, lest all that was judged in between is judged again; nor those whose slices have begun.
JOIN_OTHERS = f"""
    WITH near AS MATERIALIZED (
        SELECT d.*, sum(jsonb_array_length(d.ids)) OVER (ORDER BY d.id) + jsonb_array_length(m.ids) AS number
          FROM {DEBT} m JOIN {DEBT} d ON d.version_id = m.version_id AND d.id <> m.id
         WHERE m.id = %(id)s AND m.last_id IS NOT NULL AND m.after_user IS NULL AND NOT m.count_in_gate
           AND {EARLIEST_IS_KNOWN.format(d="m")} AND {EARLIEST_IS_KNOWN.format(d="d")}
           AND d.last_id IS NOT NULL AND d.after_user IS NULL AND NOT d.count_in_gate AND d.due_at <= now()
           AND NOT EXISTS (SELECT FROM {DEBT} a WHERE a.id = d.split_from)
           AND d.first_id > m.last_id - %(ids)s AND d.last_id < m.first_id + %(ids)s
    ), joining AS (
        DELETE FROM {DEBT} WHERE id IN (SELECT id FROM near WHERE number <= {IDS_MAX})
        RETURNING *
    ), others AS (
        SELECT min(first_id) AS first, max(last_id) AS last, sum(records) AS records,
               min(earliest) AS earliest, max(attempts) AS attempts, max(error) AS error,
               coalesce((SELECT jsonb_agg(each ORDER BY place, id)
                           FROM (SELECT j.id AS place, e.each, e.id
                                   FROM joining j
                                  CROSS JOIN LATERAL jsonb_array_elements(j.ids) WITH ORDINALITY e (each, id)
                                ) every), '[]') AS ids
          FROM joining HAVING count(*) > 0
    )
    UPDATE {DEBT} d
       SET first_id = least(d.first_id, o.first), last_id = greatest(d.last_id, o.last), ids = d.ids || o.ids,
           records = d.records + o.records, earliest = least(d.earliest, o.earliest),
           earliest_last_id = greatest(d.last_id, o.last),
           earliest_last_of_ids = ((d.ids || o.ids) ->> -1)::bigint,
           attempts = greatest(d.attempts, o.attempts), error = greatest(d.error, o.error)
      FROM others o
     WHERE d.id = %(id)s
    RETURNING d.first_id, d.last_id, d.ids, d.attempts
"""


def join_others(cursor: Any, debt: int, within: int) -> tuple[int, int, list[int], int] | None:
    """Makes the ranges of a debt's version one, all that lies within so many ids: first and last id, the ids
    of rows that settled and the failures that count; None where nothing is changed. Raises psycopg2.Error.

    In the transaction that pays the first slice: what is undone with that is owed as it was.
    """
    cursor.execute(JOIN_OTHERS, {"id": debt, "ids": within})
    found: tuple[int, int, list[int], int] | None = cursor.fetchone()
    return found
