from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("transactions", "0004_database_defaults"),
    ]

    operations = [
        migrations.CreateModel(
            name="PruningPlace",
            fields=[
                ("id", models.SmallIntegerField(db_default=1, primary_key=True, serialize=False)),
                ("moment", models.DateTimeField()),
                ("row_id", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="pruning_place_once")
                ],
            },
        ),
    ]
