"""Messages of one more type: an alert was assigned. That all others are known is looked at afterwards."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

TYPES = [
    ("alert.opened", "Alert opened"),
    ("alert.updated", "Alert updated"),
    ("alert.assigned", "Alert assigned"),
    ("alert.closed", "Alert closed"),
    ("rule.activated", "Rule activated"),
    ("system.alarm", "System alarm"),
    ("system.recovered", "System recovered"),
    ("webhook.test", "Test message"),
]


class Migration(migrations.Migration):
    dependencies = [("notifications", "0007_no_addresses_in_the_log")]

    operations = [
        migrations.AlterField("message", "type", models.CharField(choices=TYPES, max_length=20)),
        migrations.RemoveConstraint("message", "message_type_known"),
        AddConstraintNotValid(
            "message",
            models.CheckConstraint(
                condition=models.Q(type__in=[name for name, _ in TYPES]), name="message_type_known"
            ),
        ),
    ]
