"""Indexes for the search and for the list by amount; transactions are stored meanwhile.

The index of parts needs an extension of PostgreSQL. Where that cannot be made, or SEARCH_PARTS is off, it
is left out: `manage.py search_index` makes it later.
"""

from typing import Any

from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from transactions.reading import part_indexes


def follow_setting(apps: Any, schema_editor: Any) -> None:
    told = part_indexes.follow_setting()
    if settings.SEARCH_PARTS and not part_indexes.present():
        print(f"\n  {told}")


def remove(apps: Any, schema_editor: Any) -> None:
    part_indexes.remove()


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("transactions", "0011_people_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(follow_setting, remove)]
        ),
        AddIndexConcurrently(
            "transaction", models.Index(fields=["amount", "created_at", "id"], name="transaction_by_amount")
        ),
    ]
