"""An index of the accounts of those who work here: few among as many as there are customers.

Its condition is word for word that of `access.people`, or PostgreSQL would not use it.
"""

from django.conf import settings
from django.db import migrations

from ..stores.concurrent_indexes import IndexBesideModels

# Without them PostgreSQL would take nearly everybody for one of the people, and read all accounts.
STATISTICS = """
    -- short: a sample is read
    CREATE STATISTICS IF NOT EXISTS account_first_sign ON (left(password, 1)) FROM auth_user;
    ANALYZE auth_user
"""
NO_STATISTICS = "DROP STATISTICS IF EXISTS account_first_sign"
PEOPLE = "(id) WHERE is_staff OR is_superuser OR (password <> '' AND left(password, 1) <> '!')"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("transactions", "0010_customers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(STATISTICS, NO_STATISTICS),
        IndexBesideModels("account_of_people", "auth_user", PEOPLE),
    ]
