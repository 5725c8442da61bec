"""Who gives which rights in the admin: as sentences, none that one lacks, and none lost on the way."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

import transactions
from tests.support.admin_pages import page, staff
from transactions.access.grants import NEEDS, OFFERED
from transactions.access.rights import Right, permission_of
from transactions.admin_site import sidebar

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery staple"  # noqa: S105


def right(name: str) -> Permission:
    application, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=application, codename=codename)


def path(row: User | Group, step: str = "change") -> str:
    return reverse(f"admin:auth_{row._meta.model_name}_{step}", args=[row.pk])


def offered(markup: str, name: str) -> dict[str, bool]:
    """The boxes of a field: what each says, and whether it is ticked."""
    boxes = re.findall(
        rf'<label for="[^"]*">\s*(<input [^>]*name="{name}"[^>]*>)(.*?)</label>', markup, re.DOTALL
    )
    return {html.unescape(said.strip()): " checked" in tag for tag, said in boxes}


def filled_in(markup: str) -> dict[str, Any]:
    """What a browser sends of a form as it is."""
    form: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", markup, re.DOTALL):
        said = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        is_box = said.get("type") == "checkbox"
        if "name" in said and (not is_box or re.search(r"\schecked(?=[\s>/])", tag)):
            form.setdefault(said["name"], []).append(html.unescape(said.get("value", "on" if is_box else "")))
    return form


def of_people(client: Client, *more: str) -> Client:
    """Somebody who keeps people and groups, and may do a few things more."""
    return staff(client, "view_user", "change_user", "delete_user", "view_group", "change_group", *more)


# --- Sentences ------------------------------------------------------------------------------------


def test_rights_of_a_person_are_sentences_under_headings(root: Client, people: list[User]) -> None:
    people[0].user_permissions.add(right("alerts.change_alert"))
    shown = page(root, path(people[0]))
    boxes = offered(shown, "user_permissions")
    assert boxes["deal with alerts"]
    assert not boxes["see alerts"]
    assert [each for each, ticked in boxes.items() if ticked] == ["deal with alerts"]
    for heading in ("Transactions", "Customers", "Alerts", "Rules", "System", "People and access"):
        assert f"<legend>{heading}</legend>" in shown
    for django in ("log entry", "content type", "session", "Can add", "<select"):
        assert django not in shown.replace('id="zone"', ""), django


def test_a_group_has_the_same_sentences(root: Client, people: list[User]) -> None:
    new = page(root, reverse("admin:auth_group_add"))
    assert (
        offered(new, "permissions").keys() == offered(page(root, path(people[0])), "user_permissions").keys()
    )
    root.post(
        reverse("admin:auth_group_add"), {"name": "night", "permissions": [right("alerts.view_alert").pk]}
    )
    assert [each.codename for each in Group.objects.get(name="night").permissions.all()] == ["view_alert"]


def test_a_token_is_given_rights_by_the_same_sentences(root: Client, people: list[User]) -> None:
    of_tokens = offered(page(root, reverse("admin:transactions_apitoken_new")), "rights")
    said = offered(page(root, path(people[0])), "user_permissions")
    assert len(of_tokens) == 11
    assert {re.sub(r" \([\w.]+\)$", "", each) for each in of_tokens} <= said.keys()


@pytest.mark.parametrize("field", ["email", "rights"])
def test_a_right_without_a_sentence_is_shown_as_other_and_kept(
    root: Client, people: list[User], field: str
) -> None:
    odd = right("sessions.view_session")
    people[0].user_permissions.add(odd)
    shown = page(root, path(people[0]))
    assert "<legend>Other</legend>" in shown
    assert offered(shown, "user_permissions")["Can view session (sessions.view_session)"]
    form = filled_in(shown)
    if field == "email":
        form["email"] = "alice@example.org"
    else:
        form["user_permissions"].append(str(right("alerts.view_alert").pk))
    assert root.post(path(people[0]), form).status_code == 302
    assert odd in people[0].user_permissions.all()
    assert people[0].user_permissions.count() == (1 if field == "email" else 2)


def test_a_right_without_a_sentence_is_taken_away_where_its_box_is_emptied(
    root: Client, people: list[User]
) -> None:
    people[0].user_permissions.add(right("sessions.view_session"), right("alerts.view_alert"))
    form = filled_in(page(root, path(people[0])))
    form["user_permissions"] = [str(right("alerts.view_alert").pk)]
    assert root.post(path(people[0]), form).status_code == 302
    assert [each.codename for each in people[0].user_permissions.all()] == ["view_alert"]


def test_what_others_gave_and_took_meanwhile_stays_so(root: Client, people: list[User]) -> None:
    view, deal, read = (right(f"alerts.{name}_alert") for name in ("view", "change", "delete"))
    rules = right("rules.view_rule")
    people[0].user_permissions.add(view, rules)
    form = filled_in(page(root, path(people[0])))
    people[0].user_permissions.set([view, read])
    form["user_permissions"].append(str(deal.pk))
    assert root.post(path(people[0]), form).status_code == 302
    assert set(people[0].user_permissions.all()) == {view, deal, read}


def test_a_person_is_put_into_groups_by_boxes(root: Client, people: list[User]) -> None:
    night, tokens = Group.objects.create(name="night"), Group.objects.create(name="API: read")
    people[0].groups.add(tokens)
    shown = page(root, path(people[0]))
    assert offered(shown, "groups") == {"night": False, "API: read": True}
    assert "<legend>Of API tokens</legend>" in shown
    form = filled_in(shown)
    form["groups"].append(str(night.pk))
    assert root.post(path(people[0]), form).status_code == 302
    assert set(people[0].groups.all()) == {night, tokens}


# --- Who may give what ----------------------------------------------------------------------------


def test_nobody_gives_a_person_a_right_that_they_lack(client: Client, people: list[User]) -> None:
    of_people(client, "view_alert")
    shown = page(client, path(people[0]))
    assert "see alerts" in offered(shown, "user_permissions")
    assert "deal with alerts" not in offered(shown, "user_permissions")
    form = filled_in(shown)
    answer = client.post(path(people[0]), {**form, "user_permissions": [right("alerts.change_alert").pk]})
    assert answer.status_code == 200
    assert "You may give only what you may do yourself" in answer.content.decode()
    assert not people[0].user_permissions.exists()
    assert (
        client.post(
            path(people[0]), {**form, "user_permissions": [right("alerts.view_alert").pk]}
        ).status_code
        == 302
    )
    assert people[0].user_permissions.count() == 1


def test_nobody_gives_themselves_a_right_that_they_lack(client: Client, people: list[User]) -> None:
    of_people(client)
    me = User.objects.get(username="staff")
    form = filled_in(page(client, path(me)))
    form["user_permissions"] = [*form["user_permissions"], str(right("alerts.change_alert").pk)]
    assert client.post(path(me), form).status_code == 200
    assert not me.user_permissions.filter(codename="change_alert").exists()


def test_nobody_puts_a_person_into_a_group_that_may_what_they_may_not(
    client: Client, people: list[User]
) -> None:
    of_people(client, "view_alert")
    same, more = Group.objects.create(name="same"), Group.objects.create(name="more")
    same.permissions.set([right("alerts.view_alert")])
    more.permissions.set([right("alerts.view_alert"), right("alerts.change_alert")])
    shown = page(client, path(people[0]))
    assert offered(shown, "groups").keys() == {"same"}
    form = filled_in(shown)
    assert client.post(path(people[0]), {**form, "groups": [more.pk]}).status_code == 200
    assert not people[0].groups.exists()
    assert client.post(path(people[0]), {**form, "groups": [same.pk]}).status_code == 302
    assert list(people[0].groups.all()) == [same]


def test_nobody_gives_a_group_a_right_that_they_lack(client: Client, people: list[User]) -> None:
    of_people(client, "view_alert", "add_group")
    form = {"name": "night", "permissions": [right("alerts.change_alert").pk]}
    assert client.post(reverse("admin:auth_group_add"), form).status_code == 200
    assert not Group.objects.exists()
    mine = Group.objects.create(name="mine")
    assert client.post(path(mine), {**form, "name": "mine"}).status_code == 200
    assert not mine.permissions.exists()


def test_only_a_superuser_makes_one(client: Client, people: list[User]) -> None:
    of_people(client)
    shown = page(client, path(people[0]))
    assert 'name="is_superuser"' not in shown
    form = {**filled_in(shown), "is_superuser": "on", "initial-is_superuser": ""}
    assert client.post(path(people[0]), form).status_code == 302
    people[0].refresh_from_db()
    assert not people[0].is_superuser


@pytest.mark.parametrize("beyond", ["superuser", "right", "group", "switched off"])
def test_nobody_changes_an_account_that_may_more_than_they(
    client: Client, people: list[User], beyond: str
) -> None:
    """Whoever sets the password of such an account could log in as it."""
    of_people(client)
    them = people[0]
    match beyond:
        case "superuser":
            User.objects.filter(pk=them.pk).update(is_superuser=True)
        case "right":
            them.user_permissions.add(right("alerts.change_alert"))
        case "group":
            group = Group.objects.create(name="more")
            group.permissions.add(right("alerts.change_alert"))
            them.groups.add(group)
        case _:
            User.objects.filter(pk=them.pk).update(is_superuser=True, is_active=False)
    shown = page(client, path(them))
    assert 'name="_save"' not in shown
    assert "you cannot change it" in shown
    assert "Can change alert" not in shown
    assert client.post(path(them), {"username": "mine", "is_active": "on"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[them.pk])
    assert client.get(password).status_code == 403
    form = {"password1": PASSWORD, "password2": PASSWORD}
    assert client.post(password, form).status_code == 403
    assert client.post(path(them, "delete"), {"post": "yes", "reason": "x"}).status_code == 403
    them.refresh_from_db()
    assert (them.username, them.has_usable_password()) == ("alice", False)


def test_nobody_changes_a_group_that_may_more_than_they(client: Client, people: list[User]) -> None:
    of_people(client, "delete_group")
    more = Group.objects.create(name="more")
    more.permissions.add(right("alerts.change_alert"))
    shown = page(client, path(more))
    assert 'name="_save"' not in shown
    assert "deal with alerts" in shown
    assert client.post(path(more), {"name": "mine", "permissions": []}).status_code == 403
    assert client.post(path(more, "delete"), {"post": "yes", "reason": "x"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": more.pk, "post": "yes", "reason": "x"}
    client.post(reverse("admin:auth_group_changelist"), chosen)
    assert Group.objects.filter(name="more", permissions=right("alerts.change_alert")).exists()


def test_somebody_who_keeps_people_sets_the_password_of_who_may_no_more(
    client: Client, people: list[User]
) -> None:
    of_people(client)
    password = reverse("admin:auth_user_password_change", args=[people[0].pk])
    shown = page(client, password)
    assert "LDAP" not in shown
    assert client.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 302
    people[0].refresh_from_db()
    assert people[0].check_password(PASSWORD)


# --- What is of no use by itself ------------------------------------------------------------------

USELESS = "To deal with alerts is of no use without this: see alerts."


def as_group(root: Client, *rights: str, name: str = "night") -> str:
    """What is said where such a group is made; "" where it is."""
    form = {"name": name, "permissions": [right(each).pk for each in rights]}
    answer = root.post(reverse("admin:auth_group_add"), form)
    return "" if answer.status_code == 302 else html.unescape(answer.content.decode())


def test_a_group_is_given_no_right_whose_pages_it_could_not_open(root: Client) -> None:
    assert USELESS in as_group(root, "alerts.change_alert")
    assert "of no use without this: see API tokens or revoke" in as_group(root, "transactions.add_apitoken")
    # One of these is enough; whoever changes people sees them.
    said = as_group(root, "auth.add_user")
    assert "see transactions" in said
    assert " or " in said
    assert not Group.objects.filter(name="night").exists()
    assert as_group(root, "alerts.change_alert", "alerts.view_alert") == ""
    assert as_group(root, "auth.change_user", "auth.add_user", "auth.delete_user", name="keepers") == ""
    # A program does not open pages.
    assert as_group(root, "alerts.change_alert", name="API: deal") == ""


def test_a_person_has_what_a_right_needs_from_a_group_too(root: Client, people: list[User]) -> None:
    User.objects.filter(pk=people[0].pk).update(is_staff=True)
    sees = Group.objects.create(name="sees")
    sees.permissions.add(right("alerts.view_alert"))
    form = filled_in(page(root, path(people[0])))
    deals = {**form, "user_permissions": [right("alerts.change_alert").pk]}
    answer = root.post(path(people[0]), deals)
    assert USELESS in html.unescape(answer.content.decode())
    assert not people[0].user_permissions.exists()
    assert root.post(path(people[0]), {**deals, "groups": [sees.pk]}).status_code == 302
    # Nor is the group taken away, while it is needed.
    form = filled_in(page(root, path(people[0])))
    answer = root.post(path(people[0]), {**form, "groups": []})
    assert USELESS in html.unescape(answer.content.decode())
    assert list(people[0].groups.all()) == [sees]


def test_who_does_not_log_in_here_needs_no_page(root: Client, people: list[User]) -> None:
    form = filled_in(page(root, path(people[0])))
    form["user_permissions"] = [right("alerts.change_alert").pk]
    assert root.post(path(people[0]), form).status_code == 302


def test_who_has_such_a_right_already_is_saved_as_before(root: Client, people: list[User]) -> None:
    User.objects.filter(pk=people[0].pk).update(is_staff=True)
    people[0].user_permissions.add(right("alerts.change_alert"))
    form = {**filled_in(page(root, path(people[0]))), "email": "alice@example.org"}
    assert root.post(path(people[0]), form).status_code == 302


def test_every_need_has_a_sentence_and_so_has_every_right_that_code_asks_for() -> None:
    assert NEEDS.keys() | {each for needs in NEEDS.values() for each in needs} <= OFFERED
    asked = {permission_of(each) for each in Right}
    for place in Path(transactions.__file__).parent.rglob("*"):
        if place.suffix in (".py", ".html"):
            text = place.read_text()
            asked |= set(re.findall(r"""has_perm\(f?["']([a-z]+\.[a-z_]+)["']\)""", text))
            if place.suffix == ".html":
                asked |= set(re.findall(r"perms\.([a-z]+\.[a-z_]+)", text))
    for _, places in sidebar._GROUPS:
        for each in [tab for place in places for tab in (place, *place.tabs)]:
            asked |= {each.permission} if isinstance(each.permission, str) else set(each.permission)
    assert len(asked) > 20
    # That of flushes is Django's: nobody changes one.
    assert asked - OFFERED == {"transactions.change_flushbatch"}


# --- Words ----------------------------------------------------------------------------------------


def test_of_a_password_a_page_says_whether_there_is_one(root: Client, people: list[User]) -> None:
    people[0].set_password(PASSWORD)
    people[0].save()
    shown = page(root, path(people[0]))
    assert "A password is set." in shown
    assert f'href="{reverse("admin:auth_user_password_change", args=[people[0].pk])}"' in shown
    assert people[0].password not in shown
    for part in ("pbkdf2", "algorithm", "iterations", "salt", "Raw passwords"):
        assert part not in shown
    assert "nobody logs in with it" in page(root, path(people[1]))


# Words of Django's about its own machinery, and questions that are not ours.
DJANGO = (
    "Staff status", "Superuser status", "Password-based", "Single Sign-On", "LDAP", "Raw passwords", "pbkdf2",
    "edit more user options", "Required. 150", "User permissions", "Hold down", "to change</", "Yes, I",
    "take me back", "staff status", "superuser status", "Personal info", "Important dates",
)  # fmt: skip


def test_no_form_of_people_groups_or_customers_speaks_of_django(root: Client, people: list[User]) -> None:
    group = Group.objects.create(name="night")
    paths = [
        *(
            reverse(f"admin:auth_{model}_{name}")
            for model in ("user", "group")
            for name in ("add", "changelist")
        ),
        *(path(row, step) for row in (people[0], group) for step in ("change", "delete")),
        reverse("admin:auth_user_password_change", args=[people[0].pk]),
        reverse("admin:transactions_customer_add"),
        reverse("admin:notifications_recipient_add"),
        reverse("admin:password_change"),
    ]
    for each in paths:
        shown = page(root, each)
        assert [words for words in DJANGO if words in html.unescape(shown)] == [], each


def test_a_new_customer_is_asked_for_a_name(root: Client, people: list[User]) -> None:
    shown = page(root, reverse("admin:transactions_customer_add"))
    assert re.search(r"<label[^>]*>\s*Name", shown)
    assert "Username" not in shown


def test_where_there_is_no_group_the_page_says_what_one_is(root: Client, people: list[User]) -> None:
    shown = page(root, reverse("admin:auth_group_changelist"))
    assert "There are no groups yet" in shown
    assert "whoever is in it has them" in shown
    assert shown.count(f'href="{reverse("admin:auth_group_add")}"') == 1
