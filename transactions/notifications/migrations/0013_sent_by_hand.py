"""What somebody sent by hand is known. No row is written for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0012_test_mail_of_one_worker")]

    operations = [
        migrations.AddField("delivery", "by_hand", models.BooleanField(db_default=False, default=False)),
    ]
