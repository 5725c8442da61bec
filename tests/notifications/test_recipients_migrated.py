"""What migrations make of recipients there were: one for each address, and a log that names none."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection

from transactions.notifications.models import Recipient

pytestmark = pytest.mark.django_db(transaction=True)


def test_where_addresses_differ_in_case_alone_the_migration_changes_nothing_and_names_none() -> None:
    first = Recipient.objects.create(address="all@example.org").pk
    call_command("migrate", "notifications", "0005", verbosity=0)
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                "INSERT INTO notifications_recipient (address, least, system) "
                "VALUES ('ALL@example.org', 'LOW', true) RETURNING id"
            )
            (second,) = cursor.fetchone()
            with pytest.raises(CommandError, match=f"the numbers {first} and {second}") as told:
                call_command("migrate", "notifications", verbosity=0)
            assert "example.org" not in str(told.value)
        finally:
            cursor.execute("DELETE FROM notifications_recipient WHERE address = 'ALL@example.org'")
            call_command("migrate", "notifications", verbosity=0)


def test_what_the_log_of_the_admin_site_had_of_addresses_is_numbers(people: list[User]) -> None:
    key = Recipient.objects.create(address="all@example.org").pk
    call_command("migrate", "notifications", "0006", verbosity=0)
    try:
        for model, name in ((Recipient, "all@example.org"), (User, "ann@example.org")):
            LogEntry.objects.create(
                user=people[0],
                content_type=ContentType.objects.get_for_model(model),
                object_id=str(key),
                object_repr=name,
                action_flag=1,
            )
    finally:
        call_command("migrate", "notifications", verbosity=0)
    names = LogEntry.objects.order_by("pk").values_list("object_repr", flat=True)
    assert list(names) == [f"recipient {key}", "ann@example.org"]
