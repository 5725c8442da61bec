"""What happened in a time is judged user by user; what is owed of it begins with the first user again."""

from django.db import migrations

# Purpose: nobody is left out. Who was judged already is judged again, and no hit is raised twice.
FROM_THE_FIRST_USER = "UPDATE rules_debt SET after_user = 0 WHERE since IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("rules", "0010_hits_by_user")]

    operations = [
        migrations.RenameField("debt", "since_id", "after_user"),
        migrations.RunSQL(FROM_THE_FIRST_USER, FROM_THE_FIRST_USER),
    ]
