"""That a version was given up is a decision about it, and stays when everything is deleted."""

from django.db import migrations, models

# Purpose: versions that were given up before. Of those about the clock nobody can tell: their cursors stay.
AS_BEFORE = """
    UPDATE rules_version v SET given_up_at = now()
      FROM rules_clockcursor c
     WHERE c.version_id = v.id AND c.done
       AND v.kind NOT IN ('pending_too_long', 'failure_rate', 'silence')
"""


class Migration(migrations.Migration):
    dependencies = [("rules", "0012_names_once_in_any_case")]

    operations = [
        migrations.AddField("version", "given_up_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(AS_BEFORE, migrations.RunSQL.noop),
    ]
