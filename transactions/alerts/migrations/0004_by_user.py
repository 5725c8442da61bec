"""The newest alerts of a user, without sorting all there ever were."""

from django.db import migrations, models

from ...stores.concurrent_indexes import AddIndexResumably


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("alerts", "0003_by_rule_and_disposition")]

    operations = [
        AddIndexResumably("alert", models.Index(fields=["user", "opened_at", "id"], name="alert_of_user")),
    ]
