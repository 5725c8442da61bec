"""That every row of debt is a range, ids or a time is looked at, while others write theirs."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rules", "0022_debt_of_one_kind")]

    operations = [ValidateConstraint("debt", "debt_of_one_kind")]
