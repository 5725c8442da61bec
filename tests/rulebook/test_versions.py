"""Rules through the API: made, changed, approved by somebody else, ended."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.rulebook.conftest import Caller
from tests.support.accepting import record, take
from tests.support.at_once import ask_all, request
from tests.support.rules import rule_in_force
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.alerts.models import Alert
from transactions.openapi.rule_shapes import A_HIT
from transactions.rulebook import pages
from transactions.rules import activity, lifecycle
from transactions.rules.evidence import explained
from transactions.rules.locks import RULES_LOCK
from transactions.rules.models import Hit, Rule, Version, VersionState
from transactions.stores import bounded_queries
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

LARGE: dict[str, Any] = {"name": "Large", "kind": "amount", "parameters": {"amount": 1000}}


def minute(days_back: int = 0) -> str:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return (now - timedelta(days=days_back)).isoformat()


def test_a_rule_is_written_by_one_and_approved_by_another(ann: Caller, bob: Caller) -> None:
    made = ann.post("", {**LARGE, "severity": "HIGH", "description": "Call <b>them</b>."}, 201)
    assert {name: made[name] for name in ("name", "severity", "description", "state", "version")} == {
        "name": "Large",
        "severity": "HIGH",
        "description": "Call <b>them</b>.",
        "state": "DRAFT",
        "version": 1,
    }
    (draft,) = made["versions"]
    assert (draft["author"], draft["approver"], draft["sentence"]) == (
        "api-ann",
        None,
        "The amount is at least 1,000.",
    )
    path = f"{made['id']}/versions/1"
    assert ann.post(f"{path}/submit/")["state"] == "SUBMITTED"
    approved = bob.post(f"{path}/approve/")
    assert (approved["state"], approved["approver"]) == ("ACTIVE", "api-bob")
    assert approved == bob.get(f"{path}/")
    assert ann.get(f"{made['id']}/")["versions"] == [approved]
    assert bob.post(f"{path}/retire")["state"] == "RETIRED"


def test_nobody_approves_their_own_through_the_api_either(bob: Caller, ann: Caller) -> None:
    made = bob.post("", LARGE, 201)
    path = f"{made['id']}/versions/1"
    bob.post(f"{path}/submit/")
    told = bob.post(f"{path}/approve/", {}, 403)
    assert told == {
        "detail": "Whoever approves a version is not its author (FOUR_EYES), and both must be known."
    }
    assert Version.objects.get().state == VersionState.SUBMITTED
    # And the author of another version has no right to approve at all.
    assert ann.call("post", f"{path}/approve/").status_code == 403


def test_with_four_eyes_nobody_who_is_unknown_writes(ann: Caller, settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = True
    nobody = ann._replace(api=APIClient())
    rule = Rule.objects.get(pk=ann.post("", {**LARGE, "name": "Larger"}, 201)["id"])
    file = {"rules": [{**LARGE, "name": "From a file"}]}
    for path, said in (
        ("", LARGE),
        (f"{rule.pk}/versions/", {"parameters": {"amount": 5}}),
        ("import/", file),
    ):
        assert "the author must be known" in nobody.post(path, said, 403)["detail"]
    assert (Rule.objects.count(), Version.objects.count()) == (1, 1)


def test_a_version_approved_twice_at_once_is_approved_once(open_url: str, ann: Caller) -> None:
    """Both wait for the same lock, on a connection each, and go on together."""
    rule = Rule.objects.create(name="Large")
    lifecycle.submit(lifecycle.draft(rule, "amount", {"amount": 5}, ann.user))
    path = f"/api/rules/{rule.pk}/versions/1/approve/"
    tokens = [create(name, rights=frozenset({Right.APPROVE_RULES}))[0] for name in ("bob", "carol")]
    approvals = [
        request(path, body=b"{}", kind="application/json", Authorization=f"Bearer {token}")
        for token in tokens
    ]
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s"

    async def both() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [RULES_LOCK])
            try:
                asked = asyncio.create_task(ask_all(open_url, *approvals))
                for _ in range(1_200):
                    await asyncio.sleep(0.05)
                    cursor.execute(waiting, [RULES_LOCK])
                    if cursor.fetchone() == (2,):
                        break
                else:
                    raise AssertionError("they do not wait")
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [RULES_LOCK])
        return await asked

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        answers = asyncio.run(both())
    assert sorted(answer.status for answer in answers) == [200, 409]
    (refused,) = (json.loads(answer.body) for answer in answers if answer.status == 409)
    assert refused == {"detail": "The version is active."}
    assert Version.objects.get().state == VersionState.ACTIVE


def test_a_step_that_cannot_be_taken_is_a_conflict_and_changes_nothing(ann: Caller, bob: Caller) -> None:
    path = f"{ann.post('', LARGE, 201)['id']}/versions/1"
    assert bob.post(f"{path}/approve/", {}, 409) == {"detail": "The version is draft."}
    ann.post(f"{path}/submit/")
    assert ann.post(f"{path}/submit/", {}, 409) == {"detail": "The version is submitted."}
    bob.post(f"{path}/retire/")
    assert bob.post(f"{path}/retire/", {}, 409) == {"detail": "The version is retired."}


def test_an_author_withdraws_what_nobody_has_approved_and_nothing_else(ann: Caller, bob: Caller) -> None:
    path = f"{ann.post('', LARGE, 201)['id']}/versions"
    assert ann.post(f"{path}/1/retire/")["state"] == "RETIRED"
    for number in (2, 3):
        ann.post(f"{path}/", {"parameters": {"amount": number}}, 201)
        ann.post(f"{path}/{number}/submit/")
    assert ann.post(f"{path}/2/retire/")["state"] == "RETIRED"
    bob.post(f"{path}/3/approve/")
    ann.post(f"{path}/3/retire/", {}, 403)
    made = bob.post("", {**LARGE, "name": "Of another"}, 201)
    ann.post(f"{made['id']}/versions/1/retire/", {}, 403)
    version = Version.objects.get(number=3, rule__name="Large")
    with pytest.raises(lifecycle.StepRefused, match="is active"):
        lifecycle.withdraw(version)


def test_the_past_days_are_judged_too_where_the_approver_says_so(
    ann: Caller, bob: Caller, people: list[User]
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    take(record("T1", people[0], 5_000, created_at=yesterday))
    flush()
    path = f"{ann.post('', LARGE, 201)['id']}/versions/1"
    ann.post(f"{path}/submit/")
    approval = {"state": "SHADOW", "effective_from": minute(2)}
    assert bob.post(f"{path}/approve/", approval)["state"] == "SHADOW"
    flush()
    assert list(Hit.objects.values_list("transaction_id")) == [("T1",)]
    # In shadow there are no alerts; and the beginning stays when it becomes active.
    assert not Alert.objects.exists()
    assert "effective_from" in bob.post(f"{path}/approve/", {"effective_from": minute(1)}, 400)
    assert bob.post(f"{path}/approve/")["state"] == "ACTIVE"


def test_another_draft_says_what_an_earlier_one_said_but_for_what_is_given(ann: Caller, bob: Caller) -> None:
    rule = ann.post("", {**LARGE, "severity": "LOW"}, 201)["id"]
    second = ann.post(f"{rule}/versions/", {"parameters": {"amount": 7}, "severity": "HIGH"}, 201)
    assert (second["number"], second["kind"], second["severity"]) == (2, "amount", "HIGH")
    back = ann.post(f"{rule}/versions", {"from_version": 1}, 201)
    assert (back["number"], back["parameters"], back["severity"]) == (3, {"amount": 1000}, "LOW")
    other = {"kind": "round_amount", "parameters": {"multiple": 500, "least": 1000}}
    assert ann.post(f"{rule}/versions/", other, 201)["kind"] == "round_amount"
    # What is in force is what the rule says, whatever drafts there are.
    for step, who in (("submit", ann), ("approve", bob)):
        who.post(f"{rule}/versions/2/{step}/")
    told = ann.get(f"{rule}/")
    assert (told["version"], told["state"], told["severity"]) == (2, "ACTIVE", "HIGH")
    assert [version["number"] for version in told["versions"]] == [4, 3, 2, 1]


def test_a_rule_is_renamed_and_nothing_else_of_it_is_changed_past_approval(ann: Caller) -> None:
    rule = ann.post("", LARGE, 201)["id"]
    ann.post("", {**LARGE, "name": "Other"}, 201)
    assert ann.told("patch", f"{rule}/", {"name": "Very large"}, 200)["name"] == "Very large"
    taken = ann.told("patch", f"{rule}/", {"name": "Other"}, 409)
    assert taken == {"name": ["there is a rule “Other” already"]}
    told = ann.told("patch", f"{rule}/", {"severity": "LOW", "description": "x"}, 400)
    approved = ["This belongs to a version, which is approved: POST another one to versions/."]
    assert told == {"severity": approved, "description": approved}
    assert ann.told("patch", f"{rule}/", {}, 400) == {"name": ["This field is required."]}


def test_where_hits_take_too_long_to_count_rules_are_shown_without(
    ann: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = ann.post("", LARGE, 201)["id"]
    monkeypatch.setattr(bounded_queries, "STATEMENT_MS_MAX", 500)
    monkeypatch.setattr(activity, "COUNT_HITS", "SELECT pg_sleep(30), %(versions)s")
    for shown in (ann.get(f"{rule}/"), *ann.get("")["results"]):
        assert (shown["name"], shown["hits_7_days"], shown["hits_30_days"]) == ("Large", None, None)


# --- Lists of rules ----------------------------------------------------------------------------


def test_rules_are_listed_page_by_page_and_by_what_they_are(ann: Caller, bob: Caller) -> None:
    names = [f"Rule {number}" for number in range(5)]
    rules = [ann.post("", {**LARGE, "name": name}, 201)["id"] for name in names]
    ann.post(f"{rules[3]}/versions/1/submit/")
    ann.post("", {"name": "Round", "kind": "round_amount", "parameters": {"multiple": 5, "least": 5}}, 201)
    page, seen = ann.get("?limit=2"), []
    while True:
        seen += [rule["name"] for rule in page["results"]]
        if page["next"] is None:
            break
        page = ann.api.get(page["next"]).json()
    assert seen == [*names, "Round"]
    for query, found in (
        ("state=SUBMITTED", ["Rule 3"]),
        ("kind=round_amount", ["Round"]),
        ("name=Rule 1", ["Rule 1"]),
        ("severity=CRITICAL", []),
    ):
        assert [rule["name"] for rule in ann.get(f"?{query}")["results"]] == found, query
    (waiting,) = ann.get("?state=SUBMITTED")["results"]
    assert waiting["submitted"] == 1


def test_rules_are_of_the_state_and_kind_of_the_version_that_stands_for_them(
    ann: Caller, bob: Caller
) -> None:
    rule = ann.post("", LARGE, 201)["id"]
    for path in ("submit", "approve"):
        bob.post(f"{rule}/versions/1/{path}/")
    other = {"kind": "round_amount", "parameters": {"multiple": 5, "least": 5}}
    ann.post(f"{rule}/versions/", other, 201)
    found = {
        query: [each["state"] for each in ann.get(f"?{query}")["results"]]
        for query in ("state=ACTIVE", "kind=amount", "state=DRAFT", "kind=round_amount")
    }
    assert found == {
        "state=ACTIVE": ["ACTIVE"],
        "kind=amount": ["ACTIVE"],
        "state=DRAFT": [],
        "kind=round_amount": [],
    }


def test_a_thousand_rules_are_listed_by_two_queries(ann: Caller) -> None:
    made = Rule.objects.bulk_create(Rule(name=f"Rule {number}") for number in range(1_000))
    Version.objects.bulk_create(
        Version(rule=rule, number=number, kind="amount", parameters={"amount": 5}, author=ann.user)
        for rule in made
        for number in (1, 2)
    )
    ann.get("")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(ann.get("?limit=1000")["results"]) == 1_000
    asked = [
        query["sql"] for query in queries if "rules_rule" in query["sql"] or "rules_version" in query["sql"]
    ]
    # And one that counts their hits.
    assert ["rules_hit" in sql for sql in asked].count(False) == 2


# --- Hits --------------------------------------------------------------------------------------


@pytest.fixture
def found(people: list[User], settings: Any) -> Version:
    """A rule that has hit nine transactions, of three users."""
    settings.FOUR_EYES = False
    version = rule_in_force("amount", amount=1)
    take(*(record(f"T{number}", people[number % 3], number) for number in range(1, 10)))
    flush()
    return version


def test_hits_are_shown_page_by_page_the_latest_first_each_once(
    ann: Caller, found: Version, people: list[User]
) -> None:
    path = f"{found.rule_id}/hits/"
    page, seen = ann.get(f"{path}?limit=4"), []
    while True:
        seen += [hit["id"] for hit in page["results"]]
        if page["next"] is None:
            break
        page = ann.api.get(page["next"]).json()
    assert seen == list(Hit.objects.order_by("-pk").values_list("pk", flat=True))
    hit = ann.get(f"{path}?limit=1")["results"][0]
    kept = Hit.objects.get(pk=hit["id"])
    assert hit | {"happened_at": None, "raised_at": None} == {
        "id": kept.pk,
        "version": 1,
        "transaction": kept.transaction,
        "transaction_id": kept.transaction_id,
        "user": kept.user,
        "amount": kept.amount,
        "status": kept.status,
        "happened_at": None,
        "figures": kept.figures,
        "explanation": f"{kept.amount}, and the limit is 1",
        "raised_at": None,
        "alert": kept.alert_id,
        "suppressed": None,
    }
    assert len(ann.get(f"{path}?user={people[0].pk}")["results"]) == 3
    assert len(ann.get(f"{path}?version=1")["results"]) == 9
    (rule,) = ann.get("")["results"]
    assert (rule["hits_7_days"], rule["hits_30_days"]) == (9, 9)
    Hit.objects.update(raised_at=datetime.now(UTC) - timedelta(days=8))
    (rule,) = ann.get("")["results"]
    assert (rule["hits_7_days"], rule["hits_30_days"]) == (0, 9)


# --- Files -------------------------------------------------------------------------------------


def test_a_hit_is_shown_as_the_schemas_example(ann: Caller, found: Version) -> None:
    shown = ann.get(f"{found.rule_id}/hits/?limit=1")["results"][0]
    assert list(shown) == list(A_HIT)
    assert shown["figures"] == {"amount": shown["amount"]}
    figures: Any = A_HIT["figures"]
    assert set(shown["figures"]) == set(figures)


def test_a_hit_says_why_in_the_words_of_the_pages(ann: Caller, people: list[User], settings: Any) -> None:
    settings.FOUR_EYES = False
    version = rule_in_force("velocity_count", count=2, window="1h")
    take(*(record(f"T{number}", people[0], 5) for number in (1, 2)))
    flush()
    (hit,) = ann.get(f"{version.rule_id}/hits/")["results"]
    assert hit["explanation"] == explained(Hit.objects.get()) == "2 transactions within 1 hour"


def test_a_hit_whose_sentence_says_all_has_no_explanation(ann: Caller, found: Version) -> None:
    Hit.objects.update(figures={})
    hits = ann.get(f"{found.rule_id}/hits/")["results"]
    assert {hit["explanation"] for hit in hits} == {None}


@pytest.mark.parametrize("number", [2, 3, 99])
def test_hits_of_a_version_that_there_is_not_are_refused_and_of_a_draft_there_are_none(
    ann: Caller, found: Version, number: int
) -> None:
    lifecycle.draft(found.rule, "amount", {"amount": 5})
    path = f"{found.rule_id}/hits/?version={number}"
    if number == 2:
        assert ann.get(path)["results"] == []
    else:
        assert ann.get(path, 400) == {"version": ["There is no such version of this rule."]}


def test_few_hits_of_a_user_are_found_among_many_of_others(found: Version, people: list[User]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO rules_hit (version_id, transaction, "user", happened_at, figures)
               SELECT %s, 1000000000 + n, %s, now(), '{}' FROM generate_series(1, 20000) n""",
            [found.pk, people[0].pk],
        )
        cursor.execute("ANALYZE rules_hit")
        asked: dict[str, Any] = {"versions": [found.pk], "rows": 101, "user": people[1].pk}
        cursor.execute("EXPLAIN " + pages.SELECT_HITS.format(conditions='h."user" = %(user)s'), asked)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "hit_by_user" in plan, plan


def test_what_is_exported_is_imported_again_and_changes_nothing(ann: Caller) -> None:
    ann.post("", LARGE, 201)
    answer = ann.call("get", "export/")
    assert answer["Content-Type"] == "application/json"
    assert ann.post("import/", answer.json()) == {"drafts": [], "unchanged": ["Large"]}
    changed = answer.json()
    changed["rules"][0]["severity"] = "CRITICAL"
    rule = Rule.objects.get()
    assert ann.post("import/", changed)["drafts"] == [{"id": rule.pk, "name": "Large", "version": 2}]
    assert (Version.objects.get(number=2).author, rule.severity) == (ann.user, "MEDIUM")
    assert ann.get("export/?name=None")["rules"] == []


def test_the_schema_is_published(ann: Caller) -> None:
    assert ann.get("schema/")["required"] == ["rules"]
