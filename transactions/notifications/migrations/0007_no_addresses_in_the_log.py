"""Django's log of the admin site named recipients of mail by their address; it goes by their number."""

from django.db import migrations

# Purpose: what the log calls recipients that were added, changed or removed. An entry is a line, and few.
NAME_BY_NUMBER = """
    UPDATE django_admin_log SET object_repr = 'recipient ' || object_id
     WHERE content_type_id = (SELECT id FROM django_content_type
                               WHERE app_label = 'notifications' AND model = 'recipient')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0006_addresses_once_in_any_case"),
        ("admin", "0001_initial"),
        ("contenttypes", "0001_initial"),
    ]

    operations = [migrations.RunSQL(NAME_BY_NUMBER, migrations.RunSQL.noop)]
