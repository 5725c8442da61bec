"""Slices of users: the next ones, all of whose range is looked at; few of them where each has many rows."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model

from ..models import Transaction

TABLE, USER = Transaction._meta.db_table, get_user_model()._meta.db_table

# Purpose: the next users, so many that they have about so many rows; the last of them may have any number.
# A rule's text finds them in rule_look. Counting ends with the row that is one too many.
LOOK = f"""
    WITH next AS MATERIALIZED (
        SELECT id FROM {USER} WHERE id > %(after)s ORDER BY id LIMIT %(users)s
    ), counted AS (
        SELECT n.id
          FROM (SELECT id FROM {USER} WHERE id > %(after)s ORDER BY id LIMIT %(users)s) n
         CROSS JOIN LATERAL (
            SELECT FROM {TABLE} t
             WHERE (t.user_id, t.created_at) > (n.id, %(first)s)
               AND (t.user_id, t.created_at) <= (n.id, %(end)s)
            OFFSET 0) t
         ORDER BY n.id LIMIT %(rows)s
    )
    INSERT INTO rule_look (version, user_id, lo, hi)
    SELECT %(version)s, id, %(begin)s, %(end)s FROM next
     WHERE id <= coalesce((SELECT max(id) FROM counted HAVING count(*) >= %(rows)s), {2**63 - 1})
"""
# Purpose: how many users that were, and the last of them.
SELECT_LOOKED = "SELECT count(*), max(user_id) FROM rule_look WHERE version = %s"
# Purpose: how many rows users have in the time that is looked at, which is one time for all of them.
COUNT_ROWS = f"""
    SELECT count(*)
      FROM rule_look l
     CROSS JOIN LATERAL (
        SELECT FROM {TABLE} t
         WHERE (t.user_id, t.created_at) >= (l.user_id, l.lo)
           AND (t.user_id, t.created_at) < (l.user_id, l.hi)
        OFFSET 0) t
     WHERE l.version = %s
"""


def look(
    cursor: Any,
    version: int,
    begin: datetime,
    end: datetime,
    *,
    after: int,
    window_s: int,
    users: int,
    rows: int,
) -> tuple[int, int]:
    """Puts the next users where the text of a version looks for whom to look at.

    Says how many they are, and which is the last; 0 when there are none. `window_s` is how long before
    `begin` rows are read, too. Raises psycopg2.Error.
    """
    asked = {"after": after, "users": users, "rows": rows, "version": version}
    first = begin - timedelta(seconds=window_s)
    cursor.execute(LOOK, {**asked, "begin": begin, "end": end, "first": first})
    cursor.execute(SELECT_LOOKED, (version,))
    looked, last = cursor.fetchone()
    return looked, last or after


def count_rows(cursor: Any, version: int) -> int:
    """How many rows users who are looked at have in that time. Raises psycopg2.Error."""
    cursor.execute(COUNT_ROWS, (version,))
    rows: int = cursor.fetchone()[0]
    return rows
