"""What is asked before something is deleted: by its name, in our words."""

import html
import json
import re

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import page, staff, store
from tests.support.audit_trail import head, since
from transactions.notifications.models import Recipient

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_deletion_names_what_goes(root: Client, people: list[User]) -> None:
    payment = store(people[0], id="SIM-97cf7220")
    shown = html.unescape(page(root, reverse("admin:transactions_transaction_delete", args=[payment.pk])))
    assert "Delete SIM-97cf7220" in shown.split("<h1>")[1].split("</h1>")[0]
    assert "Delete SIM-97cf7220" in shown.split("<title>")[1].split("</title>")[0]
    assert "Delete the transaction</button>" in shown
    assert ">Cancel</a>" in shown
    for words in ("Each of them", "I’m sure", "take me back"):
        assert words not in shown


def test_what_is_known_of_a_transaction_is_told_before_it_is_deleted(
    root: Client, people: list[User]
) -> None:
    rows = [store(people[0], id=f"T{n}", amount=1_234_500 + n, status="FAILED") for n in range(2)]
    where = reverse("admin:transactions_transaction_delete", args=[rows[0].pk])
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in rows]}
    many = root.post(reverse("admin:transactions_transaction_changelist"), chosen).content.decode()
    for shown, amounts in ((page(root, where), ["1,234,500"]), (many, ["1,234,500", "1,234,501"])):
        for told in (*amounts, "alice", "Failed"):
            assert told in shown


@pytest.mark.parametrize("count", [1, 2])
def test_a_link_to_a_deleted_one_says_who_deleted_it_and_why(
    root: Client, client: Client, people: list[User], count: int
) -> None:
    rows = [store(people[0], id=f"T{n}") for n in range(count)]
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in rows], "post": "yes"}
    root.post(reverse("admin:transactions_transaction_changelist"), {**chosen, "reason": "made <b>twice</b>"})
    page_of = f"{reverse('admin:transactions_transaction_story')}?transaction_id=T0"
    answer = root.get(page_of)
    assert answer.status_code == 404
    told = r"Deleted \d{4}-\d\d-\d\d \d\d:\d\d:\d\d by root: “made <b>twice</b>”\."
    assert re.search(told, html.unescape(answer.content.decode()))
    assert "made <b>" not in answer.content.decode()
    drawn = reverse("dashboard-story")
    assert re.fullmatch(told, root.get(drawn, {"transaction_id": "T0"}).json()["detail"])
    # A part of its id, or one that never was, tells nothing; nor is it told to who may not read the trail.
    assert root.get(drawn, {"transaction_id": "T"}).json() == {"detail": "No such transaction."}
    staff(client, "view_transaction")
    assert client.get(drawn, {"transaction_id": "T0"}).json() == {"detail": "No such transaction."}


def test_a_person_a_group_and_an_address_are_deleted_by_these_names(root: Client, people: list[User]) -> None:
    group = Group.objects.create(name="night")
    address = Recipient.objects.create(address="ann@example.org", least="HIGH")
    for row, called, kind in (
        (people[0], "alice", "person"), (group, "night", "group"), (address, "ann@example.org", "address"),
    ):  # fmt: skip
        where = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_delete", args=[row.pk])
        shown = page(root, where)
        assert f"Delete {called}" in shown.split("<h1>")[1].split("</h1>")[0]
        assert f"Delete the {kind}</button>" in shown


def test_with_an_account_all_that_goes_is_told(root: Client, people: list[User]) -> None:
    store(people[0])
    shown = page(root, reverse("admin:auth_user_delete", args=[people[0].pk]))
    assert "Each of them" in shown
    assert "<dt>Transactions</dt><dd>1</dd>" in shown


def test_several_are_deleted_by_their_number(root: Client, people: list[User]) -> None:
    rows = [store(people[0], id=f"T{n}") for n in range(2)]
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in rows]}
    shown = root.post(reverse("admin:transactions_transaction_changelist"), chosen).content.decode()
    assert "Delete 2 transactions" in " ".join(shown.split("<h1>")[1].split("</h1>")[0].split())
    User.objects.filter(pk=people[0].pk).update(is_staff=True)
    accounts = {"action": "delete_selected", "_selected_action": [people[0].pk]}
    shown = root.post(reverse("admin:auth_user_changelist"), accounts).content.decode()
    assert "Delete 1 account" in " ".join(shown.split("<h1>")[1].split("</h1>")[0].split())


def night(*people: User) -> Group:
    """A group with a right, and with them in it."""
    group = Group.objects.create(name="night")
    group.permissions.add(Permission.objects.get(codename="view_alert"))
    group.user_set.add(*people)
    return group


@pytest.mark.parametrize(
    ("members", "said"),
    [(0, ""), (1, "1 person loses what it allows."), (3, "3 people lose what it allows.")],
)
@pytest.mark.parametrize("where", ["page", "list"])
def test_who_deletes_a_group_is_told_how_many_lose_what_it_allows(
    root: Client, people: list[User], members: int, said: str, where: str
) -> None:
    group = night(*people[:members])
    if where == "page":
        shown = page(root, reverse("admin:auth_group_delete", args=[group.pk]))
    else:
        chosen = {"action": "delete_selected", "_selected_action": [group.pk]}
        shown = root.post(reverse("admin:auth_group_changelist"), chosen).content.decode()
    assert said in shown
    assert ("what it allows" in shown) == bool(said)
    assert "relationship" not in shown


def test_the_trail_has_who_was_in_a_group_that_is_deleted_and_what_it_could_do(
    root: Client, people: list[User]
) -> None:
    group, before = night(*people[:2]), head()
    said = {"post": "yes", "reason": "over"}
    assert root.post(reverse("admin:auth_group_delete", args=[group.pk]), said).status_code == 302
    (entry,) = since(before)
    assert (entry.action, entry.target, json.loads(entry.details)) == (
        "group.deleted", "night",
        {"people": ["alice", "bob"], "permissions": ["Alerts | alert | Can view alert"]},
    )  # fmt: skip


def test_the_trail_has_what_an_account_could_do_that_is_deleted(root: Client, people: list[User]) -> None:
    night(people[0])
    people[0].user_permissions.add(Permission.objects.get(codename="view_rule"))
    before = head()
    said = {"post": "yes", "reason": "left"}
    assert root.post(reverse("admin:auth_user_delete", args=[people[0].pk]), said).status_code == 302
    (entry,) = since(before)
    assert json.loads(entry.details) == {
        "groups": ["night"],
        "permissions": [str(Permission.objects.get(codename="view_rule"))],
    }


def test_the_list_of_people_deletes_the_chosen_accounts(root: Client, people: list[User]) -> None:
    assert "Delete the chosen accounts" in page(root, reverse("admin:auth_user_changelist"))
