"""Users that a file names by key or by name."""

import re

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection

from transactions.access import people as accounts
from transactions.audit.models import Entry
from transactions.importing.users import FileUsers, username_of
from transactions.stores.postgres_session import Session

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_key_is_looked_up_however_a_table_wrote_it(people: list[User]) -> None:
    key = people[0].pk
    wanted = [str(key), f"{key}.0", f"00{key}", "987654", "", "-1", "alice", "²", "9" * 30]
    assert FileUsers().look_up(wanted, "key") == {str(key): key, f"{key}.0": key, f"00{key}": key}


def test_a_name_is_looked_up_as_it_is_composed_and_spaced(people: list[User]) -> None:
    jose = User.objects.create_user("josé")
    wanted = ["alice", " alice ", "jose\u0301", "", "a\0b", "\u200b"]
    found = FileUsers().look_up(wanted, "name")
    assert found == {"alice": people[0].pk, " alice ": people[0].pk, "jose\u0301": jose.pk}


def test_a_name_in_another_letter_case_leads_to_who_is_called_so_alone(people: list[User]) -> None:
    jose, exact = User.objects.create_user("josé"), User.objects.create_user("Bob")
    found = FileUsers().look_up(["ALICE", "JOSÉ", "Bob", "BOB", "nobody"], "name")
    # Of Bob and bob nobody knows who BOB is.
    assert found == {"ALICE": people[0].pk, "JOSÉ": jose.pk, "Bob": exact.pk}


def test_where_customers_are_made_names_that_differ_by_their_case_are_two(people: list[User]) -> None:
    """Also where one of them was there before: keys of other systems may differ by that alone."""
    found = FileUsers(create=True).keys(["alice", "Alice", "ALICE"], "name")
    assert len({*found.values()}) == 3
    assert found["alice"] == people[0].pk


def cut_off() -> None:
    """The connection of this thread ends, as where PostgreSQL was started anew."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with Session() as other, other.transaction() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))


def test_a_lost_connection_is_made_anew_and_asked_again(people: list[User]) -> None:
    told: list[str] = []
    users = FileUsers(create=True, patience_s=30.0, notice=told.append)
    cut_off()
    assert users.look_up(["alice"], "name") == {"alice": people[0].pk}
    cut_off()
    assert users.keys(["alice", "dora"], "name").keys() == {"alice", "dora"}
    assert users.made == 1
    assert len(told) == 2
    assert all(
        re.fullmatch(r"PostgreSQL does not answer \(.+\): the same again in 0\.2 s", each) for each in told
    )


def test_without_patience_a_lost_connection_is_an_error(people: list[User]) -> None:
    cut_off()
    with pytest.raises(OperationalError):
        FileUsers().look_up(["alice"], "name")
    connection.close()


def test_nobody_is_made_unless_it_is_asked(people: list[User]) -> None:
    assert FileUsers().keys(["dora", "alice"], "name") == {"alice": people[0].pk}
    assert FileUsers().keys(["70001"], "key") == {}
    assert User.objects.count() == 3


def test_looking_up_makes_nobody_and_says_who_would_be_made(people: list[User]) -> None:
    users = FileUsers(create=True)
    assert users.look_up(["dora", "alice", ""], "name") == {"dora": "dora", "alice": people[0].pk}
    assert users.look_up(["70001", "70001.0", "x", "0"], "key") == {"70001": 70001, "70001.0": 70001}
    assert FileUsers(create=True, look_only=True).keys(["dora"], "name") == {"dora": "dora"}
    assert User.objects.count() == 3


def test_a_name_becomes_one_customer_who_cannot_log_in(people: list[User]) -> None:
    users = FileUsers(create=True)
    found = users.keys(["Dora  Example", "Dora Example ", "dora@example.com"], "name")

    assert users.made == 2
    assert found["Dora  Example"] == found["Dora Example "] != found["dora@example.com"]
    assert FileUsers().look_up(["Dora Example"], "name") == {"Dora Example": found["Dora  Example"]}
    made = User.objects.get(pk=found["Dora Example "])
    assert made.username == username_of("Dora Example")
    assert not made.has_usable_password()
    assert accounts.customers().filter(pk=made.pk).exists()
    entry = Entry.objects.filter(action="user.made").latest("id")
    assert entry.target == "2 customers"


def test_names_that_differ_stay_two_customers() -> None:
    names = [
        "Jane Public",
        "Jane-Public",
        "Jane/Public",
        "jane public",
        "Ja ne",
        "J" * 151,
        "J" * 152,
        "花 子",
    ]
    made = [username_of(name) for name in names]
    assert len({*made}) == len(names)
    assert made[1] == "Jane-Public"
    assert made[0].startswith("Jane-Public-")
    assert all(len(name) <= 150 for name in made)
    for name in made:
        User.username_validator(name)


def test_a_key_is_made_with_the_number_of_the_file(people: list[User]) -> None:
    users = FileUsers(create=True)
    assert users.keys(["70001.0", "70002", "0", "x"], "key") == {"70001.0": 70001, "70002": 70002}
    assert users.made == 2
    assert User.objects.get(pk=70001).username == "customer-70001"
