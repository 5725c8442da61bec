"""Whatever somebody sends to the pages of people and groups, the answer is a page, a redirect or a 4xx."""

from urllib.parse import quote_from_bytes, urlencode

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.admin_site.test_odd_values import ODD
from tests.support.accepting import queued
from tests.support.admin_pages import GONE, page, reject, url
from tests.support.markup import markup

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE, GROUPS = reverse("admin:auth_user_changelist"), reverse("admin:auth_group_changelist")
FILTERS = (
    "is_staff__exact", "is_superuser__exact", "is_active__exact", "groups__id__exact", "groups__isnull", "q",
    "o", "p", "all", "e", "username", "password__startswith",
)  # fmt: skip
# What no account has, and none may come to have by it.
ODD_FORMS = {
    **ODD,
    "nothing": b"",
    "a space": b" ",
    "long": b"x" * 10_000,
    "markup": b"<script>alert(1)</script>",
}
FORM = b"application/x-www-form-urlencoded".decode()


def names(client: Client, query: str = "") -> set[str]:
    """The accounts that the list of people shows."""
    shown = markup(client.get(PEOPLE + query))
    return {name for name in ("root", "ann", "bea", "alice") if f">{name}</a>" in shown}


def test_a_name_with_a_space_is_refused_in_the_words_of_its_form(root: Client) -> None:
    form = {"username": "Acme Ltd", "password1": "", "password2": "", "usable_password": "false"}
    for where in ("auth_user", "transactions_customer"):
        shown = root.post(reverse(f"admin:{where}_add"), form).content.decode()
        assert "A name has only letters, digits and the characters @ . + - _, and no spaces." in shown, where
        assert "valid username" not in shown, where


# --- The list -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_no_value_of_a_filter_of_people_is_our_error(root: Client, value: bytes) -> None:
    root.raise_request_exception = False
    asked = [f"{name}={quote_from_bytes(value)}" for name in FILTERS]
    answered = {each[:40]: root.get(f"{PEOPLE}?{each}").status_code for each in [*asked, "&".join(asked)]}
    assert {each: status for each, status in answered.items() if status not in (200, 302, 400)} == {}


def test_a_filter_of_people_narrows_to_those_it_names(root: Client, people: list[User]) -> None:
    night = Group.objects.create(name="night")
    User.objects.create_user("ann", is_staff=True).groups.add(night)
    User.objects.create_user("bea", is_staff=True, is_active=False)
    assert names(root) == {"root", "ann", "bea"}
    assert names(root, "?is_superuser__exact=1") == {"root"}
    assert names(root, "?is_active__exact=0") == {"bea"}
    assert names(root, f"?groups__id__exact={night.pk}") == {"ann"}
    assert names(root, "?groups__isnull=True") == {"root", "bea"}
    # No customer is among them, whoever is asked for.
    assert names(root, "?q=alice") == set()


# --- Forms ----------------------------------------------------------------------------------------


ACCOUNT = {"username": "ann", "first_name": "", "email": "", "is_active": "on", "is_staff": "on"}


@pytest.mark.parametrize("value", ODD_FORMS.values(), ids=ODD_FORMS)
def test_no_value_in_the_form_of_an_account_is_our_error_or_gives_a_right(root: Client, value: bytes) -> None:
    root.raise_request_exception = False
    ann = User.objects.create_user("ann", is_staff=True)
    path = reverse("admin:auth_user_change", args=[ann.pk])
    for field in (*ACCOUNT, "is_superuser", "groups", "user_permissions", "_save", "password"):
        answer = root.post(path, urlencode({**ACCOUNT, field: value}), content_type=FORM)
        assert answer.status_code in (200, 302, 400), field
        ann.refresh_from_db()
        if field != "is_superuser":
            assert not ann.is_superuser, field
        assert (ann.groups.count(), ann.user_permissions.count()) == (0, 0), field
        assert not ann.has_usable_password()
        User.objects.filter(pk=ann.pk).update(username="ann", is_superuser=False, email="")


@pytest.mark.parametrize("value", ODD_FORMS.values(), ids=ODD_FORMS)
def test_no_value_in_the_form_of_a_new_account_is_our_error(root: Client, value: bytes) -> None:
    root.raise_request_exception = False
    right = {"username": "ann", "usable_password": "false", "password1": "", "password2": ""}
    for field in right:
        answer = root.post(
            reverse("admin:auth_user_add"), urlencode({**right, field: value}), content_type=FORM
        )
        assert answer.status_code in (200, 302, 400), field
        assert not User.objects.exclude(username="root").filter(is_staff=True).exists()
        User.objects.exclude(username="root").delete()


@pytest.mark.parametrize("value", ODD_FORMS.values(), ids=ODD_FORMS)
def test_no_value_in_the_form_of_a_group_is_our_error_or_gives_a_right(root: Client, value: bytes) -> None:
    root.raise_request_exception = False
    night = Group.objects.create(name="night")
    for path in (reverse("admin:auth_group_change", args=[night.pk]), reverse("admin:auth_group_add")):
        for field in ("name", "permissions", "_save"):
            form = {"name": "night", field: value}
            assert root.post(path, urlencode(form), content_type=FORM).status_code in (200, 302, 400), field
            assert not Permission.objects.filter(group__isnull=False).exists()
            Group.objects.exclude(pk=night.pk).delete()
            Group.objects.filter(pk=night.pk).update(name="night")


def test_what_is_wrong_with_a_form_is_said_as_a_person_says_it(root: Client) -> None:
    ann, night = User.objects.create_user("ann", is_staff=True), Group.objects.create(name="night")
    User.objects.create_user("bea")

    def said(path: str, **form: str) -> str:
        return markup(root.post(path, form))

    where = reverse("admin:auth_user_change", args=[ann.pk])
    assert "Fill this in." in said(where, **{**ACCOUNT, "username": ""})
    assert "There is one of this name already." in said(where, **{**ACCOUNT, "username": "bea"})
    assert "At most 150 characters: this has 151." in said(where, **{**ACCOUNT, "first_name": "x" * 151})
    assert "There is one of this name already." in said(reverse("admin:auth_group_add"), name="night")
    group = reverse("admin:auth_group_change", args=[night.pk])
    assert "Choose among what is offered." in said(where, **{**ACCOUNT, "groups": "999999"})
    assert "choose among what is offered." in said(group, name="night", permissions="999999")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_what_no_form_sends_changes_nobody(root: Client, method: str) -> None:
    root.raise_request_exception = False
    ann = User.objects.create_user("ann", is_staff=True)
    answer = getattr(root, method)(reverse("admin:auth_user_change", args=[ann.pk]))
    assert answer.status_code < 500
    assert User.objects.filter(username="ann").exists()


# --- Where an action of a row's page leads back to ------------------------------------------------


@pytest.mark.parametrize(
    "back", ["", "x/../", "//evil.example", "9" * 40, "0", "\0", "<b>", "another row"], ids=repr
)
def test_an_action_leads_back_to_the_page_of_the_row_that_it_was_done_to_or_to_the_list(
    root: Client, back: str
) -> None:
    row, other = (reject(queued(id, GONE), id=id) for id in ("R1", "R2"))
    form = {"index": "0", "_selected_action": row.pk, "action": "discard"}
    answer = root.post(
        url("rejectedrecord"), {**form, "back_to_row": str(other.pk) if back == "another row" else back}
    )
    assert (answer.status_code, answer["Location"]) == (302, url("rejectedrecord"))
    assert "1 record was discarded." in page(root, url("rejectedrecord"))


# --- What was changed -----------------------------------------------------------------------------


def test_the_history_of_an_account_says_who_changed_what_in_words(root: Client) -> None:
    ann = User.objects.create_user("ann", is_staff=True)
    where = reverse("admin:auth_user_history", args=[ann.pk])
    empty = page(root, where)
    assert "<h1>History of ann</h1>" in markup(root.get(where))
    assert "Nothing was changed here yet" in empty
    assert "object" not in empty.partition('id="content"')[2]
    assert root.post(reverse("admin:auth_user_change", args=[ann.pk]), {**ACCOUNT, "email": "a@b.org"})
    shown = page(root, where).partition('id="content"')[2]
    assert "root" in shown
    assert "Changed Email address." in shown
