"""The gate: what a user did lately, at the most, so that few users are looked at.

One row a user holds count and sum of the bucket of the latest transaction and of the bucket before,
for buckets of an hour, a day, 7 and 30 days. A window that ends in the latest bucket lies within the
two, so that its count is no larger. A bound may be too high (statuses and filters are not looked at,
rows that were removed are still counted) and never too low; where nothing is known it is NULL, and
the user is looked at. When the user did something last is known exactly, or not at all. All this is kept
while a rule in force needs it.

Why no hit is missed, whatever order rows are counted in: take a hit, and of the rows in its window
the one that was counted and judged last. Then all of them are in the bounds, and the hit is at most
a window behind that row, where it is looked for.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection

from ..models import Transaction
from .models import Gate, UserState

STATE = UserState._meta.db_table
GATE = Gate._meta.db_table
TABLE = Transaction._meta.db_table
USER = get_user_model()._meta.db_table

COMPLETE = 2**63 - 1
# Users whose states are made at a time.
FILLED_USERS = 500

BUCKETS_S = {"hour": 3_600, "day": 86_400, "week": 604_800, "month": 2_592_000}


def _bucket(name: str, moment: str) -> str:
    return f"date_bin('{BUCKETS_S[name]} seconds', {moment}, '2000-01-01 00:00:00+00')"


LARGEST = 2**63 - 1


def _sum(first: str, second: str) -> str:
    """A sum of two bounds that stops at the largest bigint, which no limit is above."""
    return f"CASE WHEN {first} > {LARGEST} - {second} THEN {LARGEST} ELSE {first} + {second} END"


def _total(rows: str) -> str:
    """The sum of the amounts of some rows, likewise."""
    return f"least(coalesce(sum(amount) FILTER (WHERE {rows}), 0), {LARGEST})::bigint"


# Purpose: of rows of users (`hi` is the user's latest), what belongs to its bucket and the one before.
def _summed(name: str, seconds: int) -> str:
    latest = _bucket(name, "hi")
    # A comparison of the moment itself is cheaper than of its bucket.
    within = f"created_at >= {latest}"
    before = f"created_at < {latest} AND created_at >= {latest} - interval '{seconds} seconds'"
    return f"""
        {latest} AS {name}, count(*) FILTER (WHERE {within}) AS {name}_count,
        count(*) FILTER (WHERE {before}) AS {name}_count_before,
        {_total(within)} AS {name}_sum, {_total(before)} AS {name}_sum_before"""


SUMMED = ",".join(_summed(*item) for item in BUCKETS_S.items())
COLUMNS = ", ".join(
    f"{name}, {name}_count, {name}_count_before, {name}_sum, {name}_sum_before" for name in BUCKETS_S
)


def _merge(name: str, seconds: int) -> str:
    """How new rows change the kept bounds of one size of bucket: `excluded` are theirs."""
    width = f"interval '{seconds} seconds'"
    new, old = f"excluded.{name}", f"kept.{name}"
    made = [f"{name} = greatest({new}, {old})"]
    for what in ("count", "sum"):
        column, before = f"{name}_{what}", f"{name}_{what}_before"
        made.append(
            f"""{column} = CASE WHEN {new} > {old} THEN excluded.{column}
                WHEN {new} = {old} THEN {_sum(f"kept.{column}", f"excluded.{column}")}
                ELSE kept.{column} END"""
        )
        made.append(
            f"""{before} = CASE WHEN {new} > {old} + {width} THEN excluded.{before}
                WHEN {new} = {old} + {width} THEN {_sum(f"kept.{column}", f"excluded.{before}")}
                WHEN {new} = {old} THEN {_sum(f"kept.{before}", f"excluded.{before}")}
                WHEN {new} = {old} - {width} THEN {_sum(f"kept.{before}", f"excluded.{column}")}
                ELSE kept.{before} END"""
        )
    return ",\n".join(made)


MERGE = f"""
        ON CONFLICT ("user") DO UPDATE
       SET previous_at = kept.last_at, last_at = greatest(kept.last_at, excluded.last_at),
           {",".join(_merge(*item) for item in BUCKETS_S.items())}
"""
# Purpose: the bounds of a user of touched rows (`u.lo` is the earliest), NULL where these are not all of
# the latest bucket.
BOUNDS = ", ".join(
    f"""CASE WHEN {_bucket(name, "u.lo")} = k.{name}
             THEN {_sum(f"k.{name}_{what}", f"k.{name}_{what}_before")} END"""
    for name in BUCKETS_S
    for what in ("count", "sum")
)
BOUND_COLUMNS = ", ".join(f"{name}_{what}" for name in BUCKETS_S for what in ("count", "sum"))


def _keep_bounds(states: str) -> str:
    return f"""
    INSERT INTO rule_bound (user_id, previous_at, {BOUND_COLUMNS})
    SELECT u.user_id, CASE WHEN %(newest)s THEN k.previous_at END, {BOUNDS}
      FROM (SELECT user_id, min(created_at) AS lo FROM rule_touched GROUP BY user_id) u
      JOIN {states} k ON k."user" = u.user_id
     WHERE u.user_id <= (SELECT filled_to FROM {GATE})"""


# Purpose: counts the touched rows that are new in the states of their users, and keeps their bounds. Of
# most users all are of one hour, and so of one bucket of every size, for buckets lie within one another.
# How many they are the planner cannot know: a nested loop over two lists of them would take for ever.
COUNT_SIMPLE = f"""
    SET LOCAL enable_nestloop = off;
    WITH counted AS (
    INSERT INTO {STATE} AS kept ("user", last_at, {COLUMNS})
    SELECT user_id, hi, {", ".join(f"{_bucket(name, 'hi')}, number, 0, total, 0" for name in BUCKETS_S)}
      FROM (SELECT user_id, count(*) AS number, {_total("true")} AS total,
                   min(created_at) AS lo, max(created_at) AS hi
              FROM rule_touched WHERE is_new GROUP BY user_id) u
     WHERE lo >= {_bucket("hour", "hi")} {MERGE}
    RETURNING kept.*
    ) {_keep_bounds("counted")};
    SET LOCAL enable_nestloop TO DEFAULT
"""
# Purpose: the same for users whose new rows are of more than one hour, and so of several buckets.
COUNT_REST = f"""
    INSERT INTO {STATE} AS kept ("user", last_at, {COLUMNS})
    SELECT user_id, hi, {SUMMED}
      FROM (SELECT user_id, created_at, amount, max(created_at) OVER of_user AS hi,
                   min(created_at) OVER of_user AS lo
              FROM rule_touched WHERE is_new WINDOW of_user AS (PARTITION BY user_id)) fresh
     WHERE lo < {_bucket("hour", "hi")}
     GROUP BY user_id, hi {MERGE}
"""
# Purpose: whether there are such users; and whether rows were touched that are not new.
SELECT_REST = f"""
    SELECT coalesce({_bucket("hour", "min(created_at) FILTER (WHERE is_new)")}
                        < {_bucket("hour", "max(created_at) FILTER (WHERE is_new)")}, false),
           coalesce(bool_or(NOT is_new), false)
      FROM rule_touched
"""
# Purpose: the bounds of users that have none yet.
KEEP_BOUNDS = f"""{_keep_bounds(STATE)}
       AND NOT EXISTS (SELECT FROM rule_bound known WHERE known.user_id = u.user_id)
"""
# Purpose: bounds of the users of what is judged now; of this session alone, empty again with each COMMIT.
CREATE_BOUND = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS rule_bound (
        user_id bigint, previous_at timestamptz,
        {", ".join(f"{column} bigint" for column in BOUND_COLUMNS.split(", "))}
    ) ON COMMIT DELETE ROWS
"""

# Purpose: the states of the next users, from their rows, in one pass.
FILL = f"""
    WITH slice AS MATERIALIZED (
        SELECT id FROM {USER} WHERE id > %(after)s ORDER BY id LIMIT %(users)s
    ), filled AS (
        INSERT INTO {STATE} ("user", last_at, {COLUMNS})
        SELECT user_id, hi, {SUMMED}
          FROM (
            SELECT t.user_id, t.created_at, t.amount, newest.hi
              FROM slice
             CROSS JOIN LATERAL (SELECT created_at AS hi FROM {TABLE} t WHERE t.user_id = slice.id
                                  ORDER BY t.user_id DESC, t.created_at DESC, t.id DESC LIMIT 1) newest
             CROSS JOIN LATERAL (SELECT t.user_id, t.created_at, t.amount FROM {TABLE} t
                                  WHERE (t.user_id, t.created_at)
                                        >= (slice.id, newest.hi - interval '{2 * BUCKETS_S["month"]} seconds')
                                    AND t.user_id <= slice.id
                                 OFFSET 0) t
          ) recent
         GROUP BY user_id, hi
            ON CONFLICT ("user") DO UPDATE
           SET last_at = excluded.last_at,
               {", ".join(f"{column} = excluded.{column}" for column in COLUMNS.split(", "))}
    )
    UPDATE {GATE} SET filled_to = coalesce((SELECT max(id) FROM slice), {COMPLETE}) RETURNING filled_to
"""
# Purpose: nothing is known of when some users did something last; always in one order, lest two wait for
# each other.
FORGET_LATEST = f"""
    UPDATE {STATE} SET last_at = '-infinity', previous_at = NULL
     WHERE "user" IN (SELECT "user" FROM {STATE} WHERE "user" = ANY(%s) ORDER BY "user" FOR UPDATE)
"""
# Purpose: up to which user states are complete; no row where none are kept.
SELECT_GATE = f"SELECT filled_to FROM {GATE}"
# Purpose: states are kept from now on, of nobody yet.
OPEN = f"INSERT INTO {GATE} (id, filled_to) VALUES (1, 0)"
# Purpose: states are not kept any more.
CLOSE = f"DELETE FROM {GATE}"
# Purpose: all states, which nothing has counted in while they were not kept.
EMPTY = f"TRUNCATE {STATE}"


def is_kept(cursor: Any) -> bool:
    """Whether users' states are kept."""
    cursor.execute(SELECT_GATE)
    return cursor.fetchone() is not None


def prepare(cursor: Any) -> None:
    """Makes the session's temporary table."""
    cursor.execute(CREATE_BOUND)


def count_touched(cursor: Any, *, newest: bool) -> None:
    """Counts what is new among the touched rows, and gives the bounds of their users.

    `newest` says that no row has a larger id than the new ones.
    """
    cursor.execute(COUNT_SIMPLE, {"newest": newest})
    cursor.execute(SELECT_REST)
    mixed, older = cursor.fetchone()
    if mixed:
        cursor.execute(COUNT_REST)
    if mixed or older:
        look_up(cursor, newest=newest)


def look_up(cursor: Any, *, newest: bool = False) -> None:
    """Gives the bounds of the users of touched rows."""
    cursor.execute(KEEP_BOUNDS, {"newest": newest})


def forget_latest(users: Iterable[int]) -> None:
    """Transactions of these users were removed by hand, in this transaction: when each did something last
    is not known any more. It would vouch for a user who sleeps; counts and sums may be too high.
    """
    with connection.cursor() as cursor:
        cursor.execute(FORGET_LATEST, [list(users)])


def keep(cursor: Any, *, needed: bool) -> bool:
    """Begins to keep states, or ends it, or fills them a little further; whether there is more to fill.

    By the one who stores, between two chunks.
    """
    cursor.execute(SELECT_GATE)
    found = cursor.fetchone()
    if found is None and needed:
        cursor.execute(EMPTY)
        cursor.execute(OPEN)
        return True
    if found is not None and not needed:
        cursor.execute(CLOSE)
        cursor.execute(EMPTY)
        return False
    if found is None or found[0] == COMPLETE:
        return False
    cursor.execute(FILL, {"after": found[0], "users": FILLED_USERS})
    return bool(cursor.fetchone()[0] != COMPLETE)
