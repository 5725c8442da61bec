"""What a new row begins with, told to PostgreSQL: an INSERT names what it means alone. No row is touched."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [
        ("transactions", "0003_api_token"),
    ]

    operations = [
        migrations.AlterField(
            model_name="epoch",
            name="accepted_seen",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="epoch",
            name="alarm",
            field=models.TextField(blank=True, db_default=""),
        ),
        migrations.AlterField(
            model_name="epoch",
            name="duplicates",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="epoch",
            name="opened_at",
            field=models.DateTimeField(db_default=Now()),
        ),
        migrations.AlterField(
            model_name="epoch",
            name="rejected",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="epoch",
            name="settled",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="epoch",
            name="stored",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="chunks",
            field=models.IntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="done",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="duplicates",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="rejected",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="released",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="reserved_at",
            field=models.DateTimeField(db_default=Now()),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="settled",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="flushbatch",
            name="stored",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AlterField(
            model_name="rejectedrecord",
            name="rejected_at",
            field=models.DateTimeField(db_default=Now()),
        ),
        migrations.AlterField(
            model_name="rejectedrecord",
            name="resolution",
            field=models.CharField(
                blank=True,
                choices=[("REPLAYED", "Replayed"), ("DISCARDED", "Discarded")],
                db_default="",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="rejectedrecord",
            name="times",
            field=models.IntegerField(db_default=1, help_text="How often the flush has refused this record."),
        ),
    ]
