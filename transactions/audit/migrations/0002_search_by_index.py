"""Indexes for what else the trail is searched by, in its order; entries are made meanwhile.

Most entries have no token or target's key, and those are not looked for: they stand in no index.
"""

from django.db import migrations

PARTIAL = ("token", "address", "request_id", "target_id")
INDEXES = {
    **{f"audit_by_{column}": f"({column}, number) WHERE {column} <> ''" for column in PARTIAL},
    "audit_by_via": "(via, number)",
}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(
            f"CREATE INDEX CONCURRENTLY {name} ON audit_entry {on}", f"DROP INDEX CONCURRENTLY {name}"
        )
        for name, on in INDEXES.items()
    ]
