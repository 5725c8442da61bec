"""Indexes for what else the trail is searched by, in its order; entries are made meanwhile.

Most entries have no token or target's key, and those are not looked for: they stand in no index.
"""

from django.db import migrations

from ...stores.concurrent_indexes import IndexBesideModels

PARTIAL = ("token", "address", "request_id", "target_id")
INDEXES = {
    **{f"audit_by_{column}": f"({column}, number) WHERE {column} <> ''" for column in PARTIAL},
    "audit_by_via": "(via, number)",
}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0001_initial")]

    operations = [IndexBesideModels(name, "audit_entry", on) for name, on in INDEXES.items()]
