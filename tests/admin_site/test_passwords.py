"""Passwords of others in the admin: another one, or none. One's own is asked for the old one."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import page, staff

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery staple"  # noqa: S105
OTHER = "another horse battery staple"


def path(row: User, step: str = "password_change") -> str:
    return reverse(f"admin:auth_user_{step}", args=[row.pk])


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def chosen(shown: str, who: str, password: str = "") -> dict[str, Any]:
    """What a browser sends of this page: every field of its form, and of its only button the name."""
    (form,) = re.findall(r'<form method="post" id="user_form".*?</form>', shown)
    (button,) = re.findall(r"<button ([^>]*)>", form)
    sent = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form))
    sent |= dict(re.findall(r'name="([^"]*)" value="([^"]*)"', button))
    return {**sent, "usable_password": who, "password1": password, "password2": password}


def test_somebodys_password_is_taken_away(root: Client, people: list[User]) -> None:
    them = with_password(people[0])
    shown = page(root, path(them))
    assert "Nobody: it has no password" in shown
    answer = root.post(path(them), chosen(shown, "false"), follow=True)
    assert answer.redirect_chain == [(path(them, "change"), 302)]
    said = answer.content.decode()
    assert "alice has no password any more: nobody logs in with this account." in said
    for django in ("Conflicting", "authentication"):
        assert django not in said
    them.refresh_from_db()
    assert not them.has_usable_password()
    assert LogEntry.objects.filter(object_id=them.pk).count() == 1


def test_somebody_is_given_another_password(root: Client, people: list[User]) -> None:
    them = with_password(people[0])
    answer = root.post(path(them), chosen(page(root, path(them)), "true", OTHER), follow=True)
    assert "The password of alice is changed." in answer.content.decode()
    them.refresh_from_db()
    assert them.check_password(OTHER)


def test_who_has_none_is_given_one_and_nothing_is_taken(root: Client, people: list[User]) -> None:
    shown = page(root, path(people[0]))
    assert "usable_password" not in shown
    assert root.post(path(people[0]), chosen(shown, "true", OTHER)).status_code == 302
    people[0].refresh_from_db()
    assert people[0].check_password(OTHER)


@pytest.mark.parametrize(
    ("who", "first", "second"),
    [
        ("true", "", ""),
        ("true", OTHER, PASSWORD),
        ("true", "12345678", "12345678"),
        ("maybe", OTHER, OTHER),
    ],
)
def test_what_is_no_password_is_refused_in_the_form(
    root: Client, people: list[User], who: str, first: str, second: str
) -> None:
    them = with_password(people[0])
    form = {"usable_password": who, "password1": first, "password2": second}
    answer = root.post(path(them), form)
    assert answer.status_code == 200
    assert 'class="field-error"' in answer.content.decode()
    them.refresh_from_db()
    assert them.check_password(PASSWORD)


def test_of_an_account_that_there_is_not_nothing_is_found(root: Client) -> None:
    for key in ("424242", "odd", "9" * 40):
        assert root.get(reverse("admin:auth_user_password_change", args=[key])).status_code == 404, key


# --- One's own ------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["superuser", "keeps people"])
def test_nobody_sets_their_own_without_the_old_one(client: Client, people: list[User], who: str) -> None:
    """Else a browser that was left open for a minute would be an account for good."""
    if who == "superuser":
        client.force_login(with_password(User.objects.create_superuser("staff")))
    else:
        staff(client, "view_user", "change_user")
        client.force_login(with_password(User.objects.get(username="staff")))
    own, asks = User.objects.get(username="staff"), reverse("admin:password_change")
    shown = page(client, path(own, "change"))
    assert f'href="{asks}"' in shown
    assert path(own) not in shown
    for form in ({"usable_password": "false"}, {"password1": OTHER, "password2": OTHER}):
        assert client.get(path(own))["Location"] == asks
        assert client.post(path(own), form)["Location"] == asks
    own.refresh_from_db()
    assert own.check_password(PASSWORD)
    assert "old_password" in page(client, asks)


def test_the_page_of_somebody_elses_leads_there(root: Client, people: list[User]) -> None:
    assert f'href="{path(people[0])}"' in page(root, path(people[0], "change"))
