"""Deletions as they are noted: each with a reason, and with what is gone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.transaction import atomic
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.admin_pages import act, page, store
from tests.support.audit_trail import head, since, told
from tests.support.outages import until_somebody_waits
from transactions.access import tokens
from transactions.access.rights import Right
from transactions.admin_site import accounts
from transactions.audit import chain
from transactions.books import epochs
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

FROM: dict[str, Any] = {"REMOTE_ADDR": "203.0.113.7", "HTTP_X_REQUEST_ID": "request-7"}


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
