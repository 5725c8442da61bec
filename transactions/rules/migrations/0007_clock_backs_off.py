"""A rule about the clock that fails is tried again later and later."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rules", "0006_unlogged_gate")]

    operations = [
        migrations.AddField("clockcursor", "attempts", models.IntegerField(db_default=0)),
        migrations.AddField("clockcursor", "due_at", models.DateTimeField(null=True)),
    ]
