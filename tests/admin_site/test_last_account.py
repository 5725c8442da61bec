"""Nobody deletes or locks out themselves, or the last account that may do everything."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connections
from django.db.transaction import atomic
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import page, staff
from tests.support.outages import until_somebody_waits
from transactions.access import last_account

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = reverse("admin:auth_user_changelist")
SAID = {"post": "yes", "reason": "left"}
NO_PASSWORD = {"usable_password": "false", "password1": "", "password2": ""}


def with_password(user: User) -> User:
    """Somebody who can log in."""
    user.set_password("correct horse battery staple")
    user.save()
    return user


def path(row: User, step: str = "change") -> str:
    return reverse(f"admin:auth_user_{step}", args=[row.pk])


def me() -> User:
    return User.objects.get(username__in=("root", "staff"))


def chosen(*rows: User) -> dict[str, Any]:
    return {"action": "delete_selected", "_selected_action": [row.pk for row in rows], **SAID}


def boxes(markup: str) -> set[str]:
    return set(re.findall(r'name="(is_\w+)"', markup))


def test_nobody_deletes_themselves(root: Client) -> None:
    own, other = me(), User.objects.create_superuser("ann")
    assert "Delete the person" not in page(root, path(own))
    shown = page(root, path(own, "delete"))
    assert last_account.YOURSELF in shown
    assert 'name="reason"' not in shown
    assert last_account.YOURSELF in root.post(path(own, "delete"), SAID).content.decode()
    # Nor anybody with them.
    assert last_account.YOURSELF in root.post(PEOPLE, chosen(own, other)).content.decode()
    assert User.objects.filter(pk__in=[own.pk, other.pk]).count() == 2


def test_who_only_keeps_people_does_not_delete_themselves_either(client: Client, people: list[User]) -> None:
    staff(client, "view_user", "change_user", "delete_user")
    assert last_account.YOURSELF in client.post(path(me(), "delete"), SAID).content.decode()
    assert User.objects.filter(username="staff").exists()


def test_nobody_takes_from_themselves_that_they_log_in_and_may_everything(root: Client) -> None:
    own = me()
    shown = page(root, path(own))
    assert boxes(shown) == set()
    assert "This is your own account" in shown
    assert root.post(path(own), {"username": "root", "first_name": "Ann"}).status_code == 302
    own.refresh_from_db()
    assert (own.first_name, own.is_active, own.is_staff, own.is_superuser) == ("Ann", True, True, True)


def test_another_one_is_deleted_and_switched_off(root: Client) -> None:
    other, third = User.objects.create_superuser("ann"), User.objects.create_superuser("bea")
    assert boxes(page(root, path(other))) == {"is_active", "is_staff", "is_superuser"}
    assert root.post(path(other), {"username": "ann"}).status_code == 302
    other.refresh_from_db()
    assert not other.is_active
    assert root.post(path(other, "delete"), SAID).status_code == 302
    assert root.post(PEOPLE, chosen(third)).status_code == 302
    assert list(User.objects.filter(is_superuser=True)) == [me()]


@pytest.mark.parametrize("where", ["form", "page", "list", "password"])
def test_of_two_who_take_each_others_account_the_second_is_told_that_it_is_the_last(
    root: Client, where: str
) -> None:
    own, other = with_password(me()), with_password(User.objects.create_superuser("ann"))
    root.force_login(own)

    def take() -> Any:
        try:
            match where:
                case "form":
                    return root.post(path(other), {"username": "ann", "is_active": "on", "is_staff": "on"})
                case "page":
                    return root.post(path(other, "delete"), SAID)
                case "password":
                    return root.post(path(other, "password_change"), NO_PASSWORD)
            return root.post(PEOPLE, chosen(other))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as others:
        with atomic():
            last_account.lock_who_may_everything()
            User.objects.filter(pk=own.pk).update(is_superuser=False)
            answer = others.submit(take)
            until_somebody_waits()
        if where == "list":
            assert answer.result().status_code == 302
            assert last_account.LAST in page(root, reverse("admin:password_change"))
        else:
            assert last_account.LAST in answer.result().content.decode()
    # Django's log names nobody who is still there as deleted.
    assert not LogEntry.objects.filter(object_id=other.pk).exists()
    other.refresh_from_db()
    assert other.is_superuser
    assert other.has_usable_password()


@pytest.mark.parametrize("step", ["switched off", "no password", "deleted"])
def test_who_has_no_password_does_not_keep_another_from_being_the_last(root: Client, step: str) -> None:
    """Nobody logs in again as who asks here: their own password is gone."""
    last = with_password(User.objects.create_superuser("ann"))
    assert not me().has_usable_password()
    match step:
        case "switched off":
            answer = root.post(path(last), {"username": "ann", "is_staff": "on", "is_superuser": "on"})
        case "no password":
            answer = root.post(path(last, "password_change"), NO_PASSWORD)
        case _:
            answer = root.post(path(last, "delete"), SAID)
    assert last_account.LAST in answer.content.decode()
    last.refresh_from_db()
    assert last.is_active
    assert last.has_usable_password()


def test_a_superuser_without_a_password_is_locked_out_by_nobody_and_goes(root: Client) -> None:
    with_password(me())
    root.force_login(me())
    other = User.objects.create_superuser("ann")
    assert root.post(path(other, "delete"), SAID).status_code == 302
    assert not User.objects.filter(pk=other.pk).exists()


def test_another_ones_password_is_taken_where_somebody_is_left(root: Client) -> None:
    with_password(me())
    root.force_login(me())
    other = with_password(User.objects.create_superuser("ann"))
    assert root.post(path(other, "password_change"), NO_PASSWORD).status_code == 302
    other.refresh_from_db()
    assert not other.has_usable_password()
