"""Each recipient of mail has places of their own: one whom the server refuses holds up nobody, and who was
sent a mail is not sent it again. The few rows there are become those of each recipient.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

PLACES, RECIPIENTS, BEFORE = (
    "notifications_mailplace",
    "notifications_recipient",
    "notifications_mailplace_before",
)
# Purpose: places for each recipient there is, where all were; of what was never sent behind the last message.
TO_EACH = f"""
    INSERT INTO {PLACES} (recipient_id, name, position, sent_at)
    SELECT r.id, k.name, coalesce(b.position, n.last, 0), b.sent_at
      FROM {RECIPIENTS} r CROSS JOIN (VALUES ('at once'), ('digest')) k (name)
      LEFT JOIN {BEFORE} b ON b.name = k.name
      LEFT JOIN notifications_numbering n ON n.id = 1;
    DROP TABLE {BEFORE}
"""
# Purpose: back to one place for all, that of who is farthest behind.
FROM_EACH = f"""
    CREATE TABLE {BEFORE} (
        name varchar(10) PRIMARY KEY, position bigint NOT NULL,
        sent_at timestamptz NOT NULL DEFAULT statement_timestamp(), leased_until timestamptz);
    INSERT INTO {BEFORE} (name, position, sent_at)
    SELECT name, min(position), coalesce(min(sent_at), now() - interval '15 minutes')
      FROM {PLACES} GROUP BY name
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0003_channels_go_back")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {PLACES} RENAME TO {BEFORE}",
            f"ALTER TABLE {BEFORE} RENAME TO {PLACES}",
            state_operations=[migrations.DeleteModel("MailPlace")],
        ),
        migrations.CreateModel(
            name="MailPlace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(choices=[("at once", "At Once"), ("digest", "Digest")], max_length=10),
                ),
                ("position", models.BigIntegerField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("failures", models.IntegerField(db_default=0, default=0)),
                ("leased_until", models.DateTimeField(null=True)),
                (
                    "recipient",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="places",
                        to="notifications.recipient",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("recipient", "name"), name="mail_place_once")]
            },
        ),
        migrations.RunSQL(TO_EACH, FROM_EACH),
    ]
