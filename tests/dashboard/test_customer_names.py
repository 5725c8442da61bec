"""The names of customers, for the live table, which is told their keys alone."""

import json

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.support.admin_pages import store
from transactions.dashboard.customer_names import KEYS_MAX
from transactions.reading.search import FOUND_MAX

pytestmark = pytest.mark.django_db(transaction=True)


def names(client: Client, **query: str) -> dict[str, str]:
    answer = client.get(reverse("dashboard-names"), query)
    assert answer.status_code == 200, answer.content
    return dict(json.loads(answer.content)["names"])


def test_keys_are_told_with_their_names_as_far_as_there_are_such_customers(
    root: Client, people: list[User]
) -> None:
    alice, bob, _ = people
    assert names(root, users=f"{alice.pk},{bob.pk},424242,{10**18 - 1}") == {
        str(alice.pk): "alice",
        str(bob.pk): "bob",
    }
    assert names(root) == {}


def test_a_whole_name_leads_to_its_key_in_any_letter_case(root: Client, people: list[User]) -> None:
    for spelt in ("alice", "ALICE"):
        assert names(root, name=spelt) == {str(people[0].pk): "alice"}
    for unknown in ("ali", "\0", "x" * 5000, "%"):
        assert names(root, name=unknown) == {}


def test_a_part_of_a_name_or_a_number_suggests_some_customers(root: Client, people: list[User]) -> None:
    for place in range(8):
        User.objects.create_user(f"Corner-Shop-{place}")
    assert names(root, part="LIC") == {str(people[0].pk): "alice"}
    assert names(root, part=str(people[1].pk))[str(people[1].pk)] == "bob"
    assert len(names(root, part="corner-s")) == FOUND_MAX
    for unknown in ("nobody is called so", "\0", "x" * 5000, "%"):
        assert names(root, part=unknown) == {}


def test_the_names_of_those_who_work_here_are_told_only_if_they_pay_too(
    root: Client, people: list[User]
) -> None:
    works = User.objects.create_user("works", is_staff=True)
    pays = User.objects.create_user("pays", password="correct horse battery")
    store(pays)
    assert names(root, users=f"{works.pk},{pays.pk},{people[0].pk}") == {
        str(pays.pk): "pays",
        str(people[0].pk): "alice",
    }
    assert names(root, name="works") == {}
    assert names(root, name="pays") == {str(pays.pk): "pays"}


@pytest.mark.parametrize("users", ["alice", "1,,2", "1, 2", "-1", "1" * 19, ",".join(["1"] * (KEYS_MAX + 1))])
def test_what_are_no_keys_is_told_with_what_would_be_right(root: Client, users: str) -> None:
    answer = root.get(reverse("dashboard-names"), {"users": users})
    assert (answer.status_code, list(answer.json())) == (400, ["users"])
    assert "with commas between them" in answer.json()["users"][0]


def test_many_are_one_statement_that_is_bounded(root: Client, people: list[User]) -> None:
    names(root)
    with CaptureQueriesContext(database) as asked:
        names(root, users=",".join(str(key) for key in range(1, KEYS_MAX + 1)))
    assert sum("username" in each["sql"] and 'id" IN' in each["sql"] for each in asked) == 1
    assert any("statement_timeout" in each["sql"] for each in asked)
