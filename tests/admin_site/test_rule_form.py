"""The sentence of a rule as a form: read back, kept, refused by its gaps, and what was typed stays."""

import json
import re
from dataclasses import fields
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.rule_pages import HOSTILE_NAME, at, drafted, member, plain, sent, text_of
from transactions.rules.kinds.registry import KINDS
from transactions.rules.models import Backtest, Rule, UserList, Version

pytestmark = pytest.mark.django_db(transaction=True)

MANY = {"kind": "velocity_count", "count": "12", "window": "10m"}
NAMED = {"name": "Many", "severity": "HIGH", "description": "Call them.", "keep": ""}


@pytest.fixture
def ann(people: list[User]) -> Client:
    return member("ann", "view", "change")[0]


def test_the_form_is_for_those_who_may_write(people: list[User]) -> None:
    eve, _ = member("eve", "view", "approve")
    for path in (at("rule_new"), at("rule_read_back"), at("rule_draft", drafted().rule_id)):
        assert eve.get(path).status_code == 403
    assert eve.post(at("rule_new"), {**MANY, **NAMED}).status_code == 403
    assert not Rule.objects.filter(name="Many").exists()


def test_the_kind_is_chosen_first(ann: Client) -> None:
    said = text_of(ann, at("rule_new"))
    for kind in KINDS.values():
        assert kind.title in said
    assert "A customer makes at least number transactions within window." in said
    assert "A customer makes at least transactions within" in text_of(
        ann, f"{at('rule_new')}?kind=velocity_count"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_form(ann: Client, kind: str) -> None:
    shown = ann.get(f"{at('rule_new')}?kind={kind}").content.decode()
    for gap in fields(KINDS[kind]):
        assert gap.name == "filter" or f'name="{gap.name}"' in shown


def test_a_rule_is_written_as_a_sentence(ann: Client) -> None:
    filtered = {"filter.amount_min": "1,000", "filter.statuses": ["SUCCESS"], "filter.hours": "22-6"}
    said = sent(ann, at("rule_new"), **MANY, **NAMED, **filtered, **{"filter.zone": "Europe/Berlin"})
    assert "The draft is kept." in said
    assert (
        "A customer makes at least 12 transactions within 10 minutes, looking at transactions of 1,000 or "
        "more and with the status succeeded and in the hours 22-6 of Europe/Berlin."
    ) in said
    version = Version.objects.select_related("rule", "author").get()
    assert version.author is not None
    assert (version.rule.name, version.severity, version.author.username) == ("Many", "HIGH", "ann")
    assert version.parameters == {
        "count": 12,
        "window": "10m",
        "filter": {"amount_min": 1000, "statuses": ["SUCCESS"], "hours": "22-6", "zone": "Europe/Berlin"},
    }


def test_what_is_typed_is_read_back_without_being_kept(ann: Client) -> None:
    said = sent(ann, at("rule_new"), **MANY, read_back="")
    assert "The rule says A customer makes at least 12 transactions within 10 minutes." in said
    assert not Rule.objects.exists()


def test_what_is_typed_is_read_back_as_it_is_typed(ann: Client) -> None:
    found = ann.get(at("rule_read_back"), MANY).json()
    assert found["errors"] == {}
    assert "".join(text for text, _ in found["sentence"]) == (
        "A customer makes at least 12 transactions within 10 minutes."
    )
    found = ann.get(at("rule_read_back"), {**MANY, "count": "0"}).json()
    assert found == {
        "errors": {"count": "The number must be a whole number from 1 to 100,000."},
        "sentence": None,
    }
    assert ann.get(at("rule_read_back"), {"kind": "nothing"}).status_code == 400


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"window": "5m"}, "The window must be one of 10m, 1h, 6h, 24h, 7d, 30d."),
        ({"window": ""}, "The window is missing."),
        ({"count": "0"}, "The number must be a whole number from 1 to 100,000."),
        ({"count": "1" + "0" * 30}, "The number must be a whole number from 1 to 100,000."),
        ({"count": "1" * 5000}, "The number must be a whole number from 1 to 100,000."),
        ({"count": "twelve"}, "The number must be a whole number from 1 to 100,000."),
        ({"count": "1.5"}, "The number must be a whole number from 1 to 100,000."),
        ({"count": "1,2"}, "The number must be a whole number from 1 to 100,000."),
        ({"count": "١٢"}, "The number must be a whole number from 1 to 100,000."),
        ({"filter.zone": "Mars/Olympus"}, "The timezone must be a timezone like UTC or Europe/Berlin."),
        ({"filter.hours": "8-8"}, 'The hours must be two hours of the day like "8-18" or "22-6".'),
        ({"filter.statuses": ["PENDING"]}, "The statuses may not name PENDING, which changes."),
        ({"filter.in_list": "Nobody"}, "There is no list “Nobody”."),
        (
            {"filter.in_list": "\0"},
            "The list that customers stand on must be the name of a list of customers.",
        ),
        (
            {"filter.amount_min": "9", "filter.amount_max": "8"},
            "The largest amount must not be below the least",
        ),
        (
            {"filter.in_list": "VIP", "filter.not_in_list": "VIP"},
            "Nobody stands on a list and not on it: name another list, or none.",
        ),
        ({"name": "\u3164"}, "The name must have a character that is visible."),
        ({"description": "\u2800"}, "The description must have a character that is visible, or be empty."),
        ({"filter.amount_max": "1" + "0" * 30}, "The largest amount must be a whole number from 0 to"),
        ({"name": ""}, "The name is empty: it has 1 to 100 characters."),
        ({"name": "x" * 101}, "The name must be a printable text of 1 to 100 characters."),
        ({"name": "a\0b"}, "The name must be a printable text of 1 to 100 characters."),
        ({"name": "Large"}, "There is a rule “Large” already"),
        ({"severity": "DIRE"}, "The severity must be one of LOW, MEDIUM, HIGH, CRITICAL."),
        ({"description": "\0"}, "The description must be a text of at most 2000 characters."),
        ({"description": "x" * 2001}, "The description must be a text of at most 2000 characters."),
    ],
)
def test_what_makes_no_sense_is_told_by_its_gap_and_stays(
    ann: Client, typed: dict[str, Any], told: str
) -> None:
    drafted(name="Large")
    response = ann.post(at("rule_new"), {**MANY, **NAMED, **typed})
    assert response.status_code == 200
    shown = response.content.decode()
    assert told in plain(shown)
    assert 'aria-invalid="true"' in shown
    for gap, value in typed.items():
        if gap != "severity" and isinstance(value, str) and value.isprintable() and 0 < len(value) < 100:
            assert value.replace("'", "&#x27;") in shown
    assert Version.objects.count() == 1


def test_all_that_is_wrong_is_told_at_once(ann: Client) -> None:
    said = sent(ann, at("rule_new"), **{**MANY, **NAMED, "count": "0", "window": "x", "name": ""})
    for gap in ("The number must", "The window must", "The name is empty"):
        assert gap in said


def test_gaps_must_fit_each_other(ann: Client) -> None:
    below = {"kind": "below_limit", "count": "2", "window": "24h", "limit": "100", "margin": "200"}
    assert "The margin must not be above the limit." in sent(ann, at("rule_new"), **below, **NAMED)
    assert not Rule.objects.exists()


def test_a_filter_that_a_kind_does_not_have_is_not_offered(ann: Client) -> None:
    shown = ann.get(f"{at('rule_new')}?kind=silence").content.decode()
    assert 'name="filter.hours"' in shown
    assert 'name="filter.amount_min"' not in shown


def test_another_draft_begins_as_any_version(ann: Client) -> None:
    first = drafted("velocity_count", count=3, window="1h")
    drafted("amount", amount=1000)
    path = at("rule_draft", first.rule_id)
    assert "The rule says The amount is at least 1,000." in text_of(ann, path)
    said = text_of(ann, f"{path}?from=1")
    assert "The rule says A customer makes at least 3 transactions within 1 hour." in said
    sent(
        ann, path, **{**MANY, "count": "3", "window": "1h", "severity": "LOW", "description": "", "keep": ""}
    )
    newest = Version.objects.get(number=3)
    assert (newest.parameters, newest.severity) == (first.parameters, "LOW")


@pytest.mark.parametrize(
    "query", ["from=99", "from=x", "from=" + "9" * 30, "tried=1", "tried=x", "kind=nothing"]
)
def test_an_odd_beginning_is_no_fault_of_the_server(ann: Client, query: str) -> None:
    assert ann.get(f"{at('rule_draft', drafted().rule_id)}?{query}").status_code == 200


def test_a_user_on_a_list_is_chosen_from_the_lists_there_are(ann: Client) -> None:
    UserList.objects.create(name=HOSTILE_NAME)
    shown = ann.get(f"{at('rule_new')}?kind=listed").content.decode()
    assert "<script>alert" not in shown
    sent(ann, at("rule_new"), kind="listed", list_name=HOSTILE_NAME, **NAMED)
    assert Version.objects.get().parameters == {"list_name": HOSTILE_NAME}
    found = ann.get(at("rule_read_back"), {"kind": "listed", "list_name": HOSTILE_NAME})
    assert json.loads(found.content)["sentence"][1] == [HOSTILE_NAME, True]


def test_another_kind_keeps_what_is_typed_beside_the_sentence(ann: Client) -> None:
    typed = {**MANY, "name": "Many", "severity": "CRITICAL", "description": "Call\nthem.", "choose": ""}
    for path in (at("rule_new"), at("rule_draft", drafted().rule_id)):
        chosen = ann.post(path, typed).content.decode()
        assert '<button form="kinds" name="kind" value="amount">' in chosen
        hidden = {"severity": "CRITICAL", "description": "Call\nthem.", "name": "Many", "begin": ""}
        for name in ("severity", "description"):
            assert f'name="{name}" value="{hidden[name]}"' in chosen
        shown = ann.post(path, {**hidden, "kind": "amount"}).content.decode()
        assert '<option value="CRITICAL" selected>' in shown
        assert "Call\nthem.</textarea>" in shown
        assert 'role="alert">Nothing was kept' not in shown
    assert not Rule.objects.filter(name="Many").exists()


def test_who_goes_on_from_a_wording_that_was_tried_finds_what_was_typed_beside_it(ann: Client) -> None:
    path = at("rule_draft", drafted().rule_id)
    typed = {**MANY, "severity": "CRITICAL", "description": "Look again.", "try_it": ""}
    ann.post(path, typed)
    tried = Backtest.objects.get()
    shown = ann.get(f"{path}?tried={tried.pk}").content.decode()
    assert '<option value="CRITICAL" selected>' in shown
    assert "Look again.</textarea>" in shown
    # Somebody else finds what the rule says now.
    other = member("other", "view", "change")[0].get(f"{path}?tried={tried.pk}").content.decode()
    assert '<option value="HIGH" selected>' in other
    assert "Call them.</textarea>" in other


def test_a_new_rule_about_failures_begins_with_what_is_usual_known(ann: Client) -> None:
    shown = ann.get(f"{at('rule_new')}?kind=failure_rate").content.decode()
    assert re.search(r'name="past_min"[^>]*value="20"', shown)


def test_another_draft_of_one_that_says_nothing_of_what_was_before_changes_nothing(ann: Client) -> None:
    version = drafted(kind="failure_rate", factor=3, percent=20)
    assert version.parameters == {"factor": 3, "percent": 20}
    shown = ann.get(at("rule_draft", version.rule_id)).content.decode()
    assert re.search(r'name="past_min"[^>]*value="1"', shown)


def test_hours_are_those_of_the_writers_zone_unless_another_is_typed(ann: Client) -> None:
    """A zone without hours narrows nothing, and is not kept."""
    ann.cookies["timezone"] = "Asia/Tokyo"
    shown = ann.get(f"{at('rule_new')}?kind=velocity_count")
    assert shown.context["typed"].given["filter.zone"] == "Asia/Tokyo"
    zone = {"filter.zone": "Asia/Tokyo"}
    assert "The draft is kept." in sent(ann, at("rule_new"), **MANY, **NAMED, **zone)
    version = Version.objects.get()
    assert "zone" not in version.parameters.get("filter", {})
    again = ann.get(f"{at('rule_draft', version.rule_id)}")
    assert again.context["typed"].given["filter.zone"] == "Asia/Tokyo"
    hours = {"name": "By day", "filter.hours": "8-18", "filter.zone": "UTC"}
    sent(ann, at("rule_new"), **{**MANY, **NAMED, **hours})
    of_utc = ann.get(f"{at('rule_draft', Version.objects.latest('pk').rule_id)}")
    assert of_utc.context["typed"].given["filter.zone"] == "UTC"
