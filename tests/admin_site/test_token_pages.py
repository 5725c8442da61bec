"""API tokens on the admin site: to look at and to revoke, never to make."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import act, change, page, staff, superuser, url
from transactions.access import token_checks, tokens
from transactions.models import ApiToken

pytestmark = pytest.mark.django_db(transaction=True)


def test_tokens_are_shown_without_what_could_be_used(client: Client, people: list[User]) -> None:
    superuser(client)
    token, row = tokens.create("till 1")
    for path in (url("apitoken"), change(row)):
        shown = page(client, path)
        assert "till 1" in shown
        assert "post, read" in shown
        assert token not in shown
        assert row.digest not in shown


def test_nobody_makes_changes_or_deletes_a_token_here(client: Client, people: list[User]) -> None:
    superuser(client)
    _, row = tokens.create("till 1")
    assert client.get(reverse("admin:transactions_apitoken_add")).status_code == 403
    assert client.post(change(row), {"name": "mine", "digest": "0" * 64}).status_code == 403
    assert client.post(reverse("admin:transactions_apitoken_delete", args=[row.pk])).status_code == 403
    assert ApiToken.objects.get().name == "till 1"


def test_who_may_change_tokens_revokes_the_selected_ones(client: Client, people: list[User]) -> None:
    token, row = tokens.create("till 1")
    other, _ = tokens.create("till 2")
    staff(client, "view_apitoken")
    act(client, "apitoken", "revoke", row)
    assert token_checks.check(token) is not None
    User.objects.get(username="staff").user_permissions.add(
        Permission.objects.get(codename="change_apitoken")
    )
    assert "1 revoked" in act(client, "apitoken", "revoke", row)
    assert "0 revoked" in act(client, "apitoken", "revoke", row)
    token_checks.checked_tokens.put(row.digest, None)
    assert token_checks.check(token) is None
    assert token_checks.check(other) is not None
    assert "Revoked" in page(client, url("apitoken"))
