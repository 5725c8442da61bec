"""What is noted: log-ins, tokens, accounts, rights, rules, records, deletions, alarms, exports."""

import getpass
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.transaction import atomic
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.accepting import queued
from tests.support.admin_pages import act, page, reject, store, url
from tests.support.audit_trail import head, newest, since, told
from tests.support.outages import until_somebody_waits
from transactions.access import tokens
from transactions.access.rights import Right
from transactions.admin_site import accounts
from transactions.audit import chain
from transactions.audit.models import Entry
from transactions.books import alarms, epochs
from transactions.intake import rejected
from transactions.models import Epoch, RejectedRecord, Transaction
from transactions.rules import lifecycle, list_entries
from transactions.rules.models import Rule, UserList

pytestmark = pytest.mark.django_db(transaction=True)

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
        ("group.deleted", "cashiers", {}),
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


# --- Decisions on data ----------------------------------------------------------------------------


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


def test_a_deletion_in_the_admin_asks_why(root: Client, people: list[User]) -> None:
    rows = [store(people[0], id=f"T{n}") for n in range(3)]
    path = reverse("admin:transactions_transaction_delete", args=[rows[0].pk])
    assert 'name="reason"' in page(root, path)
    before = head()
    root.post(path, {"post": "yes", "reason": "a test payment"})
    asked = act(root, "transaction", "delete_selected", *rows[1:])
    assert 'name="reason"' in asked
    assert "T1" in asked
    act(root, "transaction", "delete_selected", *rows[1:], post="yes", reason=" twice ")
    assert not Transaction.objects.exists()
    assert [(entry.action, entry.target, entry.reason) for entry in since(before)] == [
        ("transaction.deleted", "T0", "a test payment"),
        ("transaction.deleted", "2 transactions", "twice"),
    ]
    assert told(before)[1][2] == {"rows": {str(row.pk): row.transaction_id for row in rows[1:]}}


@pytest.mark.parametrize("together", [False, True])
def test_transactions_that_go_with_their_user_are_named_and_counted(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    monkeypatch.setattr(accounts, "NAMED_MAX", 2)
    rows = [store(people[0], id=f"T{n}") for n in range(3)]
    store(people[1], id="STAYS")
    before = head()
    if together:
        path, keys = reverse("admin:auth_user_changelist"), [people[0].pk]
        form = {"action": "delete_selected", "_selected_action": keys, "index": "0"}
        User.objects.filter(pk=people[0].pk).update(is_staff=True)
    else:
        path, form = reverse("admin:auth_user_delete", args=[people[0].pk]), {}
    root.post(path, {**form, "post": "yes", "reason": "left"})
    gone, theirs = since(before)
    assert (gone.action, gone.target, gone.reason) == ("user.deleted", "alice", "left")
    assert (theirs.action, theirs.target, theirs.reason) == ("transaction.deleted", "3 transactions", "left")
    details = told(before)[1][2]
    assert details["not_named"] == 1
    assert len(details["rows"]) == 2
    assert details["rows"].items() <= {str(row.pk): row.transaction_id for row in rows}.items()
    assert [row.transaction_id for row in Transaction.objects.all()] == ["STAYS"]


def test_a_first_transaction_that_is_being_stored_goes_with_its_user(
    root: Client, people: list[User]
) -> None:
    path = reverse("admin:auth_user_delete", args=[people[0].pk])

    def delete() -> int:
        try:
            return root.post(path, {"post": "yes", "reason": "left"}).status_code
        finally:
            connections.close_all()

    before = head()
    with ThreadPoolExecutor(1) as others:
        with atomic():
            # As the flush does, which also locks whose it is.
            User.objects.select_for_update(no_key=True).get(pk=people[0].pk)
            store(people[0], id="FIRST")
            answer = others.submit(delete)
            until_somebody_waits()
        assert answer.result() == 302
    assert not User.objects.filter(pk=people[0].pk).exists()
    assert [(entry.action, entry.target) for entry in since(before)] == [
        ("user.deleted", "alice"),
        ("transaction.deleted", "FIRST"),
    ]


def test_those_that_are_named_are_the_earliest_and_others_are_counted(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "NAMED_MAX", 2)
    stored = [store(people[0], id=f"T{n}", created_at=datetime(2026, 3, 9 - n, tzinfo=UTC)) for n in range(4)]
    before = head()
    root.post(reverse("admin:auth_user_delete", args=[people[0].pk]), {"post": "yes", "reason": "left"})
    details = told(before)[1][2]
    assert details == {"rows": {str(row.pk): row.transaction_id for row in stored[2:]}, "not_named": 2}


def test_a_user_is_deleted_for_a_reason_too(root: Client, people: list[User]) -> None:
    before = head()
    path = reverse("admin:auth_user_delete", args=[people[0].pk])
    assert 'name="reason"' in page(root, path)
    root.post(path, {"post": "yes", "reason": "left"})
    unsaid = root.post(reverse("admin:auth_user_delete", args=[people[1].pk]), {"post": "yes"})
    assert (unsaid.status_code, "Say why" in unsaid.content.decode()) == (400, True)
    assert [(entry.action, entry.target, entry.reason, entry.actor) for entry in since(before)] == [
        ("user.deleted", "alice", "left", "root"),
    ]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (None, "Say why"),
        (" \t", "Say why"),
        ("\u200b\u2800", "Say why"),
        ("<i>" + "x" * 498, "at most 500 characters: these are 501"),
    ],
)
def test_nothing_is_deleted_in_the_admin_without_a_reason(
    root: Client, people: list[User], reason: str | None, told: str
) -> None:
    rows = [store(people[0], id=f"T{n}") for n in range(3)]
    said = {"post": "yes"} | ({} if reason is None else {"reason": reason})
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in rows[1:]]}
    group = Group.objects.create(name="tellers")
    User.objects.filter(pk=people[0].pk).update(is_staff=True)
    before = head()
    for path, form in (
        (reverse("admin:transactions_transaction_delete", args=[rows[0].pk]), said),
        (reverse("admin:transactions_transaction_changelist"), said | chosen),
        (reverse("admin:transactions_transaction_changelist"), said | chosen | {"select_across": "1"}),
        (reverse("admin:auth_group_delete", args=[group.pk]), said),
        (reverse("admin:auth_group_changelist"), said | chosen | {"_selected_action": group.pk}),
        (reverse("admin:auth_user_changelist"), said | chosen | {"_selected_action": people[0].pk}),
    ):
        answer = root.post(path, form)
        assert (answer.status_code, told in answer.content.decode()) == (400, True), path
        assert escape((reason or "").strip()) in answer.content.decode()
    assert (Transaction.objects.count(), Group.objects.count(), since(before)) == (3, 1, [])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "not given"),
        ("?reason=", "not given"),
        ("?reason=a+new+year", "a new year"),
    ],
)
def test_deleting_everything_is_noted_before_and_after(
    api: APIClient, people: list[User], settings: Settings, query: str, reason: str
) -> None:
    settings.ALLOW_DELETE_ALL = True
    token, _ = tokens.create("cleaner", rights=frozenset({Right.ADMINISTER}))
    before = head()
    answer = api.delete(f"/api/delete-transactions/{query}", HTTP_AUTHORIZATION=f"Bearer {token}", **FROM)
    assert answer.status_code == 200
    entries = since(before)
    assert [entry.action for entry in entries] == ["everything.deletion_begun", "everything.deleted"]
    for entry in entries:
        assert (entry.actor, entry.token, entry.via, entry.reason) == (
            "api-cleaner",
            "cleaner",
            "api",
            reason,
        )
        assert (entry.address, entry.request_id) == ("203.0.113.7", "request-7")
    assert chain.check().number == before + 2


def test_a_deletion_that_fails_half_way_is_noted_all_the_same(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = head()

    def fail(*_: object) -> None:
        raise RuntimeError("cut off")

    monkeypatch.setattr(epochs, "_finish_emptying", fail)
    with pytest.raises(RuntimeError, match="cut off"):
        epochs.empty_everything()
    assert told(before) == [("everything.deletion_begun", "", {})]


def test_why_everything_is_deleted_is_short(api: APIClient, settings: Settings, people: list[User]) -> None:
    settings.ALLOW_DELETE_ALL = True
    answer = api.delete("/api/delete-transactions/?reason=" + "x" * 501)
    assert (answer.status_code, list(answer.json())) == (400, ["reason"])
    answer = api.delete("/api/delete-transactions/?why=x")
    assert answer.json() == {"why": ["Unknown parameter. Known are: reason."]}


TURNED = "a contract \u202e that ended"


@pytest.mark.parametrize("reason", [TURNED, "\u200b\u2800"])
def test_a_reason_that_others_would_not_read_is_refused_wherever_it_is_said(
    api: APIClient, settings: Settings, people: list[User], reason: str
) -> None:
    settings.ALLOW_DELETE_ALL = True
    before = head()
    answer = api.delete(f"/api/delete-transactions/?{urlencode({'reason': reason})}")
    assert (answer.status_code, list(answer.json())) == (400, ["reason"])
    with pytest.raises(CommandError, match="A reason"):
        call_command("prune", "--older-than", "90", "--reason", reason)
    assert since(before) == []


def test_a_reason_is_kept_with_the_ends_of_lines_that_all_others_have(
    root: Client, people: list[User]
) -> None:
    before = head()
    path = reverse("admin:auth_user_delete", args=[people[0].pk])
    root.post(path, {"post": "yes", "reason": "asked to\r\nby mail "})
    assert [entry.reason for entry in since(before)] == ["asked to\nby mail"]


def test_pruning_by_hand_is_noted(transactional_db: None) -> None:
    before = head()
    call_command("prune", "--older-than", "90", "--reason", "the contract ended")
    call_command("prune", "--older-than", "90", "--pending")
    call_command("prune", "--older-than", "90", "--dry-run")
    assert told(before) == [
        ("transaction.pruned", "older than 90 days", {"pending": False}),
        ("transaction.pruned", "older than 90 days", {"pending": True}),
    ]
    assert [entry.reason for entry in since(before)] == ["the contract ended", "not given"]


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
