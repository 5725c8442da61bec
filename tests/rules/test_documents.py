"""Files of rules: taken whole or not at all, with the line and the gap of each thing that is wrong."""

import json
import threading
from typing import Any

import jsonschema
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from transactions.rules import documents, lifecycle
from transactions.rules.documents import DocumentRefused
from transactions.rules.kinds.registry import KINDS
from transactions.rules.models import Rule, UserList, Version, VersionState
from transactions.rules.schema import schema

pytestmark = pytest.mark.django_db(transaction=True)

LARGE: dict[str, Any] = {"name": "Large", "kind": "amount", "parameters": {"amount": 5}}


def document(*rules: Any, **more: Any) -> str:
    return json.dumps({"rules": rules, **more}, indent=1)


def wrong_with(text: str) -> list[str]:
    with pytest.raises(DocumentRefused) as caught:
        documents.parse(text)
    return [str(problem) for problem in caught.value.problems]


def said(rule: dict[str, Any]) -> str:
    """What is wrong with one rule, without the line."""
    (problem,) = wrong_with(document(rule))
    return problem.partition(": ")[2]


def test_the_starter_rules_are_twelve_and_each_says_why_and_what_to_do() -> None:
    found = documents.parse(documents.STARTER.read_text())
    assert len(found.rules) == len({worded.kind.name for worded in found.rules}) == 12
    for worded in found.rules:
        assert worded.description is not None
        assert worded.description.count(". ") >= 1, worded.name
    imported = documents.import_rules(found)
    assert {version.state for version in imported.drafts} == {VersionState.DRAFT}
    assert Rule.objects.count() == 12
    for version in imported.drafts:
        lifecycle.activate(version, None)


def test_a_starter_rule_that_came_along_under_another_name_is_not_made_once_more() -> None:
    starter = documents.parse(documents.STARTER.read_text())
    documents.import_rules(starter)
    Rule.objects.filter(name="Small amounts that fail").update(name="Failures in a row")
    assert documents.import_rules(starter) == ([], [worded.name for worded in starter.rules])
    assert Rule.objects.count() == 12


def test_a_file_that_changes_nothing_takes_no_more_statements_the_longer_it_is() -> None:
    def statements(number: int) -> int:
        text = document(*({**LARGE, "name": f"Large {n}"} for n in range(number)))
        documents.import_rules(documents.parse(text))
        with CaptureQueriesContext(connection) as asked:
            assert len(documents.import_rules(documents.parse(text)).unchanged) == number
        return len(asked)

    assert statements(2) == statements(20)


def test_what_is_exported_is_taken_again_and_changes_nothing() -> None:
    documents.import_rules(documents.parse(documents.STARTER.read_text()))
    text = documents.export_rules(Rule.objects.all())
    jsonschema.validate(json.loads(text), schema())
    imported = documents.import_rules(documents.parse(text))
    assert (len(imported.drafts), len(imported.unchanged), Version.objects.count()) == (0, 12, 12)
    assert documents.export_rules(Rule.objects.all()) == text


def test_another_wording_is_another_draft_and_the_version_in_force_stays(people: list[User]) -> None:
    (first,) = documents.import_rules(documents.parse(document(LARGE)), people[0]).drafts
    lifecycle.activate(first, people[1])
    changed = {**LARGE, "severity": "LOW", "parameters": {"amount": 6}}
    (second,) = documents.import_rules(documents.parse(document(changed)), people[0]).drafts
    first.refresh_from_db()
    assert (first.state, second.state, second.number) == (VersionState.ACTIVE, VersionState.DRAFT, 2)
    assert (second.author, second.severity) == (people[0], "LOW")
    # In force is what is exported.
    (exported,) = json.loads(documents.export_rules(Rule.objects.all()))["rules"]
    assert (exported["parameters"], exported["severity"]) == ({"amount": 5}, "MEDIUM")


def test_another_severity_or_description_waits_for_approval_like_another_wording(people: list[User]) -> None:
    documents.import_rules(documents.parse(document(LARGE)), people[0])
    lifecycle.activate(Version.objects.get(), people[1])
    for change in ({"severity": "LOW"}, {"severity": "LOW", "description": "Call them."}):
        imported = documents.import_rules(documents.parse(document({**LARGE, **change})), people[0])
        assert (len(imported.drafts), imported.unchanged) == (1, [])
        assert documents.import_rules(documents.parse(document({**LARGE, **change}))).unchanged == ["Large"]
        rule = Rule.objects.get()
        assert (rule.severity, rule.description) == ("MEDIUM", "")
    lifecycle.activate(imported.drafts[0], people[1])
    rule.refresh_from_db()
    assert (rule.severity, rule.description) == ("LOW", "Call them.")


def test_lists_that_rules_name_are_made_empty() -> None:
    listed = {"name": "A", "kind": "listed", "parameters": {"list_name": "Watched"}}
    documents.import_rules(documents.parse(document(listed, lists=[{"name": "Watched"}])))
    assert UserList.objects.get().entries.count() == 0


def test_every_rule_that_is_wrong_is_told_with_its_line_and_its_gap() -> None:
    text = """{
  "rules": [
    {"name": "A", "kind": "amount", "parameters": {"amount": 5}},
    {"name": "B", "kind": "velocity_count",
     "parameters": {"count": 3, "window": "3h"}},
    {"name": "A", "kind": "amount", "parameters": {"amount": 5}},

    {"name": "C", "kind": "amount", "parameters": {"amount": 0}}
  ]
}"""
    assert wrong_with(text) == [
        "line 5: rule 2: parameters.window: the window must be one of 10m, 1h, 6h, 24h, 7d, 30d",
        "line 6: rule 3 “A”: the name stands there twice",
        "line 8: rule 4: parameters.amount: "
        "the amount must be a whole number from 1 to 9,223,372,036,854,775,807",
    ]


def test_all_that_is_wrong_with_a_rule_is_told_each_with_its_own_line() -> None:
    text = """{"lists": [{"name": "Watched"}, {"name": "Watched"}], "rules": [
 {"name": "Many",
  "severity": "HUGE",
  "kind": "velocity_count",
  "parameters": {
   "count": 0, "colour": 1,
   "window": "2h",
   "filter": {"amount_min": 1,
              "zone": "Mars"}}},
 {"name": "Many ",
  "colour": 1, "kind": "amount",
  "parameters": {}},
 {"kind": "listed", "parameters": {"list_name": "Watched", "filter": {
   "in_list": "A",
   "not_in_list": "B"}}}
]}"""
    assert wrong_with(text) == [
        "line 1: list 2: the list “Watched” stands there twice",
        "line 3: rule 1: the severity must be one of LOW, MEDIUM, HIGH, CRITICAL",
        "line 6: rule 1: parameters.colour: there is no such gap; known are filter, window, count",
        "line 6: rule 1: parameters.count: the number must be a whole number from 1 to 100,000",
        "line 7: rule 1: parameters.window: the window must be one of 10m, 1h, 6h, 24h, 7d, 30d",
        "line 9: rule 1: parameters.filter.zone: the timezone must be a timezone like UTC or Europe/Berlin",
        "line 10: rule 2 “Many”: the name stands there twice",
        "line 11: rule 2: there is no “colour”; known are description, kind, name, parameters, severity",
        "line 12: rule 2: parameters.amount: the amount is missing",
        "line 13: rule 3: “name” is missing",
        "line 14: rule 3: parameters.filter.in_list: the list “A” does not stand under “lists”",
        "line 15: rule 3: parameters.filter.not_in_list: the list “B” does not stand under “lists”",
    ]


def test_what_a_version_in_force_or_a_waiting_draft_says_is_no_other_draft(people: list[User]) -> None:
    (first,) = documents.import_rules(documents.parse(document(LARGE)), people[0]).drafts
    lifecycle.activate(first, people[1])
    other = document({**LARGE, "parameters": {"amount": 6}})
    documents.import_rules(documents.parse(other), people[0])
    # Neither what is in force, and was exported, nor what waits beside it.
    for text in (documents.export_rules(Rule.objects.all()), document(LARGE), other):
        assert documents.import_rules(documents.parse(text), people[0]) == ([], ["Large"])
    # A wording that somebody has ended is one to go back to.
    lifecycle.activate(Version.objects.get(number=2), people[1])
    assert len(documents.import_rules(documents.parse(document(LARGE)), people[0]).drafts) == 1


def test_what_a_file_does_not_tell_stays_as_it_is(people: list[User]) -> None:
    told = {**LARGE, "severity": "HIGH", "description": "Call them."}
    documents.import_rules(documents.parse(document(told)), people[0])
    assert documents.import_rules(documents.parse(document(LARGE)), people[0]).unchanged == ["Large"]
    changed = document({**LARGE, "parameters": {"amount": 6}})
    (second,) = documents.import_rules(documents.parse(changed), people[0]).drafts
    assert (second.severity, second.description) == ("HIGH", "Call them.")


def test_what_is_retired_altogether_is_exported_by_its_name_alone(people: list[User]) -> None:
    names = ("In force", "Waiting", "Retired")
    documents.import_rules(documents.parse(document(*({**LARGE, "name": name} for name in names))), people[0])
    lifecycle.activate(Version.objects.get(rule__name="In force"), people[1])
    lifecycle.retire(Version.objects.get(rule__name="Retired"))

    def exported(**more: bool) -> list[str]:
        rules = json.loads(documents.export_rules(Rule.objects.all(), **more))["rules"]
        return [rule["name"] for rule in rules]

    assert exported() == ["In force", "Waiting"]
    assert exported(waiting=False) == ["In force"]
    assert exported(retired=True) == ["In force", "Retired", "Waiting"]


def test_with_four_eyes_a_draft_that_nobody_wrote_does_not_stand_in_the_way(
    people: list[User], settings: Settings
) -> None:
    documents.import_rules(documents.parse(document(LARGE)))
    settings.FOUR_EYES = True
    with pytest.raises(lifecycle.AuthorUnknown):
        documents.import_rules(documents.parse(document(LARGE, {**LARGE, "name": "Larger"})))
    assert Rule.objects.count() == 1
    (draft,) = documents.import_rules(documents.parse(document(LARGE)), people[0]).drafts
    lifecycle.activate(draft, people[1])
    assert (draft.author, draft.state) == (people[0], VersionState.ACTIVE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "magic"}, "kind: the kind must be one of amount, "),
        ({"kind": ["amount"]}, "kind: the kind must be one of amount, "),
        ({"parameters": {}}, "parameters.amount: the amount is missing"),
        ({"parameters": []}, "parameters: the parameters must be an object"),
        ({"parameters": {"amount": 10**30}}, "parameters.amount: the amount must be a whole number from"),
        ({"parameters": {"amount": True}}, "parameters.amount: the amount must be a whole number from"),
        ({"parameters": {"amount": 5, "colour": 1}}, "parameters.colour: there is no such gap"),
        ({"parameters": {"amount": 5, "filter": 7}}, "parameters.filter: the filter must be an object"),
        (
            {"parameters": {"amount": 5, "filter": {"hours": "8-18", "zone": "Mars/Base"}}},
            "parameters.filter.zone: the timezone must be a timezone like UTC",
        ),
        (
            {"parameters": {"amount": 5, "filter": {"statuses": ["PENDING"]}}},
            "parameters.filter.statuses: the statuses may not name PENDING, which changes",
        ),
        (
            {"kind": "listed", "parameters": {"list_name": "Nobody"}},
            "parameters.list_name: the list “Nobody” does not stand under “lists”",
        ),
        ({"severity": "URGENT"}, "the severity must be one of LOW, MEDIUM, HIGH, CRITICAL"),
        ({"severity": None}, "the severity must be one of LOW, MEDIUM, HIGH, CRITICAL"),
        ({"name": ""}, "the name is empty: it has 1 to 100 characters"),
        ({"name": " "}, "the name is empty"),
        ({"name": "a\nb"}, "the name must be a printable text"),
        ({"name": "x" * 101}, "the name must be a printable text"),
        ({"description": "\x00"}, "the description must be a text"),
        ({"description": "\ud800"}, "the description must be a text"),
        ({"colour": 1}, "there is no “colour”"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(changes: dict[str, Any], reason: str) -> None:
    told = said({**LARGE, **changes})
    assert told.startswith(f"rule 1: {reason}"), told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: this is not JSON"),
        ('{"rules": [\n{"name": }]}', "line 2: this is not JSON"),
        ("[]", "line 1: a document of rules is an object"),
        ("{}", "line 1: “rules” must be an array"),
        ('{"rules": {}}', "line 1: “rules” must be an array"),
        ('{"rules": [], "rules": []}', "line 1: “rules” stands twice in one object"),
        ('{"rules": [NaN]}', "line 1: NaN is no number"),
        ('{"rules": [7]}', "line 1: rule 1: it must be an object"),
        ('{"rules": [{}]}', "line 1: rule 1: “kind” is missing"),
        ('{"rules": [], "more": 1}', "line 1: there is no “more”"),
        ('{"rules": [], "lists": [{"name": 7}]}', "line 1: list 1: the name must be"),
        ("[" * 100_000, "line 1: it is nested too deep"),
        ('{"rules": [' + "9" * 5_000 + "]}", "line 1: rule 1: it must be an object"),
        (
            json.dumps({"rules": [LARGE]}).replace(": 5}", ": " + "9" * 5_000 + "}"),
            "line 1: rule 1: parameters.amount: the amount must be a whole number from 1 to ",
        ),
        (
            f'{{"rules": [\n{json.dumps(LARGE)},'
            '\n{"name": "B", "parameters": {"filter": {"zone": 1, "zone": 2}}}]}',
            "line 3: rule 2: “zone” stands twice in one object",
        ),
        (
            '{"rules": [],\n"lists": [{"name": "A", "name": "B"}]}',
            "line 2: list 1: “name” stands twice in one object",
        ),
        ('{"rules": [' + "0," * 400_000 + "0]}", "line 1: “rules” must be an array of at most 1000"),
        ('{"rules": []}' + " " * 1_000_000, "line 1: a document has at most"),
    ],
)
def test_what_is_no_document_is_told(text: str, reason: str) -> None:
    (told,) = wrong_with(text)
    assert told.startswith(reason), told


def test_the_schema_knows_every_kind_and_takes_what_is_taken() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    shapes = schema()["properties"]["rules"]["items"]["oneOf"]
    assert {shape["properties"]["kind"]["const"] for shape in shapes} == set(KINDS)
    jsonschema.validate(json.loads(documents.STARTER.read_text()), schema())
    changes: list[dict[str, Any]] = [
        {"parameters": {}},
        {"kind": "magic"},
        {"severity": "URGENT"},
        {"colour": 1},
    ]
    for wrong in changes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"rules": [{**LARGE, **wrong}]}, schema())


def test_names_have_no_space_around_them() -> None:
    spaced = document({**LARGE, "name": " Large  "}, lists=[{"name": "Watched "}])
    documents.import_rules(documents.parse(spaced))
    assert list(Rule.objects.values_list("name", flat=True)) == ["Large"]
    assert list(UserList.objects.values_list("name", flat=True)) == ["Watched"]


def test_files_that_name_the_same_in_another_order_are_taken_at_the_same_time() -> None:
    """Each waited for what the other had made: PostgreSQL ended one of them."""
    rules = [{**LARGE, "name": f"Rule {n}"} for n in range(100)]
    lists = [{"name": f"List {n}"} for n in range(100)]
    failed: list[BaseException] = []
    together = threading.Barrier(2)

    def take(text: str) -> None:
        try:
            together.wait()
            documents.import_rules(documents.parse(text))
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    texts = [document(*rules, lists=lists), document(*rules[::-1], lists=lists[::-1])]
    threads = [threading.Thread(target=take, args=[text]) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (Rule.objects.count(), UserList.objects.count(), Version.objects.count()) == (100, 100, 100)
