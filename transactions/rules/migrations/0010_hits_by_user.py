"""An index for pages of one user's hits of a version; hits are raised while it is made."""

from django.db import migrations, models

from ...stores.concurrent_indexes import AddIndexResumably


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0009_steps_alone_change_versions")]

    operations = [
        AddIndexResumably(
            "hit", models.Index(fields=["version", "user", "raised_at", "id"], name="hit_by_user")
        ),
    ]
