"""A row of debt is a range, ids or a time. That all there are were so already is looked at afterwards."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

OF_RANGE = models.Q(first_id__isnull=False, last_id__isnull=False, since=None, until=None) & (
    models.Q(after_user=None, after_id=None) | models.Q(after_user__isnull=False, after_id__isnull=False)
)
OF_IDS = models.Q(first_id=None, last_id=None, since=None, until=None, after_user=None, after_id=None)
OF_TIME = models.Q(first_id=None, last_id=None, after_id=None) & models.Q(
    since__isnull=False, until__isnull=False, after_user__isnull=False
)


class Migration(migrations.Migration):
    dependencies = [("rules", "0021_since_when_something_is_owed")]

    operations = [
        AddConstraintNotValid(
            "debt", models.CheckConstraint(condition=OF_RANGE | OF_IDS | OF_TIME, name="debt_of_one_kind")
        )
    ]
