"""The users' states, and up to whom they are complete, are in no log: they are made anew from the rows.

After a crash of PostgreSQL both tables are empty, the one with the other, and so they are on a standby:
then no state vouches for anything, and the next flush begins to fill them. Every flush writes a state
for each user it touches; what it writes to the log would be a third of the price. Both are emptied first:
or each would be copied while nobody could read it.
"""

from django.db import migrations

TABLES = ("rules_userstate", "rules_gate")
EMPTY = f"TRUNCATE {', '.join(TABLES)}"


class Migration(migrations.Migration):
    dependencies = [("rules", "0005_backtests")]

    operations = [
        migrations.RunSQL(EMPTY, EMPTY),
        *(
            migrations.RunSQL(f"ALTER TABLE {table} SET UNLOGGED", f"ALTER TABLE {table} SET LOGGED")
            for table in TABLES
        ),
        migrations.RunSQL(migrations.RunSQL.noop, EMPTY),
    ]
