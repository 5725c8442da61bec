"""The newest alerts of a user, without sorting all there ever were."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("alerts", "0003_by_rule_and_disposition")]

    operations = [
        AddIndexConcurrently("alert", models.Index(fields=["user", "opened_at", "id"], name="alert_of_user")),
    ]
