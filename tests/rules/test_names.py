"""Names that differ in upper and lower case alone are one name, however they come in."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests.support.rules import rule_in_force
from transactions.rules import changes, documents
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
    with pytest.raises(DocumentRefused, match="the list “watched” stands there twice"):
        documents.parse('{"lists": [{"name": "Watched"}, {"name": "watched"}], "rules": []}')


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
