"""Accounts are deleted with what is theirs, by who may, and their tokens end with them."""

import html

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.support.admin_pages import page, staff, store
from tests.support.audit_trail import head, since
from transactions.access import token_copies, tokens
from transactions.access.token_checks import checked_tokens
from transactions.models import ApiToken

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = reverse("admin:auth_user_changelist")
SAID = {"post": "yes", "reason": "left"}
KEEPER = ("view_user", "change_user", "delete_user")
# Under which a page says that somebody else has to do it.
LACKING = "your account doesn't have permission to delete these"


def colleague(name: str = "ann") -> User:
    return User.objects.create_user(name, is_staff=True)


def deletion(user: User) -> str:
    return reverse("admin:auth_user_delete", args=[user.pk])


def chosen(*users: User, **more: str) -> dict[str, object]:
    return {
        "action": "delete_selected",
        "_selected_action": [user.pk for user in users],
        "index": "0",
        **more,
    }


@pytest.mark.parametrize("where", ["page", "list"])
def test_a_superuser_deletes_the_account_of_a_token_which_is_then_refused(
    root: Client, client: Client, settings: Settings, where: str
) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    token, row = tokens.create("till 1")
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/transactions/", headers=bearer).status_code == 200
    user, before = row.user, head()
    asked = root.get(deletion(user)) if where == "page" else root.post(PEOPLE, chosen(user))
    shown = html.unescape(asked.content.decode())
    assert LACKING not in shown
    assert "The API token “till 1” is revoked: whoever shows it is refused within a minute." in shown
    answer = root.post(deletion(user), SAID) if where == "page" else root.post(PEOPLE, chosen(user, **SAID))
    assert answer.status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()
    assert token_copies.recall(row.digest) == (None, True)
    # What the process knows of it holds for less than a minute.
    checked_tokens.put(row.digest, None)
    assert client.get("/api/transactions/", headers=bearer).status_code == 401
    assert {entry.action for entry in since(before)} >= {"token.revoked", "user.deleted"}


def test_of_a_token_that_was_revoked_nothing_is_told(root: Client) -> None:
    _, row = tokens.create("till 1")
    tokens.revoke("till 1")
    assert "is revoked" not in page(root, deletion(row.user))
    assert root.post(deletion(row.user), SAID).status_code == 302
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("where", ["page", "list"])
def test_who_may_not_revoke_tokens_does_not_delete_their_accounts(client: Client, where: str) -> None:
    user = colleague()
    ApiToken.objects.create(name="till 1", user=user, digest="1" * 64)
    staff(client, *KEEPER)
    if where == "page":
        shown, answer = client.get(deletion(user)), client.post(deletion(user), SAID)
    else:
        shown, answer = client.post(PEOPLE, chosen(user)), client.post(PEOPLE, chosen(user, **SAID))
    assert LACKING in html.unescape(shown.content.decode())
    assert answer.status_code == 403
    assert ApiToken.objects.filter(user=user, revoked_at=None).exists()


def test_who_may_revoke_tokens_deletes_their_accounts(client: Client) -> None:
    user = colleague()
    ApiToken.objects.create(name="till 1", user=user, digest="1" * 64)
    staff(client, *KEEPER, "change_apitoken")
    assert client.post(deletion(user), SAID).status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()


# --- By somebody who is no superuser, from the list -----------------------------------------------


def test_who_keeps_people_deletes_chosen_accounts_for_a_reason(client: Client) -> None:
    first, second = colleague("ann"), colleague("bea")
    staff(client, *KEEPER)
    before = head()
    assert "Delete the chosen accounts" in page(client, PEOPLE)
    asked = client.post(PEOPLE, chosen(first, second))
    assert "Delete 2 accounts" in " ".join(asked.content.decode().split())
    without = client.post(PEOPLE, chosen(first, second, post="yes", reason=" "))
    assert without.status_code == 400
    assert User.objects.filter(pk__in=[first.pk, second.pk]).count() == 2
    assert client.post(PEOPLE, chosen(first, second, **SAID)).status_code == 302
    assert not User.objects.filter(pk__in=[first.pk, second.pk]).exists()
    told = [(entry.action, entry.target, entry.actor) for entry in since(before)]
    assert sorted(told) == [("user.deleted", name, "staff") for name in ("ann", "bea")]


def test_who_keeps_people_deletes_no_account_that_may_more_and_none_with_transactions(
    client: Client, people: list[User]
) -> None:
    above, payer = User.objects.create_superuser("root"), people[0]
    User.objects.filter(pk=payer.pk).update(is_staff=True)
    store(payer)
    staff(client, *KEEPER)
    for user in (above, payer):
        assert LACKING in html.unescape(client.post(PEOPLE, chosen(user)).content.decode())
        assert client.post(PEOPLE, chosen(user, **SAID)).status_code == 403
        assert User.objects.filter(pk=user.pk).exists()


def test_who_may_only_look_at_people_is_not_offered_to_delete_them(client: Client) -> None:
    user = colleague()
    staff(client, "view_user")
    assert "Delete the chosen accounts" not in page(client, PEOPLE)
    client.post(PEOPLE, chosen(user, **SAID))
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("key", ["x", "0", "99999999", "9" * 40, "'"])
def test_a_row_that_there_is_not_is_deleted_by_nobody(root: Client, key: str) -> None:
    answer = root.post(PEOPLE, {"action": "delete_selected", "_selected_action": [key], "index": "0", **SAID})
    assert answer.status_code in (302, 400)
    assert User.objects.count() == 4


def test_why_an_account_was_deleted_from_the_list_is_in_the_trail(root: Client) -> None:
    user, before = colleague(), head()
    root.post(PEOPLE, chosen(user, **SAID))
    (entry,) = since(before)
    assert (entry.action, entry.target, entry.reason) == ("user.deleted", "ann", "left")
