"""The groups that come with the system: each gets through its own work, and no further."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from tests.support.accepting import queued
from tests.support.admin_pages import act, reject
from tests.support.alerts import open_alert
from transactions.access.grants import OFFERED, SENTENCES, given_to
from transactions.models import ApiToken, CustomerNote, Epoch, RejectedRecord

pytestmark = pytest.mark.django_db(transaction=True)

migration = import_module("transactions.migrations.0017_groups_to_begin_with")
DOCS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"

# What a page or a step asks for, by its name, and who has it to do.
PAGES = {
    "admin:index": {"Support", "Fraud", "Operations", "On call"},
    "system": {"Support", "Fraud", "Operations", "On call"},
    "admin:transactions_transaction_changelist": {"Support", "Fraud", "Operations", "On call"},
    "admin:transactions_transaction_export": {"Support", "Fraud", "Operations", "On call"},
    "admin:transactions_customer_changelist": {"Support", "Fraud", "Operations", "On call"},
    "admin:alerts_alert_changelist": {"Support", "Fraud", "Operations", "On call"},
    "admin:rules_rule_changelist": {"Fraud"},
    "admin:rules_rule_performance": {"Fraud"},
    "admin:rules_userlist_changelist": {"Fraud"},
    "admin:transactions_flushbatch_changelist": {"Operations", "On call"},
    "admin:transactions_flushbatch_export": {"Operations", "On call"},
    "admin:transactions_rejectedrecord_changelist": {"Operations", "On call"},
    "admin:transactions_rejectedrecord_export": {"Operations", "On call"},
    "admin:transactions_epoch_changelist": {"Operations", "On call"},
    "admin:notifications_endpoint_changelist": {"On call"},
    "admin:notifications_recipient_changelist": {"On call"},
    "admin:transactions_apitoken_changelist": {"On call"},
    "admin:transactions_apitoken_new": set[str](),
    "admin:audit_entry_changelist": set[str](),
    "admin:auth_user_changelist": set[str](),
    "admin:auth_user_add": set[str](),
    "admin:auth_group_changelist": set[str](),
    "admin:transactions_customer_add": set[str](),
    "admin:uploads_upload_changelist": set[str](),
    "admin:uploads_upload_new": set[str](),
}


@pytest.fixture
def groups(transactional_db: None) -> None:
    migration.make(apps, None)


def member(client: Client, group: str) -> User:
    user = User.objects.create_user("member", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return user


def status(client: Client, path: str) -> int:
    """What a page is answered, read to its end: two exports at once are all that a process makes."""
    answer = client.get(path)
    if answer.streaming:
        answer.getvalue()
    return answer.status_code


# --- Their work -----------------------------------------------------------------------------------


@pytest.mark.parametrize("group", migration.GROUPS)
def test_a_group_opens_the_pages_of_its_work_and_no_others(
    client: Client, groups: None, people: list[User], group: str
) -> None:
    member(client, group)
    opened = {name: status(client, reverse(name)) for name in PAGES}
    assert opened == {name: 200 if group in who else 403 for name, who in PAGES.items()}


@pytest.mark.parametrize("group", migration.GROUPS)
def test_a_group_takes_the_steps_of_its_work_and_no_others(
    client: Client, groups: None, people: list[User], group: str
) -> None:
    alert = open_alert(people[0])
    member(client, group)
    customer = people[0].pk
    note = reverse("admin:transactions_customer_note", args=[customer])
    wrote = client.post(note, {"text": "called us"}).status_code
    assert wrote == (403 if group == "On call" else 302)
    seen = CustomerNote.objects.create(customer=customer, text="odd", by_name="bob")
    reviewed = client.post(reverse("admin:transactions_customer_reviewed", args=[customer, seen.pk]))
    assert reviewed.status_code == (302 if group == "Fraud" else 403)

    claim = client.post(
        reverse("admin:alerts_alert_step", args=[alert.pk, "claim"]), {"version": alert.version}
    )
    assert claim.status_code == (302 if group in {"Fraud", "Operations"} else 403)
    draft = client.get(reverse("admin:rules_rule_new"))
    assert draft.status_code == (200 if group == "Fraud" else 403)


@pytest.mark.parametrize("group", migration.GROUPS)
def test_operations_and_on_call_mend_what_was_rejected_and_acknowledge_alarms(
    client: Client, groups: None, people: list[User], group: str
) -> None:
    member(client, group)
    works_there = group in {"Operations", "On call"}
    row = reject(queued("R1", people[0]))
    books = Epoch.objects.create(alarm="2 too few")
    if works_there:
        act(client, "rejectedrecord", "discard", row)
        act(client, "epoch", "acknowledge", books)
    else:
        for model, action, each in (("rejectedrecord", "discard", row), ("epoch", "acknowledge", books)):
            form = {"action": action, "_selected_action": each.pk, "index": "0"}
            where = reverse(f"admin:transactions_{model}_changelist")
            assert client.post(where, form).status_code == 403
    row.refresh_from_db()
    books.refresh_from_db()
    assert (row.resolution == RejectedRecord.Resolution.DISCARDED) == works_there
    assert (books.alarm_acknowledged_at is not None) == works_there


@pytest.mark.parametrize("group", migration.GROUPS)
def test_on_call_revokes_tokens_and_makes_none(
    client: Client, groups: None, people: list[User], group: str
) -> None:
    member(client, group)
    token = ApiToken.objects.create(name="till 1", user=people[1], digest="1" * 64)
    form = {"action": "revoke", "_selected_action": token.pk, "index": "0"}
    answer = client.post(reverse("admin:transactions_apitoken_changelist"), form)
    assert answer.status_code == (302 if group == "On call" else 403)
    token.refresh_from_db()
    assert (token.revoked_at is not None) == (group == "On call")
    made = client.post(reverse("admin:transactions_apitoken_new"), {"name": "mine", "rights": ["read"]})
    assert made.status_code == 403


@pytest.mark.parametrize("group", migration.GROUPS)
def test_no_group_deletes_makes_people_or_brings_rules_into_force(groups: None, group: str) -> None:
    assert not given_to(Group.objects.get(name=group)) & {
        "transactions.delete_transaction",
        "transactions.add_transaction",
        "rules.approve_rule",
        "audit.view_entry",
        "auth.change_user",
        "auth.change_group",
        "transactions.add_apitoken",
    }


@pytest.mark.parametrize("group", migration.GROUPS)
def test_the_documents_say_what_each_may_in_the_sentences_of_its_form(groups: None, group: str) -> None:
    (row,) = re.findall(rf"^\| {group} \|.*$", DOCS.read_text(), re.MULTILINE)
    may = given_to(Group.objects.get(name=group))
    sentences = {name: said for some in SENTENCES.values() for name, said in some.items()}
    assert row.strip("| ").split(" | ")[2].split("; ") == [
        sentences[each] for each in sentences if each in may
    ]
    assert "`" not in row
    assert may <= OFFERED


# --- How they come --------------------------------------------------------------------------------


def test_a_group_that_there_is_already_is_left_as_it_is(people: list[User]) -> None:
    mine = Group.objects.create(name="Support")
    migration.make(apps, None)
    assert not mine.permissions.exists()
    assert Group.objects.get(name="Fraud").permissions.count() == len(migration.FRAUD)


def test_what_is_changed_or_in_use_stays_where_the_migration_is_undone(people: list[User]) -> None:
    migration.make(apps, None)
    people[0].groups.add(Group.objects.get(name="Fraud"))
    Group.objects.get(name="Support").permissions.clear()
    migration.take_away(apps, None)
    assert set(Group.objects.values_list("name", flat=True)) == {"Fraud", "Support"}


def test_permissions_that_django_has_not_made_yet_are_made_as_it_makes_them(people: list[User]) -> None:
    names = {each for permissions in migration.GROUPS.values() for each in permissions}
    codenames = [name.partition(".")[2] for name in names]
    kept = list(Permission.objects.filter(codename__in=codenames).values("content_type", "codename", "name"))
    assert len(kept) == len(names)
    Permission.objects.filter(codename__in=codenames).delete()
    migration.make(apps, None)
    again = Permission.objects.filter(codename__in=codenames).values("content_type", "codename", "name")
    assert sorted(again, key=str) == sorted(kept, key=str)
    assert not ContentType.objects.filter(app_label="transactions", model="").exists()
