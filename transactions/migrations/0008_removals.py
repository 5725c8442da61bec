"""What leaves the table of transactions is counted, by triggers, whatever removes a row.

One per event, run once per statement and in its transaction, as those of the rollups are. They insert a
row and change none: a deletion that is left uncommitted keeps the books from nobody.
"""

from django.db import migrations, models

# Purpose: counts what a statement removed. Whoever prunes says so for the rollups already, by SET LOCAL
# transactions.keep_rollups = 'on'.
AFTER_DELETE = """
    INSERT INTO transactions_removal (removed, pruned)
    SELECT CASE WHEN is_old THEN 0 ELSE rows END, CASE WHEN is_old THEN rows ELSE 0 END
      FROM (SELECT count(*) AS rows,
                   coalesce(current_setting('transactions.keep_rollups', true) = 'on', false) AS is_old
              FROM gone) counted
     WHERE rows > 0;
"""

# Purpose: an emptied table has no rows by the books either. Nobody else is writing: TRUNCATE has waited
# for all, and all wait for it.
AFTER_TRUNCATE = """
    INSERT INTO transactions_removal (removed)
    SELECT rows
      FROM (SELECT (SELECT coalesce(sum(stored - removed - pruned), 0) FROM transactions_epoch)
                 - (SELECT coalesce(sum(removed + pruned), 0) FROM transactions_removal) AS rows) were
     WHERE rows <> 0;
"""


def trigger(event: str, body: str, transition_tables: str = "") -> migrations.RunSQL:
    """Makes the function and the trigger of one event; the reverse drops both.

    The function keeps the search path of now: a restore runs triggers without one.
    """
    name = f"transactions_removal_after_{event}"
    function = f"""
        -- short: nothing is read
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            {body}
            RETURN NULL;
        END $$
    """
    trigger = f"""
        -- short: a note in the catalogue
        CREATE TRIGGER {name} AFTER {event.upper()} ON transactions_transaction {transition_tables}
           FOR EACH STATEMENT EXECUTE FUNCTION {name}()
    """
    return migrations.RunSQL(
        [function, trigger],
        [f"DROP TRIGGER {name} ON transactions_transaction", f"DROP FUNCTION {name}()"],
    )


class Migration(migrations.Migration):
    dependencies = [("transactions", "0007_user_index_with_amount")]

    operations = [
        migrations.AddField("epoch", "removed", models.BigIntegerField(db_default=0)),
        migrations.AddField("epoch", "pruned", models.BigIntegerField(db_default=0)),
        migrations.CreateModel(
            name="Removal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("removed", models.BigIntegerField(db_default=0)),
                ("pruned", models.BigIntegerField(db_default=0)),
            ],
        ),
        trigger("delete", AFTER_DELETE, "REFERENCING OLD TABLE AS gone"),
        trigger("truncate", AFTER_TRUNCATE),
    ]
