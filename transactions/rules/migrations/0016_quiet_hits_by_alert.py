"""What came while an alert was closed, without walking all its hits. On its own, since the table is large."""

from django.db import migrations, models

from ...stores.concurrent_indexes import AddIndexResumably


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0015_hits_by_alert")]

    operations = [
        AddIndexResumably(
            "hit",
            models.Index(fields=["alert", "id"], name="hit_quiet", condition=models.Q(suppressed="QUIET")),
        ),
    ]
