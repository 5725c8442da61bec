"""When the first of what is owed happened is kept with it, so that pruning need not read all of that."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rules", "0020_names_composed")]

    # Of rows that there are it stays NULL, and is looked for: the release before may add to them still.
    operations = [migrations.AddField("debt", "earliest", models.DateTimeField(null=True))]
