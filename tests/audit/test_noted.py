"""What is noted: log-ins, tokens, accounts, rights, rules, records, alarms, exports."""

import getpass
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import queued
from tests.support.admin_pages import reject, store, url
from tests.support.audit_trail import head, newest, since, told
from transactions.access import tokens
from transactions.audit.models import Entry
from transactions.books import alarms
from transactions.intake import rejected
from transactions.models import Epoch, RejectedRecord
from transactions.rules import lifecycle, list_entries
from transactions.rules.models import Rule, UserList

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_hashes")]

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery staple"  # noqa: S105
FROM: dict[str, Any] = {"REMOTE_ADDR": "203.0.113.7", "HTTP_X_REQUEST_ID": "request-7"}


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_user("ann", password=PASSWORD, is_staff=True)


def log_in(name: str, password: str, **more: Any) -> Client:
    client = Client()
    client.post(LOGIN, {"username": name, "password": password}, **{**FROM, **more})
    return client


# --- Log-ins -------------------------------------------------------------------------------------


def test_a_log_in_and_its_end_are_noted_with_where_from(ann: User) -> None:
    before = head()
    client = log_in("ann", PASSWORD)
    client.post("/admin/logout/", **FROM)
    entries = since(before)
    assert [(entry.action, entry.target, entry.actor) for entry in entries] == [
        ("log_in.succeeded", "ann", "ann"),
        ("log_in.ended", "ann", "ann"),
    ]
    for entry in entries:
        assert (entry.actor_id, entry.target_id) == (ann.pk, str(ann.pk))
        assert (entry.via, entry.address, entry.request_id) == ("admin", "203.0.113.7", "request-7")


def test_the_address_is_the_clients_behind_a_trusted_proxy(ann: User, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    log_in("ann", PASSWORD, HTTP_X_FORWARDED_FOR="198.51.100.1, 2001:db8:1:2:3::4")
    assert newest()[0].address == "2001:db8:1:2::"


def test_a_failed_log_in_names_the_account_and_nothing_that_is_none(ann: User) -> None:
    before = head()
    log_in("ann", "wrong")
    log_in(PASSWORD, "ann")
    log_in("nobody", PASSWORD)
    assert [(entry.action, entry.target, entry.target_id, entry.actor) for entry in since(before)] == [
        ("log_in.failed", "ann", str(ann.pk), ""),
        ("log_in.failed", "unknown name", "", ""),
        ("log_in.failed", "unknown name", "", ""),
    ]
    for entry in since(before):
        assert entry.address == "203.0.113.7"
        assert PASSWORD not in json.dumps(list(Entry.objects.filter(pk=entry.pk).values()), default=str)


def test_a_lock_out_is_noted_in_place_of_the_failure_that_made_it(ann: User) -> None:
    before = head()
    for _ in range(6):
        log_in("ann", "wrong")
    assert [(entry.action, entry.target) for entry in since(before)] == [
        *[("log_in.failed", "ann")] * 4,
        *[("log_in.locked_out", "ann")] * 2,
    ]


# --- Tokens, accounts, rights ---------------------------------------------------------------------


def test_a_command_is_noted_with_the_user_of_the_operating_system_and_the_host() -> None:
    before = head()
    call_command("create_token", "till 1", "--rights", "post", "--expires", "1")
    call_command("revoke_token", "till 1")
    entries = since(before)
    assert [entry.action for entry in entries] == [
        "user.made",
        "group.made",
        "group.rights_changed",
        "user.rights_changed",
        "token.made",
        "token.revoked",
    ]
    for entry in entries:
        assert (entry.via, entry.actor, entry.address) == ("command", getpass.getuser(), socket.gethostname())
    made, revoked = entries[-2:]
    assert (made.target, revoked.target) == ("till 1", "till 1")
    assert made.target_id == revoked.target_id
    details = json.loads(made.details)
    assert (details["account"], details["rights"]) == ("api-till-1", ["post"])
    assert details["expires_at"].startswith(str((datetime.now(UTC) + timedelta(days=1)).date()))


def test_a_token_that_could_not_be_made_leaves_nothing() -> None:
    tokens.create("till 1")
    before = head()
    with pytest.raises(tokens.TokenError):
        tokens.create("till 1", username="api-till-1")
    assert told(before) == []


def test_no_token_and_no_password_gets_into_the_trail(ann: User) -> None:
    before = head()
    token, row = tokens.create("till 1")
    ann.set_password("another secret")
    ann.email = "ann@example.org"
    ann.save()
    kept = json.dumps(list(Entry.objects.filter(number__gt=before).values()), default=str)
    for secret in (token, row.digest, "another secret", ann.password, "ann@example.org"):
        assert secret not in kept
    assert told(before)[-1] == ("user.changed", "ann", {"email": "changed", "password": "changed"})


def test_what_becomes_of_users_groups_and_rights_is_noted(ann: User) -> None:
    before = head()
    ann.is_superuser = True
    ann.save()
    ann.save()
    ann.save(update_fields=["last_login"])
    group = Group.objects.create(name="tellers")
    group.name = "cashiers"
    group.save()
    may = Permission.objects.get(codename="view_transaction")
    group.permissions.add(may)
    ann.groups.add(group)
    ann.groups.add(group)
    group.user_set.remove(ann)
    ann.user_permissions.set([may])
    ann.user_permissions.clear()
    ann.user_permissions.clear()
    group.delete()
    ann.delete()
    assert told(before) == [
        ("user.changed", "ann", {"is_superuser": {"from": False, "to": True}}),
        ("group.made", "tellers", {"name": "tellers"}),
        ("group.changed", "cashiers", {"name": {"from": "tellers", "to": "cashiers"}}),
        ("group.rights_changed", "cashiers", {"permissions": {"given": [str(may)]}}),
        ("user.rights_changed", "ann", {"groups": {"given": ["cashiers"]}}),
        ("user.rights_changed", "ann", {"groups": {"taken": ["cashiers"]}}),
        ("user.rights_changed", "ann", {"permissions": {"given": [str(may)]}}),
        ("user.rights_changed", "ann", {"permissions": {"taken": [str(may)]}}),
        ("group.deleted", "cashiers", {"permissions": [str(may)]}),
        ("user.deleted", "ann", {}),
    ]
    assert {entry.reason for entry in newest(2)} == {"not given"}


# --- Rules ----------------------------------------------------------------------------------------


def test_the_life_of_a_version_and_of_a_lists_entry_is_noted(people: list[User], settings: Settings) -> None:
    settings.FOUR_EYES = True
    alice, bob, carol = people
    before = head()
    rule = Rule.objects.create(name="Large amounts", severity="LOW")
    version = lifecycle.draft(rule, "amount", {"amount": 5000}, alice)
    lifecycle.submit(version)
    with pytest.raises(lifecycle.StepRefused):
        lifecycle.approve(version, alice)
    lifecycle.approve(version, bob)
    lifecycle.retire(version)
    users = UserList.objects.create(name="Watched")
    list_entries.add_entries(users, [carol.pk], by=alice, comment="seen")
    list_entries.end_entries(users, [carol.pk])
    rule.name = "Very large amounts"
    rule.save()
    found = told(before)
    named = "Large amounts, version 1"
    assert [each[:2] for each in found] == [
        ("rule.made", "Large amounts"),
        ("version.drafted", named),
        ("version.submitted", named),
        ("version.approved", named),
        ("version.retired", named),
        ("list.made", "Watched"),
        ("list.entry_made", "Watched"),
        ("list.entry_ended", "Watched"),
        ("rule.changed", "Very large amounts"),
    ]
    assert found[1][2] == {"author": "alice"}
    approved = found[3][2]
    assert (approved["author"], approved["approver"], approved["state"]) == ("alice", "bob", "ACTIVE")
    assert (found[6][2]["users"], found[6][2]["comment"]) == ([carol.pk], "seen")
    assert (found[7][2]["users"], found[7][2]["ended"]) == ([carol.pk], 1)
    assert found[8][2] == {"name": {"from": "Large amounts", "to": "Very large amounts"}}


# --- Data -----------------------------------------------------------------------------------------


def test_replays_and_discards_are_noted_with_the_records(people: list[User]) -> None:
    good, bad, third = reject(queued("T1", people[0])), reject("x"), reject("y")
    before = head()
    rejected.replay(RejectedRecord.objects.filter(pk__in=[good.pk, bad.pk]))
    rejected.discard(RejectedRecord.objects.filter(pk__in=[bad.pk, third.pk]))
    rejected.discard(RejectedRecord.objects.filter(pk=bad.pk))
    assert told(before) == [
        ("record.replayed", f"rejected record {good.pk}", {"records": [good.pk]}),
        ("record.discarded", "2 rejected records", {"records": [bad.pk, third.pk]}),
    ]


def test_an_alarm_that_was_acknowledged_is_noted_once(transactional_db: None) -> None:
    alarm = Epoch.objects.create(alarm="The Redis data vanished.")
    before = head()
    assert [alarms.acknowledge(Epoch.objects.all()) for _ in range(2)] == [1, 0]
    assert told(before) == [("alarm.acknowledged", str(alarm), {"alarm": "The Redis data vanished."})]


def test_an_export_is_noted_with_what_narrowed_it(root: Client, people: list[User]) -> None:
    store(people[0])
    before = head()
    path = url("transaction").removesuffix("/") + "/export/?status=SUCCESS&amount_min=5"
    answer = root.get(path, **FROM)
    assert answer.status_code == 200
    answer.close()
    assert told(before) == [("export.read", "transactions", {"query": "status=SUCCESS&amount_min=5"})]
    assert (newest()[0].actor, newest()[0].address) == ("root", "203.0.113.7")
    assert root.get(url("transaction").removesuffix("/") + "/export/?from=x").status_code == 400
    assert len(told(before)) == 1
