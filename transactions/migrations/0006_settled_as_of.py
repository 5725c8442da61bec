from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("transactions", "0005_pruning_place"),
    ]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="settled_as_of",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
