"""An index of the beginnings of accounts' names in any letter case, for the list of customers and the search.

Its expression is the one by which Django compares beginnings in any case, or PostgreSQL would not use it.
"""

from django.conf import settings
from django.db import migrations

from ..stores.concurrent_indexes import IndexBesideModels

# Without it PostgreSQL would not know how few names begin so, and go through all accounts by their keys.
STATISTICS = """
    -- short: a sample is read
    ANALYZE auth_user
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("transactions", "0014_words_of_people"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        IndexBesideModels("account_by_name_in_any_case", "auth_user", "(upper(username) text_pattern_ops)"),
        migrations.RunSQL(STATISTICS, migrations.RunSQL.noop),
    ]
