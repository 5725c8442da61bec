"""The index of a user's rows holds their amounts too, and the table is vacuumed as it grows.

Rules that look at windows of a user then read the index alone, where pages are known to be visible
to all: that is what a vacuum notes, and 200,000 new rows are what they may lag behind.
"""

from django.db import migrations, models

from ..stores.concurrent_indexes import IndexBesideModels

TABLE = "transactions_transaction"
OLD, NEW = "transaction_by_user", "transaction_by_user_amount"
COLUMNS = "(user_id, created_at, id)"
VACUUM = f"""
    -- short: a note in the catalogue
    ALTER TABLE {TABLE} SET (autovacuum_vacuum_insert_scale_factor = 0,
                             autovacuum_vacuum_insert_threshold = 200000)
"""
NO_VACUUM = f"""
    -- short: a note in the catalogue
    ALTER TABLE {TABLE} RESET (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold)
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("transactions", "0006_settled_as_of")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[IndexBesideModels(NEW, TABLE, f"{COLUMNS} INCLUDE (amount)")],
            state_operations=[
                migrations.AddIndex(
                    "transaction",
                    models.Index(fields=["user", "created_at", "id"], include=["amount"], name=NEW),
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[IndexBesideModels(OLD, TABLE, COLUMNS, goes=True)],
            state_operations=[migrations.RemoveIndex("transaction", OLD)],
        ),
        migrations.RunSQL(VACUUM, NO_VACUUM),
    ]
