"""The OpenAPI schema says what there is, and the page that shows it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.serving import ROOT
from transactions import urls
from transactions.openapi import backtests, rule_shapes
from transactions.reading import averages, listing
from transactions.review import parameters as of_review
from transactions.review import steps
from transactions.review.bodies import Bulk
from transactions.rulebook import bodies
from transactions.rulebook import parameters as asked
from transactions.rulebook.backtests import NewBacktest
from transactions.rules.kinds.registry import read
from transactions.serializers import RecordSerializer
from transactions.webhooks import bodies as webhook_bodies
from transactions.webhooks import parameters as webhook_parameters

pytestmark = pytest.mark.django_db(transaction=True)

Schema = dict[str, Any]


@pytest.fixture
def document(api: APIClient) -> Schema:
    answer = api.get("/api/schema/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    found: Schema = answer.json()
    return found


def calls(document: Schema) -> Iterator[tuple[str, Schema]]:
    """Each call as ("POST /api/add-transaction/", what is said of it)."""
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield f"{method.upper()} {path}", call


def resolved(document: Schema, piece: Schema) -> Schema:
    """The component that `piece` refers to, or itself."""
    if "$ref" not in piece:
        return piece
    _, _, kind, name = piece["$ref"].split("/")
    found: Schema = document["components"][kind][name]
    return found


def test_it_is_openapi_3_1_and_nothing_is_guessed(document: Schema) -> None:
    assert document["openapi"].startswith("3.1.")
    validate_schema(document)
    assert not GENERATOR_STATS


def test_it_has_every_path_of_the_api_with_its_methods(document: Schema) -> None:
    served = set()
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = "/api/" + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(pattern.pattern)).strip("^?$")
        view = pattern.callback.view_class  # type: ignore[attr-defined]
        served |= {
            f"{name.upper()} {path}"
            for name in ("get", "post", "put", "patch", "delete")
            if hasattr(view, name)
        }
    described = {name for name, _ in calls(document)}
    assert {name for name in described if "/api/" in name} == served
    assert described - served == {"GET /livez", "GET /readyz", "GET /metrics"}


def test_fields_and_parameters_are_those_that_are_read(document: Schema) -> None:
    def parameters(path: str) -> set[str]:
        said = document["paths"][path]["get"]["parameters"]
        return {each["name"] for each in said if each.get("in") == "query"}

    # A currency may be stated where there is one, and none is set here.
    posted = set(document["components"]["schemas"]["Record"]["properties"])
    assert posted == set(RecordSerializer().fields) - {"currency"}
    assert parameters("/api/transactions/") == set(listing.ListParameters().fields)
    assert parameters("/api/transactions/average/") == set(averages.AverageParameters().fields)
    assert parameters("/api/rules/") == set(asked.RuleParameters().fields)
    assert parameters("/api/rules/{id}/hits/") == set(asked.HitParameters().fields)
    assert parameters("/api/rules/lists/") == set(asked.ListsParameters().fields)
    assert parameters("/api/rules/performance/") == set(of_review.PerformanceParameters().fields)
    assert parameters("/api/alerts/") == set(of_review.AlertParameters().fields)
    assert parameters("/api/snoozes/") == set(of_review.SnoozeParameters().fields)
    assert parameters("/api/rules/lists/{id}/entries/") == set(asked.EntryParameters().fields)
    assert parameters("/api/events/") == set(webhook_parameters.EventParameters().fields)
    assert parameters("/api/webhooks/") == set(webhook_parameters.EndpointParameters().fields)
    assert parameters("/api/webhooks/{id}/deliveries/") == set(webhook_parameters.DeliveryParameters().fields)


def test_what_may_be_posted_about_rules_is_what_is_read(document: Schema) -> None:
    def shapes(path: str, method: str = "post") -> set[str]:
        said = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
        said = resolved(document, said)
        each = said.get("oneOf") or said.get("anyOf") or [said]
        return {name for shape in each for name in shape["properties"]}

    assert shapes("/api/rules/") == set(bodies.NewRule().fields)
    assert shapes("/api/rules/{id}/", "patch") == set(bodies.Renaming().fields)
    assert shapes("/api/rules/{id}/versions/") == set(bodies.NewVersion().fields)
    assert shapes("/api/rules/{id}/versions/{number}/approve/") == set(bodies.Approval().fields)
    assert shapes("/api/rules/{id}/backtests/") == set(NewBacktest().fields)
    for step, (form, _) in steps.STEPS.items():
        assert shapes(f"/api/alerts/{{id}}/{step}/") == set(form().fields)
    assert shapes("/api/alerts/bulk/") == set(Bulk().fields)
    assert shapes("/api/rules/lists/") == set(bodies.NewList().fields)
    assert shapes("/api/rules/lists/{id}/entries/") == set(bodies.NewEntries().fields)
    assert shapes("/api/webhooks/") == set(webhook_bodies.NewEndpoint().fields)
    assert shapes("/api/webhooks/{id}/", "patch") == set(webhook_bodies.EndpointChange().fields)


def test_limits_are_those_that_are_set() -> None:
    limits = {"MAX_BATCH_RECORDS": "5000", "DATA_UPLOAD_MAX_MEMORY_SIZE": "70000"}
    told = subprocess.run(
        [sys.executable, "manage.py", "spectacular", "--format", "openapi-json"],
        cwd=ROOT,
        env={**os.environ, **limits},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Up to 5,000, with `atomic=true` 1,000;" in told
    assert "over the limit of 70000 bytes." in told


def test_every_answer_of_the_api_has_an_example_and_each_fits_what_is_said(document: Schema) -> None:
    seen = 0
    for name, call in calls(document):
        pieces = [
            (f"{name} {status}", resolved(document, each)) for status, each in call["responses"].items()
        ]
        for where, piece in [*pieces, (name, call.get("requestBody", {}))]:
            for media_type, said in piece.get("content", {}).items():
                validator = Draft202012Validator({**said["schema"], "components": document["components"]})
                assert bool(said.get("examples")) == (media_type != "text/html"), (where, media_type)
                for example in said.get("examples", {}).values():
                    assert not list(validator.iter_errors(example["value"])), (where, example)
                    seen += 1
    assert seen > 50


def test_every_call_of_the_api_says_what_may_happen_to_any(document: Schema) -> None:
    for name, call in calls(document):
        if "/api/" not in name:
            continue
        assert {"400", "401", "403", "405", "429", "503"} <= set(call["responses"]), name
        assert sum(status in call["responses"] for status in ("200", "201", "202")) == 1, name
        assert call["security"] == [{"bearer": []}, {"cookieAuth": []}]
        assert ("requestBody" in call) == ("413" in call["responses"]) == ("415" in call["responses"])
        for status, answer in call["responses"].items():
            headers = resolved(document, answer)["headers"]
            assert "X-Request-Id" in headers
            assert ("Retry-After" in headers) == (status in ("429", "503"))


def test_a_call_says_409_where_one_may_come_and_nowhere_else(document: Schema) -> None:
    said = {name: set(call["responses"]) for name, call in calls(document)}
    # The URL of a channel is its secret, which needs a key.
    assert "409" in said["PATCH /api/webhooks/{id}/"]
    # A note overtakes nobody.
    assert said["POST /api/alerts/{id}/note/"] >= {"200", "400", "404"}
    assert "409" not in said["POST /api/alerts/{id}/note/"]


@pytest.mark.parametrize("path", ["/api/add-transaction/", "/api/add-transactions/"])
def test_the_examples_of_bodies_are_accepted_as_they_stand(
    api: APIClient, document: Schema, path: str
) -> None:
    User.objects.create(pk=1, username="the user of the examples")
    seen = 0
    for media_type, said in document["paths"][path]["post"]["requestBody"]["content"].items():
        for example in said["examples"].values():
            if media_type == "application/x-ndjson":
                answer = api.generic("POST", path, example["value"], content_type=media_type)
            else:
                form = {"multipart/form-data": "multipart", "application/json": "json"}.get(media_type)
                answer = _posted(api, path, example["value"], form)
            assert answer.status_code == 200, (media_type, answer.content)
            assert answer.json().get("errors", []) == []
            seen += 1
    assert seen >= 2


def test_the_examples_about_rules_are_accepted_in_their_order(
    api: APIClient, document: Schema, settings: Settings
) -> None:
    """What is said of a call that makes something holds for what has been made by then."""
    settings.FOUR_EYES = False
    User.objects.create(pk=1, username="the user of the examples")

    def posted(path: str, example: str, method: str = "post") -> Any:
        said = document["paths"][path][method]["requestBody"]["content"]["application/json"]["examples"]
        filled = path.replace("{id}", str(made)).replace("{number}", "1").replace("{entry}", str(entry))
        answer = api.generic(
            method.upper(), filled, json.dumps(said[example]["value"]), content_type="application/json"
        )
        assert answer.status_code in (200, 201), (path, answer.content)
        return answer.json()

    made = entry = 0
    made = posted("/api/rules/", "Large")["id"]
    posted("/api/rules/{id}/", "Name", "patch")
    for example in ("Other", "Back"):
        posted("/api/rules/{id}/versions/", example)
    version = "/api/rules/{id}/versions/{number}/"
    assert posted(f"{version}submit/", "Nothing")["state"] == "SUBMITTED"
    assert posted(f"{version}approve/", "AWeekBack")["state"] == "SHADOW"
    assert posted(f"{version}approve/", "NextMinute")["state"] == "ACTIVE"
    assert posted(f"{version}retire/", "Nothing")["state"] == "RETIRED"
    assert posted("/api/rules/import/", "One")["unchanged"] == []
    made = posted("/api/rules/lists/", "Watched")["id"]
    assert posted("/api/rules/lists/{id}/entries/", "One") == {"added": 1, "there_already": 0}
    entry = api.get(f"/api/rules/lists/{made}/entries/").json()["results"][0]["id"]
    assert posted("/api/rules/lists/{id}/entries/{entry}/end/", "Nothing")["ends_at"] is not None


def _posted(api: APIClient, path: str, value: Any, form: str | None) -> Any:
    if form is None:
        pairs = "&".join(f"{name}={each}" for name, each in value.items())
        return api.generic("POST", path, pairs, content_type="application/x-www-form-urlencoded")
    return api.post(path, value, format=form)


# --- The page ----------------------------------------------------------------------------------


def test_the_examples_about_rules_say_what_their_rules_say() -> None:
    for example in (rule_shapes.A_VERSION, backtests.A_BACKTEST):
        kind: Any = read(example["kind"], example["parameters"])
        assert example["sentence"] == kind.sentence()
    assert rule_shapes.A_RULE["sentence"] == rule_shapes.A_VERSION["sentence"]


def test_what_takes_nothing_refuses_no_field_by_its_name(document: Schema) -> None:
    for step in ("submit", "retire"):
        call = document["paths"][f"/api/rules/{{id}}/versions/{{number}}/{step}/"]["post"]
        refused = resolved(document, call["responses"]["400"])
        assert "effective_from" not in str(refused), step


def test_the_page_has_no_script_of_its_own_and_loads_nothing_from_elsewhere(client: Client) -> None:
    answer = client.get("/api/docs/")
    page = answer.content.decode()
    assert answer["Content-Type"].startswith("text/html")
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style| style=| on\w+=", page)
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(loaded) >= 4
    assert all(each.startswith(("/static/", "/api/")) for each in loaded)


def test_nobody_unknown_sees_the_page_or_the_schema(client: Client) -> None:
    for path in ("/api/docs/", "/api/schema/"):
        answer = client.get(path, REMOTE_ADDR="203.0.113.9")
        assert (answer.status_code, list(answer.json())) == (401, ["detail"])
