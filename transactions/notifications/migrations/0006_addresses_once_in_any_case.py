"""Addresses that differ in upper and lower case alone are one recipient, who would be mailed twice."""

from typing import Any

from django.core.management.base import CommandError
from django.db import migrations, models
from django.db.models.functions import Lower

TOLD_MAX = 10
WHAT_TO_DO = (
    "Recipients of mail whose addresses differ in upper and lower case alone: {}. Remove all but one of each "
    "on the page Mail of the release before, /admin/notifications/recipient/<number>/delete/, and migrate "
    "again."
)


def check(apps: Any, schema_editor: Any) -> None:
    """Raises CommandError, which says what to do where there are such addresses; it names none."""
    by_lower: dict[str, list[str]] = {}
    recipients = apps.get_model("notifications", "Recipient")._default_manager
    rows = recipients.using(schema_editor.connection.alias).order_by("pk")
    for key, lowered in rows.values_list("pk", Lower("address")):
        by_lower.setdefault(lowered, []).append(str(key))
    told = [f"the numbers {' and '.join(same)}" for same in by_lower.values() if len(same) > 1]
    if told:
        raise CommandError(WHAT_TO_DO.format("; ".join(told[:TOLD_MAX])))


class Migration(migrations.Migration):
    dependencies = [("notifications", "0005_mail_left_out")]

    operations = [
        migrations.RunPython(check, migrations.RunPython.noop),
        migrations.AddConstraint(
            "recipient",
            models.UniqueConstraint(Lower("address"), name="recipient_address_once"),
        ),
        migrations.AlterField("recipient", "address", models.EmailField(max_length=254)),
    ]
