"""The API of backtests: asked for, watched, cancelled; what makes no sense is told by its field."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from tests.support.outages import redis_away
from tests.support.rows import row, store
from tests.support.rules import rule_in_force
from transactions.access import tokens
from transactions.access.rights import Right
from transactions.rules import backtest_runs, lifecycle
from transactions.rules.models import Backtest, Version

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
RANGE = {"from": "2026-01-30T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


@pytest.fixture
def version() -> Version:
    return rule_in_force("amount", name="Large", amount=5)


def path(version: Version, more: str = "") -> str:
    return f"/api/rules/{version.rule_id}/backtests/{more}"


def post(api: APIClient, where: str, **body: Any) -> Any:
    return api.post(where, body, format="json")


def test_one_is_asked_for_watched_and_read(api: APIClient, version: Version, people: list[User]) -> None:
    store(row(people[0], NOON, 7), row(people[0], NOON, 6), row(people[1], NOON, 4))
    draft = lifecycle.draft(version.rule, "amount", {"amount": 7})
    answer = post(api, path(version), version=draft.number, **RANGE)
    assert answer.status_code == 202
    queued = answer.json()
    assert answer["Location"].endswith(path(version, f"{queued['id']}/"))
    assert (queued["state"], queued["progress"], queued["result"]) == ("QUEUED", 0, None)
    assert (queued["version"], queued["beside"], queued["from"]) == (2, 1, "2026-01-30T00:00:00Z")
    assert queued["sentence"] == "The amount is at least 7."
    backtest_runs.run_next()
    done = api.get(answer["Location"]).json()
    assert (done["state"], done["progress"], done["error"]) == ("DONE", 1, None)
    assert (done["result"]["hits"], done["result"]["users"], done["result"]["episodes"]) == (1, 1, 1)
    amounts = {"total": 7, "succeeded": 7, "failed": 0, "pending": 0, "least": 7, "most": 7}
    assert done["result"]["amounts"] == amounts
    assert done["result"]["days"] == [
        {"day": "2026-01-30", "hits": 0, "episodes": 0},
        {"day": "2026-01-31", "hits": 1, "episodes": 1},
    ]
    assert done["result"]["beside"] == {"hits": 2, "episodes": 1, "both": 1, "only_this": 0, "only_other": 1}
    (listed,) = api.get(path(version)).json()["results"]
    assert "result" not in listed
    assert {**listed, "result": done["result"]} == done


def test_its_days_are_those_of_the_timezone_that_is_asked_for(
    api: APIClient, version: Version, people: list[User]
) -> None:
    store(row(people[0], datetime(2026, 1, 30, 20, tzinfo=UTC), 7))
    range_of = {"from": "2026-01-30T15:00:00Z", "to": "2026-02-01T15:00:00Z"}
    asked = post(api, path(version), timezone="Asia/Tokyo", **range_of)
    assert asked.json()["timezone"] == "Asia/Tokyo"
    assert post(api, path(version), **range_of).json()["timezone"] == "UTC"
    backtest_runs.run_next()
    backtest_runs.run_next()
    of_tokyo, of_utc = (each.result for each in Backtest.objects.order_by("pk"))
    assert of_tokyo is not None
    assert of_utc is not None
    assert {each["day"]: each["hits"] for each in of_tokyo["days"]} == {"2026-01-31": 1, "2026-02-01": 0}
    assert [each["hits"] for each in of_utc["days"]] == [1, 0, 0]


def test_a_hit_of_the_sample_says_why_it_is_one(api: APIClient, people: list[User]) -> None:
    store(*(row(people[0], NOON + timedelta(minutes=n)) for n in range(3)))
    version = rule_in_force("velocity_count", count=3, window="1h")
    post(api, path(version), **RANGE)
    backtest_runs.run_next()
    (run,) = Backtest.objects.all()
    assert run.result is not None
    (hit,) = run.result["sample"]
    assert (hit["figures"], hit["explanation"]) == ({"count": 3}, "3 transactions within 1 hour")
    assert hit["happened_at"] == "2026-01-31T12:02:00+00:00"
    assert hit["transaction_id"]


def test_without_more_it_is_the_newest_version_of_thirty_days(api: APIClient, version: Version) -> None:
    lifecycle.draft(version.rule, "amount", {"amount": 7})
    assert post(api, path(version)).json()["version"] == 2
    run = Backtest.objects.get()
    assert run.end - run.begin == timedelta(days=30)


def test_a_wording_that_is_in_no_version_is_tested_too(api: APIClient, version: Version) -> None:
    found = post(api, path(version), parameters={"amount": 9}).json()
    assert (found["version"], found["kind"], found["parameters"]) == (None, "amount", {"amount": 9})
    found = post(api, path(version), kind="listed", parameters={"list_name": "None"})
    assert found.json() == {"parameters.list_name": ["there is no list “None”"]}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"version": 2}, {"version": ["There is no such version of this rule."]}),
        ({"version": 10**30}, {"version": ["Ensure this value is less than or equal to 2147483647."]}),
        ({"version": 1, "parameters": {}}, {"parameters": ["Give this, or `version`."]}),
        ({"kind": "amount"}, {"parameters": ["Give the parameters of the kind too."]}),
        ({"kind": "magic", "parameters": {}}, {"kind": None}),
        ({"kind": [], "parameters": {}}, {"kind": None}),
        ({"parameters": {"amount": 0}}, {"parameters.amount": None}),
        ({"parameters": []}, {"parameters": ["the parameters must be an object"]}),
        ({"from": "2026-01-31"}, {"from": None}),
        ({"from": "2026-01-31T12:00"}, {"from": None}),
        ({"from": "2026-01-31T12:00Z", "to": "2026-01-31T12:00Z"}, {"from": None}),
        ({"from": "9999-12-31T23:59:59Z"}, {"from": None}),
        ({"from": "0001-01-01T00:00:00Z"}, {"from": None}),
        ({"to": "0001-01-01T00:00:00Z"}, {"from": None}),
        ({"until": "2026-01-31T12:00Z"}, {"until": None}),
        ({"timezone": "Berlin"}, {"timezone": None}),
        ({"timezone": 1}, {"timezone": None}),
        ({"timezone": None}, {"timezone": ["This field may not be null."]}),
    ],
)
def test_what_makes_no_sense_is_told_by_its_field(
    api: APIClient, version: Version, body: dict[str, Any], told: dict[str, Any]
) -> None:
    answer = post(api, path(version), **body)
    assert answer.status_code == 400
    assert answer.json().keys() == told.keys()
    assert {name: said for name, said in answer.json().items() if told[name] is not None} == {
        name: said for name, said in told.items() if said is not None
    }
    assert not Backtest.objects.exists()


def test_of_another_rule_there_is_none(api: APIClient, version: Version) -> None:
    run = post(api, path(version)).json()["id"]
    other = rule_in_force("amount", amount=3)
    assert api.get(path(version, f"{run}/")).status_code == 200
    assert api.get(path(other, f"{run}/")).status_code == 404
    assert post(api, path(other, f"{run}/cancel/")).status_code == 404
    assert api.get(f"/api/rules/{10**17}/backtests/").status_code == 404
    assert post(api, f"/api/rules/{10**17}/backtests/").status_code == 404


def test_too_many_are_a_conflict(api: APIClient, version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_runs, "UNFINISHED_OF_RULE_MAX", 1)
    assert post(api, path(version)).status_code == 202
    answer = post(api, path(version))
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("1 backtests of this rule wait or run: cancel one")


def test_one_is_cancelled_and_what_has_ended_is_not(api: APIClient, version: Version) -> None:
    runs = [post(api, path(version)).json()["id"] for _ in range(2)]
    for _ in range(2):
        answer = post(api, path(version, f"{runs[0]}/cancel/"))
        assert (answer.status_code, answer.json()["state"]) == (200, "CANCELLED")
    backtest_runs.run_next()
    answer = post(api, path(version, f"{runs[1]}/cancel/"))
    assert (answer.status_code, answer.json()) == (
        409,
        {"detail": "The backtest has ended: it is done."},
    )


def test_while_redis_is_away_it_waits_for_the_next_tick(api: APIClient, version: Version) -> None:
    with redis_away():
        assert post(api, path(version)).status_code == 202
    assert backtest_runs.look_after()


def test_who_sees_rules_sees_them_and_who_changes_rules_asks_for_them(
    api: APIClient, version: Version
) -> None:
    for right, allowed in ((Right.VIEW_RULES, (200, 403)), (Right.CHANGE_RULES, (403, 202))):
        token, _ = tokens.create(f"of {right}", rights=frozenset({right}))
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        assert (api.get(path(version)).status_code, post(api, path(version)).status_code) == allowed


def test_it_says_who_asked(api: APIClient, version: Version) -> None:
    ann = User.objects.create_user("ann", is_staff=True)
    ann.user_permissions.add(Permission.objects.get(codename="change_rule"))
    api.force_login(ann)
    assert post(api, path(version)).json()["asked_by"] == "ann"


def test_what_the_schema_says_is_so(api: APIClient, version: Version, people: list[User]) -> None:
    store(row(people[0], NOON, 7))
    document = api.get("/api/schema/").json()

    def checked(answer: Any, method: str, more: str = "") -> None:
        said = document["paths"][f"/api/rules/{{id}}/backtests/{more}"][method]["responses"]
        schema = said[str(answer.status_code)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())

    said = document["paths"]["/api/rules/{id}/backtests/"]["post"]["requestBody"]["content"]
    for example in said["application/json"]["examples"].values():
        checked(post(api, path(version), **example["value"]), "post")
    post(api, path(version), **RANGE)
    for run in list(Backtest.objects.order_by("id")):
        checked(api.get(path(version, f"{run.pk}/")), "get", "{backtest}/")
        backtest_runs.run_next()
        checked(api.get(path(version, f"{run.pk}/")), "get", "{backtest}/")
    assert run.pk == max(Backtest.objects.filter(state="DONE").values_list("pk", flat=True))
    checked(api.get(path(version)), "get")
    checked(post(api, path(version, f"{run.pk}/cancel/")), "post", "{backtest}/cancel/")
