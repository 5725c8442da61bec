"""From when on a version raises alerts is a fact; and the clock leaves alone what it is done with."""

from django.db import migrations, models

# Purpose: versions there are raise alerts as they did: all but those in shadow.
AS_BEFORE = """
    UPDATE rules_version SET alerts_from = effective_from WHERE state IN ('ACTIVE', 'RETIRED')
"""


class Migration(migrations.Migration):
    dependencies = [("rules", "0007_clock_backs_off")]

    operations = [
        migrations.AddField("version", "alerts_from", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(AS_BEFORE, migrations.RunSQL.noop),
        # The rows that were just changed are looked at now, or the table could not be altered.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AddConstraint(
            "version",
            models.CheckConstraint(
                condition=models.Q(("state", "ACTIVE"), _negated=True)
                | models.Q(("alerts_from__isnull", False)),
                name="version_active_raises_alerts",
            ),
        ),
        migrations.AddField("clockcursor", "done", models.BooleanField(db_default=False)),
    ]
