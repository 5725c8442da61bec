"""API tokens on the admin site: made and shown once, looked at, revoked; never changed."""

import html
import json
import re
import shlex

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.support.accepting import record, take
from tests.support.admin_pages import act, change, page, staff, superuser, url
from tests.support.audit_trail import newest
from tests.support.reading import statements_of
from transactions.access import token_checks, tokens
from transactions.access.rights import Right, grant, rights_of, rights_of_all
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


def test_the_account_of_a_token_is_a_link_for_who_may_see_people_alone(
    client: Client, people: list[User]
) -> None:
    _, row = tokens.create("till 1")
    account = reverse("admin:auth_user_change", args=[row.user_id])
    staff(client, "view_apitoken")
    shown = page(client, change(row))
    assert row.user.username in shown
    assert account not in shown
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename="view_user"))
    assert account in page(client, change(row))


def test_the_rights_of_all_in_a_list_are_asked_for_at_once(client: Client, people: list[User]) -> None:
    superuser(client)

    def statements() -> int:
        return statements_of(lambda: page(client, url("apitoken")))

    tokens.create("till 1")
    few = statements()
    for n in range(2, 7):
        tokens.create(f"till {n}")
    assert statements() == few


def test_the_rights_of_several_accounts_are_those_of_each(people: list[User]) -> None:
    alice, bob, carol = people
    grant(alice, [Right.POST, Right.AUDIT])
    alice.user_permissions.add(Permission.objects.get(codename="view_alert"))
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    grant(carol, [Right.READ])
    User.objects.filter(pk=carol.pk).update(is_active=False)
    dave = User.objects.create_user("dave")
    accounts = list(User.objects.filter(pk__in=[*(user.pk for user in people), dave.pk]))
    found = rights_of_all(accounts)
    assert found == {user.pk: rights_of(user) for user in accounts}
    assert found[alice.pk] == {Right.POST, Right.AUDIT, Right.VIEW_ALERTS}
    assert [len(found[user.pk]) for user in (bob, carol, dave)] == [len(Right), 0, 0]


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


NEW = "admin:transactions_apitoken_new"
MADE = "admin:transactions_apitoken_made"


def made(client: Client, **form: object) -> str:
    """The page that follows the form of a new token."""
    asked = {"name": "till 9", "rights": ["post", "read"], "days": "", **form}
    answer = client.post(reverse(NEW), asked, follow=True)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return html.unescape(answer.content.decode())


def test_a_token_is_made_and_shown_once_with_the_rights_that_were_chosen(root: Client) -> None:
    shown = made(root, rights=["read"], days="30")
    (token,) = set(re.findall(r"txmon_[A-Za-z0-9_-]{43}", shown))
    row = ApiToken.objects.get()
    assert rights_of(row.user) == {Right.READ}
    assert not row.user.has_usable_password()
    assert row.expires_at is not None
    access = token_checks.check(token)
    assert access is not None
    assert newest()[0].action == "token.made"
    for path in (url("apitoken"), change(row), reverse(NEW)):
        assert token not in page(root, path)


def test_the_page_that_shows_it_posts_nothing_when_it_is_loaded_again_and_shows_it_no_more(
    root: Client,
) -> None:
    answer = root.post(reverse(NEW), {"name": "till 9", "rights": ["read"], "days": ""})
    assert (answer.status_code, answer["Location"]) == (302, reverse(MADE))
    kept = answer.cookies["made-token"]
    assert kept["httponly"]
    assert (kept["samesite"], kept["path"], kept["max-age"]) == ("Strict", reverse(MADE), 60)
    assert "txmon_" in page(root, reverse(MADE))
    again = root.get(reverse(MADE), follow=True)
    assert again.redirect_chain == [(url("apitoken"), 302)]
    assert "txmon_" not in again.content.decode()
    assert "A token is shown once" in html.unescape(again.content.decode())
    assert ApiToken.objects.count() == 1


def test_what_one_made_is_shown_to_nobody_else(root: Client) -> None:
    root.post(reverse(NEW), {"name": "till 9", "rights": ["read"], "days": ""})
    root.force_login(User.objects.create_superuser("another"))
    assert "txmon_" not in root.get(reverse(MADE), follow=True).content.decode()


def test_the_command_beside_it_works_as_it_stands(root: Client, people: list[User]) -> None:
    """Also where somebody has posted such a one for another customer."""
    shown = made(root)
    take(record(f"first-{ApiToken.objects.latest('pk').pk}", people[1], 7))
    command = shlex.split(
        re.findall(r"<pre [^>]*id=\"curl\"[^>]*>(.*?)</pre>", shown, re.DOTALL)[0].replace("\\\n", "")
    )
    headers = [command[at + 1].split(": ", 1) for at, word in enumerate(command) if word == "-H"]
    path = command[2].removeprefix("http://testserver")
    authorization = dict(headers)["Authorization"]
    answer = Client().post(
        path, command[command.index("-d") + 1], "application/json", HTTP_AUTHORIZATION=authorization
    )
    assert answer.status_code == 200, answer.content
    assert json.loads(command[command.index("-d") + 1])["user"] in [each.pk for each in people]


def test_without_the_right_to_post_the_command_reads(root: Client) -> None:
    assert f"http://testserver{reverse('transactions')}" in made(root, rights=["read"])
    assert f"http://testserver{reverse('schema')}" in made(root, name="till 10", rights=["audit"])


def test_nobody_gives_a_right_that_they_lack(client: Client, people: list[User]) -> None:
    staff(client, "view_apitoken", "add_apitoken", "view_transaction")
    assert "approve" not in page(client, reverse(NEW))
    assert "Choose among what is offered." in made(client, rights=["read", "administer"])
    assert not ApiToken.objects.exists()
    assert "txmon_" in made(client, rights=["read"])


def test_who_may_not_add_tokens_makes_none(client: Client, people: list[User]) -> None:
    staff(client, "view_apitoken", "view_transaction")
    assert client.get(reverse(NEW)).status_code == 403
    assert client.post(reverse(NEW), {"name": "mine", "rights": ["read"]}).status_code == 403
    shown = page(client, url("apitoken"))
    assert reverse(NEW) not in shown
    assert reverse("api-docs") in shown


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": ""}, "Fill this in."),
        ({"name": "till 1"}, "There is a token of this name, or one alike: choose another."),
        ({"name": "Till-1"}, "There is a token of this name, or one alike: choose another."),
        ({"name": "…"}, "has no letter or digit"),
        ({"rights": []}, "Fill this in."),
        ({"rights": ["fly"]}, "Choose among what is offered."),
        ({"days": "0"}, "At least 1."),
        ({"days": "many"}, "Enter a whole number."),
    ],
)
def test_what_makes_no_token_is_said_in_the_form(root: Client, form: dict[str, object], said: str) -> None:
    tokens.create("till 1")
    shown = made(root, **form)
    assert said in shown
    assert "--user" not in shown, "that is of the command line"
    assert ApiToken.objects.count() == 1


def test_where_there_is_no_token_the_box_has_the_one_button_that_makes_one(
    client: Client, people: list[User]
) -> None:
    superuser(client)
    shown = page(client, url("apitoken"))
    assert shown.count(f'href="{reverse(NEW)}"') == 1
    assert shown.index("There are no tokens yet") < shown.index(reverse(NEW))
    tokens.create("till 1")
    assert page(client, url("apitoken")).count(f'href="{reverse(NEW)}"') == 1
