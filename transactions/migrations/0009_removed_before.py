"""What left the table before that was counted, reckoned once.

Rollups keep what was pruned and lose what was removed otherwise. So what all books have stored, less the
rollups, was removed; and the rollups, less the rows there are, was pruned. Rows that came past the flush
make either of them smaller. The triggers count since the migration before this one, which is committed:
one statement sees all of it as of one moment, and however often it is run it adds only what is lacking.
"""

from django.db import migrations

RECKON = """
    -- short: holds no lock. It reads an index of the table once, which takes a minute for 100,000,000 rows.
    INSERT INTO transactions_removal (removed, pruned)
    SELECT known.stored - known.removed - rollups.rows, rollups.rows - known.pruned - there.rows
      FROM (SELECT coalesce(sum(stored), 0) AS stored, coalesce(sum(removed), 0) AS removed,
                   coalesce(sum(pruned), 0) AS pruned
              FROM (SELECT stored, removed, pruned FROM transactions_epoch
                     UNION ALL
                    SELECT 0, removed, pruned FROM transactions_removal) counted) known,
           (SELECT coalesce(sum(count), 0) AS rows FROM transactions_rollup) rollups,
           (SELECT count(*) AS rows FROM transactions_transaction) there
     WHERE known.stored - known.removed <> rollups.rows OR rollups.rows - known.pruned <> there.rows
"""


class Migration(migrations.Migration):
    dependencies = [("transactions", "0008_removals")]

    operations = [migrations.RunSQL(RECKON, migrations.RunSQL.noop)]
