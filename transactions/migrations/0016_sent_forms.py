"""Forms that were sent, so that none is stored twice."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transactions", "0015_names_in_any_case")]

    operations = [
        migrations.CreateModel(
            name="SentForm",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("led_to", models.TextField(blank=True, db_default="")),
                ("sent_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["sent_at"], name="sent_form_by_time")],
            },
        ),
    ]
