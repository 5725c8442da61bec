"""An index for pages of a version's hits; hits are raised while it is made."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0003_severity_is_approved")]

    operations = [
        AddIndexConcurrently(
            "hit", models.Index(fields=["version", "raised_at", "id"], name="hit_by_version")
        ),
    ]
