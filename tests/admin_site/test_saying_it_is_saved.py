"""What is said after a form of the admin: in words of ours, with a link to what was saved."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from tests.support.markup import markup
from tests.support.rows import row, store
from transactions.admin_site import accounts
from transactions.notifications.models import Recipient

pytestmark = pytest.mark.django_db(transaction=True)

PERSON = {
    "username": "ann",
    "usable_password": "false",
    "password1": "",
    "password2": "",
}


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_a_group_that_is_made_and_changed_is_saved(root: Client) -> None:
    said = markup(root.post(reverse("admin:auth_group_add"), {"name": "Night shift"}, follow=True))
    made = Group.objects.get(name="Night shift")
    where = reverse("admin:auth_group_change", args=[made.pk])
    assert f'<a href="{where}">Night shift</a>is saved.' in said
    said = markup(root.post(where, {"name": "Day shift"}, follow=True))
    assert f'<a href="{where}">Day shift</a>is saved.' in said
    assert "successfully" not in said


def test_who_makes_a_person_is_led_to_their_page(root: Client) -> None:
    answer = root.post(reverse("admin:auth_user_add"), PERSON, follow=True)
    where = reverse("admin:auth_user_change", args=[User.objects.get(username="ann").pk])
    assert answer.redirect_chain == [(where, 302)]
    assert f'<a href="{where}">ann</a>is saved.' in markup(answer)


def test_an_address_is_said_as_it_is_and_a_hostile_one_as_text(root: Client) -> None:
    address = {"address": "ann@example.org", "least": "LOW"}
    said = markup(root.post(reverse("admin:notifications_recipient_add"), address, follow=True))
    assert "ann@example.org</a>is saved." in said
    made = Recipient.objects.get()
    where = reverse("admin:notifications_recipient_delete", args=[made.pk])
    assert "is deleted." in markup(root.post(where, {"post": "yes"}, follow=True))
    said = markup(root.post(reverse("admin:auth_group_add"), {"name": "<b>bold</b>"}, follow=True))
    assert "&lt;b&gt;bold&lt;/b&gt;</a>is saved." in said


def test_the_rules_of_a_password_are_said_in_a_few_words(root: Client) -> None:
    ann = User.objects.create_user("ann", is_staff=True)
    for where in (
        reverse("admin:auth_user_add"),
        reverse("admin:auth_user_password_change", args=[ann.pk]),
        reverse("admin:password_change"),
    ):
        said = markup(root.get(where))
        for rule in ("At least 8 characters", "Not digits alone", "None that many have", "Unlike the name"):
            assert rule in said, where
        assert "Your password" not in said


def test_who_is_in_no_group_is_a_filter_with_words(root: Client) -> None:
    Group.objects.get_or_create(name="Support")
    said = markup(root.get(reverse("admin:auth_user_changelist")))
    assert "In no group</a>" in said
    assert "<h3>Group</h3>" in said


def test_every_filter_of_a_list_has_words(root: Client) -> None:
    for name in ("auth_user", "auth_group", "audit_entry", "transactions_rejectedrecord", "rules_rule"):
        answer = root.get(reverse(f"admin:{name}_changelist"))
        assert answer.status_code == 200
        shown = answer.context["cl"]
        for spec in shown.filter_specs:
            assert all(str(each["display"]).strip() for each in spec.choices(shown)), (name, spec.title)


def test_a_deletion_that_takes_many_along_says_so_in_figures_and_words(root: Client) -> None:
    ann = User.objects.create_user("ann")
    store(*(row(ann) for _ in range(accounts.LISTED_MAX + 1)))
    said = markup(root.get(reverse("admin:auth_user_delete", args=[ann.pk])))
    assert "<dt>Accounts</dt><dd>1</dd>" in said
    assert "<dt>Transactions</dt><dd>more than 100</dd>" in said
