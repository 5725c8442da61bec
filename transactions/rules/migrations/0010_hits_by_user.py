"""An index for pages of one user's hits of a version; hits are raised while it is made."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0009_steps_alone_change_versions")]

    operations = [
        AddIndexConcurrently(
            "hit", models.Index(fields=["version", "user", "raised_at", "id"], name="hit_by_user")
        ),
    ]
