"""An index of the accounts of those who work here: few among as many as there are customers.

Its condition is word for word that of `access.people`, or PostgreSQL would not use it.
"""

from django.conf import settings
from django.db import migrations

# Without them PostgreSQL would take nearly everybody for one of the people, and read all accounts.
STATISTICS = """
    -- short: a sample is read
    CREATE STATISTICS account_first_sign ON (left(password, 1)) FROM auth_user;
    ANALYZE auth_user
"""
NO_STATISTICS = "DROP STATISTICS account_first_sign"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS account_of_people"
CREATE = """
    -- short: nobody waits for it
    CREATE INDEX CONCURRENTLY account_of_people ON auth_user (id)
     WHERE is_staff OR is_superuser OR (password <> '' AND left(password, 1) <> '!')
"""
# What is left of one that could not be made is there, and invalid.
AGAIN = f"""
    -- short: nobody waits for it
    {DROP}
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("transactions", "0010_customers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(STATISTICS, NO_STATISTICS),
        migrations.RunSQL(AGAIN, migrations.RunSQL.noop),
        migrations.RunSQL(CREATE, DROP),
    ]
