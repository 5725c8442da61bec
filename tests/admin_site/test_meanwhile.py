"""Two at once in the admin: what somebody else does meanwhile is told, and nothing is done over it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, connections
from django.db.models import Model
from django.db.models.signals import post_delete, pre_delete, pre_save
from django.db.transaction import atomic
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import store
from tests.support.alert_pages import QUEUE
from tests.support.alerts import open_alert
from tests.support.audit_trail import head, since
from tests.support.outages import until_somebody_waits
from transactions.access import tokens
from transactions.alerts.models import Alert
from transactions.notifications.models import Recipient
from transactions.rules import lifecycle, list_entries
from transactions.rules.models import UserList

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery staple"  # noqa: S105
SAID = {"post": "yes", "reason": "left"}


def path(row: Model, page: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def ann() -> User:
    return User.objects.create_user("ann", is_staff=True, is_superuser=True)


def night() -> Group:
    return Group.objects.create(name="night")


def address() -> Recipient:
    return Recipient.objects.create(address="ann@example.org", least="HIGH")


ACCOUNT = {"username": "ann", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
ADDRESS = {"address": "ann@example.org", "least": "HIGH"}
ROWS: dict[str, tuple[Callable[[], Any], dict[str, str]]] = {
    "account": (ann, ACCOUNT),
    "group": (night, {"name": "night shift"}),
    "address": (address, {"address": "bea@example.org", "least": "HIGH"}),
}


def posted(client: Client, where: str, form: dict[str, Any]) -> Any:
    """What a post from another thread is answered, in the session of `client`."""
    own = Client(raise_request_exception=False)
    own.cookies = client.cookies
    kind: dict[str, Any] = {"content_type": "application/json"} if "/api/" in where else {}
    try:
        return own.post(where, form, **kind)
    finally:
        connections.close_all()


def posted_amid(client: Client, where: str, form: dict[str, Any], act: Callable[[], Any]) -> Any:
    """What a post is answered that begins before somebody else's `act` is committed, and ends after it."""
    with ThreadPoolExecutor(1) as others:
        with atomic():
            act()
            answer = others.submit(posted, client, where, form)
            until_somebody_waits()
        return answer.result()


@pytest.mark.parametrize("kind", ROWS)
def test_what_is_deleted_while_its_form_is_saved_stays_deleted(root: Client, kind: str) -> None:
    make, form = ROWS[kind]
    row = make()
    answer = posted_amid(root, path(row), form, type(row).objects.get(pk=row.pk).delete)
    assert answer.status_code == 404
    assert not type(row).objects.filter(pk=row.pk).exists()


def filled_in(markup: str) -> dict[str, list[str]]:
    """What a browser sends of the form of an account or a group as it is."""
    form = dict[str, list[str]]()
    for tag in re.findall(r"<input [^>]*>", markup, re.DOTALL):
        said = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        unchecked = said.get("type") == "checkbox" and not re.search(r"\schecked\b", tag)
        if "name" in said and not unchecked:
            form.setdefault(said["name"], []).append(said.get("value", "on"))
    for name, options in re.findall(r'<select name="([^"]*)"(.*?)</select>', markup, re.DOTALL):
        form[name] = re.findall(r'<option value="(\d+)"\s+selected', options)
    return form


def test_an_old_form_of_an_account_changes_what_was_changed_in_it_alone(root: Client) -> None:
    row, group = ann(), night()
    row.groups.add(group)
    form = filled_in(root.get(path(row)).content.decode())
    assert form["groups"] == [str(group.pk)]
    User.objects.filter(pk=row.pk).update(is_active=False, is_superuser=False, last_name="Smith")
    row.groups.clear()
    assert root.post(path(row), {**form, "email": "ann@example.org"}).status_code == 302
    row.refresh_from_db()
    assert (row.email, row.last_name) == ("ann@example.org", "Smith")
    assert (row.is_active, row.is_staff, row.is_superuser) == (False, True, False)
    assert not row.groups.exists()


def test_an_old_form_of_a_group_gives_no_rights_back(root: Client) -> None:
    row = night()
    row.permissions.add(Permission.objects.get(codename="view_alert"))
    form = filled_in(root.get(path(row)).content.decode())
    row.permissions.clear()
    assert root.post(path(row), {**form, "name": "night shift"}).status_code == 302
    row.refresh_from_db()
    assert row.name == "night shift"
    assert not row.permissions.exists()


def test_an_account_that_is_deleted_while_it_gets_a_password_stays_deleted(root: Client) -> None:
    row = ann()
    where = reverse("admin:auth_user_password_change", args=[row.pk])
    form = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    answer = posted_amid(root, where, form, User.objects.get(pk=row.pk).delete)
    assert answer.status_code == 404
    assert not User.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    ("kind", "noted"), [("account", "user"), ("group", "group"), ("address", "recipient")]
)
def test_a_deletion_that_two_ask_for_is_noted_once(root: Client, kind: str, noted: str) -> None:
    row = ROWS[kind][0]()
    before = head()
    held = type(row).objects.select_for_update().filter(pk=row.pk)
    with ThreadPoolExecutor(2) as others, atomic():
        assert held.get()
        answers = [others.submit(posted, root, path(row, "delete"), SAID) for _ in range(2)]
        until_somebody_waits(2)
    assert sorted(answer.result().status_code for answer in answers) == [302, 404]
    assert [entry.action for entry in since(before)] == [f"{noted}.deleted"]


@pytest.mark.parametrize("kind", ["group", "address"])
def test_what_two_choose_and_delete_is_noted_once(root: Client, kind: str) -> None:
    row = ROWS[kind][0]()
    before = head()
    where = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
    form = {"action": "delete_selected", "_selected_action": row.pk, **SAID}
    answer = posted_amid(root, where, form, type(row).objects.get(pk=row.pk).delete)
    assert answer.status_code == 302
    assert len(since(before)) == 1


ADDED: dict[str, tuple[str, dict[str, Any], Callable[[], Any], str]] = {
    "account": (
        "auth_user_add",
        {"username": "ann", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"},
        ann,
        "There is one of this name already.",
    ),
    "customer": ("transactions_customer_add", {"username": "ann"}, ann, "There is one of this name already."),
    "group": ("auth_group_add", {"name": "night"}, night, "There is one of this name already."),
    "address": (
        "notifications_recipient_add",
        ADDRESS,
        address,
        "There is a recipient with this address already",
    ),
}


@pytest.mark.parametrize("kind", ADDED)
def test_what_somebody_else_adds_meanwhile_is_told_in_the_form(root: Client, kind: str) -> None:
    where, form, add, told = ADDED[kind]
    answer = posted_amid(root, reverse(f"admin:{where}"), form, add)
    assert answer.status_code == 200
    assert told in answer.content.decode()


def test_a_name_that_somebody_else_takes_meanwhile_is_told_in_the_form(root: Client) -> None:
    other = Group.objects.create(name="day")
    answer = posted_amid(root, path(other), {"name": "night"}, night)
    assert answer.status_code == 200
    assert "There is one of this name already." in answer.content.decode()
    assert Group.objects.get(pk=other.pk).name == "day"


def test_an_account_is_not_put_into_a_group_that_is_deleted_meanwhile(root: Client) -> None:
    row, group = ann(), night()

    def delete_group(instance: User, **_: Any) -> None:
        if instance.pk == row.pk and Group.objects.filter(pk=group.pk).exists():
            with ThreadPoolExecutor(1) as others:
                others.submit(deleted, group).result()

    pre_save.connect(delete_group, sender=User)
    try:
        answer = posted(root, path(row), {**ACCOUNT, "groups": [group.pk]})
    finally:
        pre_save.disconnect(delete_group, sender=User)
    assert answer.status_code == 200
    assert "Choose among what is offered." in answer.content.decode()


def deleted(row: Model) -> None:
    try:
        row.delete()
    finally:
        connections.close_all()


@pytest.mark.parametrize("moment", [pre_delete, post_delete])
@pytest.mark.parametrize("page", ["delete", "changelist"])
def test_a_transaction_that_is_stored_amid_a_deletion_goes_with_its_account(
    root: Client, page: str, moment: Any
) -> None:
    row, stored = ann(), list[Any]()

    def store_one(instance: User, **_: Any) -> None:
        if not stored:
            stored.append(store(instance, id="AMID"))

    if page == "delete":
        where, form = path(row, "delete"), {**SAID}
    else:
        where = reverse("admin:auth_user_changelist")
        form = {"action": "delete_selected", "_selected_action": str(row.pk), **SAID}
    moment.connect(store_one, sender=User)
    try:
        answer = posted(root, where, form)
    finally:
        moment.disconnect(store_one, sender=User)
    assert answer.status_code == 302
    assert stored
    assert not User.objects.filter(pk=row.pk).exists()


def test_a_token_that_somebody_else_makes_meanwhile_is_told_in_the_form(root: Client) -> None:
    form = {"name": "till 1", "rights": ["post"]}
    answer = posted_amid(
        root, reverse("admin:transactions_apitoken_new"), form, lambda: tokens.create("till 1")
    )
    assert answer.status_code == 200
    assert tokens.TAKEN in answer.content.decode()


def test_a_token_that_two_revoke_is_revoked_once(root: Client) -> None:
    _, row = tokens.create("till 1")
    before = head()
    form = {"action": "revoke", "_selected_action": str(row.pk)}
    where = reverse("admin:transactions_apitoken_changelist")
    answer = posted_amid(root, where, form, lambda: tokens.revoke("till 1"))
    assert answer.status_code == 302
    assert [entry.action for entry in since(before)] == ["token.revoked"]
    assert "0 revoked" in root.get(where).content.decode()


# --- Alerts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["one", "many"])
def test_an_alert_is_not_given_to_somebody_who_is_deleted_meanwhile(
    root: Client, people: list[User], page: str
) -> None:
    alert, to = open_alert(people[0]), ann()
    if page == "one":
        where, form = f"{QUEUE}{alert.pk}/steps/assign/", {"version": 1, "assignee": "ann"}
    else:
        where, form = f"{QUEUE}bulk/", {"step": "assign", "alert": f"{alert.pk}:1", "assignee": "ann"}
    answer = posted_amid(root, where, form, to.delete)
    assert answer.status_code == 302
    assert "was deleted meanwhile: nothing of yours was done." in root.get(answer.url).content.decode()
    alert.refresh_from_db()
    assert (alert.assignee, alert.version) == (None, 1)


def test_an_alert_that_is_gone_meanwhile_is_not_found(root: Client, people: list[User]) -> None:
    alert = open_alert(people[0])
    where = f"{QUEUE}{alert.pk}/steps/claim/"
    answer = posted_amid(root, where, {"version": 1}, Alert.objects.get(pk=alert.pk).delete)
    assert answer.status_code == 404


# --- Lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["page", "api"])
def test_an_entry_of_a_list_that_is_gone_meanwhile_is_not_found(
    root: Client, people: list[User], by: str
) -> None:
    users = UserList.objects.create(name="Watched")
    list_entries.add_entries(users, [people[0].pk])
    entry = users.entries.get()
    where = {
        "page": reverse("admin:rules_userlist_end", args=[users.pk, entry.pk]),
        "api": f"/api/rules/lists/{users.pk}/entries/{entry.pk}/end/",
    }[by]

    def delete_alone() -> None:
        with connection.cursor() as cursor:
            cursor.execute(lifecycle.LOCK)
        people[0].delete()

    assert posted_amid(root, where, {}, delete_alone).status_code == 404


def test_who_is_deleted_while_put_on_a_list_is_told_in_the_form(root: Client, people: list[User]) -> None:
    users = UserList.objects.create(name="Watched")
    where = reverse("admin:rules_userlist_change", args=[users.pk])
    key = people[0].pk
    answer = posted_amid(root, where, {"user": str(key)}, people[0].delete)
    assert answer.status_code == 200
    assert f"There is no customer {key}." in answer.content.decode()
    assert not users.entries.exists()
