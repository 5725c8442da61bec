"""Lists of users are called so on every page; PostgreSQL knows nothing of it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rules", "0013_given_up_for_good")]

    operations = [
        migrations.AlterModelOptions(
            "userlist", {"verbose_name": "list of users", "verbose_name_plural": "lists of users"}
        ),
    ]
