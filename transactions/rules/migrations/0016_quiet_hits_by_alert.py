"""What came while an alert was closed, without walking all its hits. On its own, since the table is large."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0015_hits_by_alert")]

    operations = [
        AddIndexConcurrently(
            "hit",
            models.Index(fields=["alert", "id"], name="hit_quiet", condition=models.Q(suppressed="QUIET")),
        ),
    ]
