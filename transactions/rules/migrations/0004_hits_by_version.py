"""An index for pages of a version's hits; hits are raised while it is made."""

from django.db import migrations, models

from ...stores.concurrent_indexes import AddIndexResumably


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0003_severity_is_approved")]

    operations = [
        AddIndexResumably("hit", models.Index(fields=["version", "raised_at", "id"], name="hit_by_version")),
    ]
