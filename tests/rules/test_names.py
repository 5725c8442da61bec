"""Names that differ in upper and lower case alone are one name, however they come in."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.support.rules import rule_in_force
from transactions.rules import changes, documents, texts
from transactions.rules.changes import NameTaken
from transactions.rules.documents import DocumentRefused
from transactions.rules.models import Rule, UserList

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = {"kind": "amount", "parameters": {"amount": 5}}
TOLD_OF_RULE = "there is a rule “Large” already, which differs from “LARGE” in upper and lower case alone"
TOLD_OF_LIST = "there is a list “Watched” already, which differs from “watched” in upper and lower case alone"


def test_no_two_rules_and_no_two_lists_differ_in_case_alone() -> None:
    rule_in_force("amount", name="Large", amount=5)
    other = changes.create("Other", **LARGE, author=None, severity="LOW", description="")
    with pytest.raises(NameTaken, match=TOLD_OF_RULE):
        changes.create("LARGE", **LARGE, author=None, severity="LOW", description="")
    with pytest.raises(NameTaken, match=TOLD_OF_RULE):
        changes.rename(other, "LARGE")
    changes.make_list("Watched", "")
    with pytest.raises(NameTaken, match=TOLD_OF_LIST):
        changes.make_list("watched", "")


def test_a_rule_may_be_renamed_to_its_own_name_in_another_case() -> None:
    rule = rule_in_force("amount", name="Large", amount=5).rule
    changes.rename(rule, "LARGE")
    assert Rule.objects.get().name == "LARGE"


def test_a_file_that_names_one_otherwise_is_refused_with_all_such_names() -> None:
    rule_in_force("amount", name="Large", amount=5)
    changes.make_list("Watched", "")
    text = json.dumps({"lists": [{"name": "watched"}], "rules": [{"name": "LARGE", **LARGE}]}, indent=1)
    with pytest.raises(DocumentRefused) as caught:
        documents.import_rules(documents.parse(text))
    assert [str(problem) for problem in caught.value.problems] == [
        f"line 4: list 1: {TOLD_OF_LIST}",
        f"line 9: rule 1: {TOLD_OF_RULE}",
    ]
    assert (Rule.objects.count(), UserList.objects.count()) == (1, 1)


def test_lists_of_a_file_whose_names_differ_in_case_alone_stand_there_twice() -> None:
    found = documents.parse('{"lists": [{"name": "Watched"}, {"name": "watched"}], "rules": []}')
    with pytest.raises(DocumentRefused) as caught:
        documents.import_rules(found)
    assert str(caught.value) == "line 1: list 2: “watched” stands there twice, in another case"
    assert not UserList.objects.exists()


def test_rules_of_a_file_whose_names_differ_in_case_alone_stand_there_twice() -> None:
    text = json.dumps({"rules": [{"name": name, **LARGE} for name in ("Large", "LARGE")]})
    with pytest.raises(DocumentRefused) as caught:
        documents.import_rules(documents.parse(text))
    assert str(caught.value) == "line 1: rule 2: “LARGE” stands there twice, in another case"
    assert not Rule.objects.exists()


def test_where_there_are_such_names_the_migration_changes_nothing_and_says_what_to_do() -> None:
    call_command("migrate", "rules", "0011", verbosity=0)
    try:
        for name in ("Large", "LARGE", "Other"):
            Rule.objects.create(name=name)
        with pytest.raises(CommandError, match="the rules “Large” and “LARGE”"):
            call_command("migrate", "rules", verbosity=0)
        Rule.objects.filter(name="LARGE").update(name="Largest")
    finally:
        Rule.objects.filter(name="LARGE").delete()
        call_command("migrate", "rules", verbosity=0)
    with pytest.raises(NameTaken):
        changes.create("LARGE", **LARGE, author=None, severity="LOW", description="")


@pytest.mark.parametrize(
    ("name", "other"), [("ΑΣ", "ασ"), ("İy", "iy"), ("İz", "İZ"), ("ΓΣ", "γσ"), ("ÄÖ", "äö")]
)
def test_postgresql_says_which_letters_are_the_same(name: str, other: str) -> None:
    """Whatever its rules are: what it refuses is told, and never an error of ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT lower(%s) = lower(%s)", [name, other])
        (alike,) = cursor.fetchone()
    changes.create(name, **LARGE, author=None, severity="LOW", description="")
    changes.make_list(name, "")
    another = changes.create("Another", **LARGE, author=None, severity="LOW", description="")
    text = json.dumps({"rules": [{"name": other, **LARGE}]})
    steps: tuple[Callable[[], Any], ...] = (
        partial(changes.create, other, **LARGE, author=None, severity="LOW", description=""),
        partial(changes.make_list, other, ""),
        partial(changes.rename, another, other),
        lambda: documents.import_rules(documents.parse(text)),
    )
    if not alike:
        pytest.skip("PostgreSQL takes these for two names here")
    for step in steps:
        with pytest.raises((NameTaken, DocumentRefused), match=f"“{name}” already, which differs from"):
            step()


def test_names_of_one_file_that_postgresql_takes_for_one_are_told_by_their_lines() -> None:
    text = json.dumps({"rules": [{"name": name, **LARGE} for name in ("ΑΣ", "ασ")]}, indent=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT lower('ΑΣ') = lower('ασ')")
        (alike,) = cursor.fetchone()
    if not alike:
        pytest.skip("PostgreSQL takes these for two names here")
    with pytest.raises(DocumentRefused, match="stands there twice"):
        documents.import_rules(documents.parse(text))
    assert not Rule.objects.exists()


@pytest.mark.parametrize("unseen", ["\ufe0f", "\U000e0100", "\u034f", "\u180b", "\u3164", "\u2800", "\u200b"])
def test_a_name_has_no_character_that_shows_nothing(unseen: str) -> None:
    for name in (f"Watched{unseen}", f"Wat{unseen}ched", f"1{unseen}\u20e3"):
        with pytest.raises(ValueError, match="the name must"):
            texts.checked_name(name)


def test_a_name_is_one_however_its_letters_are_put_together() -> None:
    apart, whole = "Ca\u0301rd", "C\u00e1rd"
    assert texts.checked_name(apart) == texts.checked_name(whole) == whole
    text = json.dumps({"lists": [{"name": apart}], "rules": [{"name": apart, **narrowed_to(apart)}]})
    documents.import_rules(documents.parse(text))
    documents.import_rules(documents.parse(text.replace("a\\u0301", "\\u00e1")))
    assert (Rule.objects.get().name, UserList.objects.get().name) == (whole, whole)
    assert Rule.objects.get().versions.get().parameters["filter"] == {"in_list": whole}


def narrowed_to(users: str) -> dict[str, Any]:
    return {"kind": "amount", "parameters": {"amount": 5, "filter": {"in_list": users}}}


def test_names_of_before_are_put_together_by_the_migration() -> None:
    call_command("migrate", "rules", "0018", verbosity=0)
    Rule.objects.create(name="Ca\u0301rd")
    UserList.objects.create(name="Ca\u0301rd")
    other = UserList.objects.create(name="C\u00c1RD")
    try:
        with pytest.raises(CommandError, match="a list “Ca\u0301rd” twice"):
            call_command("migrate", "rules", verbosity=0)
    finally:
        other.delete()
        call_command("migrate", "rules", verbosity=0)
    assert [Rule.objects.get().name, UserList.objects.get().name] == ["C\u00e1rd"] * 2


def test_a_name_that_is_too_long_once_it_is_put_together_is_told_by_the_migration() -> None:
    call_command("migrate", "rules", "0019", verbosity=0)
    # One sign of Devanagari, which is kept as two.
    name = "\u0958" * 51
    UserList.objects.create(name="Ca\u0301rd")
    grows = UserList.objects.create(name=name)
    try:
        with pytest.raises(CommandError, match=f"The list “{name}” grows past 100 characters") as told:
            call_command("migrate", "rules", verbosity=0)
        assert UserList.objects.filter(name="Ca\u0301rd").exists()
        _, sql = str(told.value).split("names it: ")
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("<name>", name[:50]).replace("<id>", str(grows.pk)))
    finally:
        UserList.objects.filter(name=name).delete()
        call_command("migrate", "rules", verbosity=0)
    assert UserList.objects.get(pk=grows.pk).name == "\u0915\u093c" * 50
