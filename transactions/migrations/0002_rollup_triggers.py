"""Triggers that keep transactions_rollup equal to the transactions, whatever changes a row.

One per event, run once per statement: its transition tables hold the rows that the statement
touched, so that a chunk of 10,000 new rows costs one grouping and as many upserts as it has
buckets. A later change of these functions is a migration of its own.
"""

from django.db import migrations

# A bucket of Rollup: a quarter of an hour of UTC.
BUCKET = "date_bin('15 minutes', created_at, '2000-01-01 00:00:00+00')"

# Purpose: room in each page for new versions of its rows. The buckets of now change with every
# flush; with room beside them no index is touched, and the dead versions are cleared on the way.
LEAVE_ROOM = "ALTER TABLE transactions_rollup SET (fillfactor = 80)"
LEAVE_NO_ROOM = "ALTER TABLE transactions_rollup RESET (fillfactor)"

# Purpose: adds up, always in the order of the key: two statements that change the same buckets
# must not wait for one another.
UPSERT = """
    ORDER BY bucket, status
        ON CONFLICT (bucket, status) DO UPDATE
       SET count = kept.count + excluded.count, total = kept.total + excluded.total
"""

# Purpose: removes the buckets in which nothing is left, so that there is a rollup exactly where
# there is something. Nobody else can hold these: the upsert has just locked them.
REMOVE_EMPTIED = """
    IF emptied IS NOT NULL THEN
        DELETE FROM transactions_rollup WHERE bucket = ANY (emptied) AND count = 0;
    END IF;
"""

# Purpose: adds the rows of a table, for the trigger and for those that are there before it.
ADD_ROWS = f"""
    INSERT INTO transactions_rollup AS kept (bucket, status, count, total)
    SELECT {BUCKET} AS bucket, status, count(*), sum(amount)
      FROM %s GROUP BY 1, 2 {UPSERT}
"""
AFTER_INSERT = f"{ADD_ROWS % 'added'};"

# Purpose: the difference that the statement made. A transaction that settles leaves one status of
# its bucket for another; one whose user changes makes no difference.
AFTER_UPDATE = f"""
    WITH changed AS (
        INSERT INTO transactions_rollup AS kept (bucket, status, count, total)
        SELECT {BUCKET} AS bucket, status, sum(rows), sum(amount)
          FROM (SELECT created_at, status, 1 AS rows, amount FROM after
                 UNION ALL
                SELECT created_at, status, -1, -amount FROM before) AS difference
         GROUP BY 1, 2 HAVING sum(rows) <> 0 OR sum(amount) <> 0 {UPSERT}
        RETURNING kept.bucket, kept.count
    )
    SELECT array_agg(bucket) INTO emptied FROM changed WHERE count = 0;
    {REMOVE_EMPTIED}
"""

# Purpose: takes away what was removed, unless the transaction has said that its averages stay:
# SET LOCAL transactions.keep_rollups = 'on', for whoever prunes old rows.
AFTER_DELETE = f"""
    IF current_setting('transactions.keep_rollups', true) = 'on' THEN
        RETURN NULL;
    END IF;
    WITH changed AS (
        INSERT INTO transactions_rollup AS kept (bucket, status, count, total)
        SELECT {BUCKET} AS bucket, status, -count(*), -sum(amount)
          FROM removed GROUP BY 1, 2 {UPSERT}
        RETURNING kept.bucket, kept.count
    )
    SELECT array_agg(bucket) INTO emptied FROM changed WHERE count = 0;
    {REMOVE_EMPTIED}
"""

# Purpose: the rollups of an empty table. Not by TRUNCATE, whose lock could meet a reader that
# holds the rollups and wants the transactions.
REMOVE_ALL = "DELETE FROM transactions_rollup"
AFTER_TRUNCATE = f"{REMOVE_ALL};"


def trigger(event: str, body: str, transition_tables: str = "") -> migrations.RunSQL:
    """Makes the function and the trigger of one event; the reverse drops both.

    The function keeps the search path of now: a restore runs triggers without one.
    """
    name = f"transactions_rollup_after_{event}"
    function = f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            emptied timestamptz[];
        BEGIN
            {body}
            RETURN NULL;
        END $$
    """
    trigger = f"""
        CREATE TRIGGER {name} AFTER {event.upper()} ON transactions_transaction {transition_tables}
           FOR EACH STATEMENT EXECUTE FUNCTION {name}()
    """
    return migrations.RunSQL(
        [function, trigger],
        [f"DROP TRIGGER {name} ON transactions_transaction", f"DROP FUNCTION {name}()"],
    )


class Migration(migrations.Migration):
    dependencies = [("transactions", "0001_initial")]

    operations = [
        migrations.RunSQL(LEAVE_ROOM, LEAVE_NO_ROOM),
        trigger("insert", AFTER_INSERT, "REFERENCING NEW TABLE AS added"),
        trigger("update", AFTER_UPDATE, "REFERENCING OLD TABLE AS before NEW TABLE AS after"),
        trigger("delete", AFTER_DELETE, "REFERENCING OLD TABLE AS removed"),
        trigger("truncate", AFTER_TRUNCATE),
        # Nobody has written since the first trigger was made: its lock on the table lasts.
        migrations.RunSQL(ADD_ROWS % "transactions_transaction", REMOVE_ALL),
    ]
