"""What is done to rows by buttons, in the bar of a list and on the page of one."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.support.accepting import queued
from tests.support.admin_pages import GONE, change, page, reject, staff, store, url
from tests.support.markup import markup
from transactions.access import tokens
from transactions.models import ApiToken, Epoch

pytestmark = pytest.mark.django_db(transaction=True)


def buttons(shown: str) -> list[tuple[str, str]]:
    """The buttons of actions: what each sends, and what it says."""
    found = re.findall(r'<button class="[^"]*" name="action"\s+value="(\w+)">(.*?)</button>', shown)
    return [(name, said.strip()) for name, said in found]


def test_a_list_has_a_named_button_for_each_action(root: Client, people: list[User]) -> None:
    reject("x")
    tokens.create("till 1")
    store(people[0])
    Epoch.objects.create(alarm="vanished")
    assert buttons(page(root, url("rejectedrecord"))) == [("replay", "Replay"), ("discard", "Discard")]
    assert buttons(page(root, url("apitoken"))) == [("revoke", "Revoke")]
    assert buttons(page(root, url("epoch"))) == [("acknowledge", "Acknowledge the alarms")]
    said = "Delete the chosen accounts …"
    assert buttons(page(root, reverse("admin:auth_user_changelist"))) == [("delete_selected", said)]
    assert buttons(page(root, url("transaction"))) == [("delete_selected", "Delete the chosen ones …")]
    assert "Select action" not in page(root, url("rejectedrecord"))


def test_what_does_not_come_back_asks_first(root: Client) -> None:
    reject("x")
    shown = markup(root.get(url("rejectedrecord")))
    assert 'Discard …</summary><div class="menu-body menu-ask"><p>What is discarded is never stored' in shown


def test_a_list_of_who_may_only_look_has_no_bar(client: Client) -> None:
    row = reject("x")
    staff(client, "view_rejectedrecord")
    for where in (url("rejectedrecord"), change(row)):
        assert buttons(page(client, where)) == []


def test_a_record_is_discarded_and_replayed_on_its_page_which_then_says_what_became_of_it(
    root: Client,
) -> None:
    row = reject(queued("R2", GONE), id="R2")
    assert buttons(page(root, change(row))) == [("replay", "Replay"), ("discard", "Discard")]
    form = {"index": "0", "_selected_action": row.pk, "back_to_row": row.pk}
    answer = root.post(url("rejectedrecord"), {**form, "action": "replay"}, follow=True)
    assert answer.redirect_chain == [(change(row), 302)]
    assert f"R2 was refused again: customer {GONE} does not exist." in answer.content.decode()
    answer = root.post(url("rejectedrecord"), {**form, "action": "discard"}, follow=True)
    assert "1 record was discarded." in answer.content.decode()
    assert buttons(page(root, change(row))) == []
    odd = root.post(url("rejectedrecord"), {**form, "action": "discard", "back_to_row": "x/../"})
    assert odd["Location"] == url("rejectedrecord")


def test_a_token_is_revoked_on_its_page(root: Client) -> None:
    tokens.create("till 1")
    row = ApiToken.objects.get()
    assert buttons(page(root, change(row))) == [("revoke", "Revoke")]
    form = {"index": "0", "_selected_action": row.pk, "back_to_row": row.pk, "action": "revoke"}
    answer = root.post(url("apitoken"), form, follow=True)
    assert answer.redirect_chain == [(change(row), 302)]
    assert "1 revoked" in answer.content.decode()
    assert buttons(page(root, change(row))) == []


def test_books_have_the_button_where_their_alarm_is_open(root: Client) -> None:
    alarm, quiet = Epoch.objects.create(alarm="vanished"), Epoch.objects.create()
    assert buttons(page(root, change(alarm))) == [("acknowledge", "Acknowledge the alarms")]
    assert buttons(page(root, change(quiet))) == []
