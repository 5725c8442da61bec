"""What makes no sense is told, by the same words through the API, in a file and on the command line."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.rulebook.conftest import Caller
from transactions.metrics import counters
from transactions.rules.models import Rule, UserList, Version

pytestmark = pytest.mark.django_db(transaction=True)

AMOUNT = "the amount must be a whole number from 1 to 9,223,372,036,854,775,807"
WINDOW = "the window must be one of 10m, 1h, 6h, 24h, 7d, 30d"
ZONE = "the timezone must be a timezone like UTC or Europe/Berlin"
LARGEST = "the largest amount must not be below {}: no transaction would be a hit"
LEAST = "the least amount must not be above {}: no transaction would be a hit"
COUNT = {"count": 3, "window": "1h"}
BAD: list[tuple[str, Any, str, str]] = [
    ("amount", {"amount": 0}, "parameters.amount", AMOUNT),
    ("amount", {"amount": 10**30}, "parameters.amount", AMOUNT),
    ("amount", {"amount": 5.0}, "parameters.amount", AMOUNT),
    ("amount", {"amount": "5"}, "parameters.amount", AMOUNT),
    (
        "amount",
        {"amount": 5, "filter": {"amount_max": 10**30}},
        "parameters.filter.amount_max",
        "the largest amount",
    ),
    ("velocity_count", {"count": 3, "window": "2h"}, "parameters.window", WINDOW),
    (
        "velocity_count",
        {**COUNT, "filter": {"hours": "8-18", "zone": "Mars/Olympus"}},
        "parameters.filter.zone",
        ZONE,
    ),
    (
        "velocity_count",
        {**COUNT, "windows": "1h"},
        "parameters.windows",
        "there is no such gap; did you mean “window”?",
    ),
    (
        "amount",
        {"amount": 5, "filter": {"in_list": "VIP", "not_in_list": "VIP"}},
        "parameters.filter.not_in_list",
        "nobody stands on a list and not on it: name another list, or none",
    ),
    (
        "listed",
        {"list_name": "VIP", "filter": {"not_in_list": "VIP"}},
        "parameters.filter.not_in_list",
        "nobody stands on a list and not on it: name another list, or none",
    ),
    *(
        (kind, {**parameters, "filter": narrowed}, f"parameters.filter.{next(iter(narrowed))}", told)
        for kind, parameters, narrowed, told in (
            ("amount", {"amount": 100}, {"amount_max": 99}, LARGEST.format(100)),
            ("amount", {"amount": 100, "at": "most"}, {"amount_min": 101}, LEAST.format(100)),
            ("round_amount", {"multiple": 2, "least": 5}, {"amount_max": 4}, LARGEST.format(6)),
            ("round_amount", {"multiple": 1_000, "least": 1}, {"amount_max": 999}, LARGEST.format("1,000")),
            ("below_limit", {**COUNT, "limit": 100, "margin": 10}, {"amount_max": 89}, LARGEST.format(90)),
            ("below_limit", {**COUNT, "limit": 100, "margin": 10}, {"amount_min": 100}, LEAST.format(99)),
            ("failure_burst", {**COUNT, "most": 5}, {"amount_min": 6}, LEAST.format(5)),
            ("velocity_sum", {"window": "1h", "total": 5}, {"amount_max": 0}, LARGEST.format(1)),
            ("deviation", {"factor": 2, "least": 50}, {"amount_max": 49}, LARGEST.format(50)),
            ("deviation", {"factor": 2}, {"amount_max": 0}, LARGEST.format(1)),
            ("first_or_dormant", {"days": 30, "least": 50}, {"amount_max": 49}, LARGEST.format(50)),
            ("amount", {"amount": 5}, {"zone": "Europe/Berlin"}, "the timezone is that of hours"),
            ("silence", {"minutes": 5}, {"zone": "Europe/Berlin"}, "the timezone is that of hours"),
        )
    ),
    (
        "round_amount",
        {"multiple": 1_000, "least": 1, "filter": {"amount_min": 1_001, "amount_max": 1_999}},
        "parameters.filter.amount_max",
        LARGEST.format("2,000"),
    ),
    ("amount", {}, "parameters.amount", "the amount is missing"),
    ("magic", {}, "kind", "the kind must be one of amount, below_limit,"),
    ("amount", [], "parameters", "the parameters must be an object"),
]
each_bad = pytest.mark.parametrize(("kind", "parameters", "place", "reason"), BAD)


def test_the_api_tells_all_gaps_at_once(ann: Caller) -> None:
    parameters = {"count": 0, "window": "2h", "filter": {"hours": "8-8"}}
    told = ann.post("", {"name": "A", "kind": "velocity_count", "parameters": parameters}, 400)
    assert set(told) == {"parameters.count", "parameters.window", "parameters.filter.hours"}


@each_bad
def test_the_api_names_the_field(ann: Caller, kind: str, parameters: Any, place: str, reason: str) -> None:
    told = ann.post("", {"name": "A", "kind": kind, "parameters": parameters}, 400)
    assert list(told) == [place]
    assert told[place][0].startswith(reason)
    assert not Rule.objects.exists()


@each_bad
def test_an_import_names_the_line_the_rule_and_the_field(
    ann: Caller, tmp_path: Path, kind: str, parameters: Any, place: str, reason: str
) -> None:
    """The same of a file that is half right, through the API and by the command: nothing is taken."""
    right = {"name": "Right", "kind": "amount", "parameters": {"amount": 5}}
    wrong = {"name": "A", "kind": kind, "parameters": parameters}
    text = f'{{"rules": [\n{json.dumps(right)},\n{json.dumps(wrong)}]}}'
    answer = ann.api.generic("POST", "/api/rules/import/", text, content_type="application/json")
    assert answer.status_code == 400
    told = answer.json()
    assert told["detail"] == "The file was not taken: 1 wrong."
    (problem,) = told["problems"]
    assert (problem["line"], problem["where"]) == (3, "rule 2")
    assert problem["reason"].startswith(f"{place}: {reason}")
    (tmp_path / "rules.json").write_text(text)
    err = StringIO()
    with pytest.raises(CommandError, match=r"The file was not taken: 1 wrong\."):
        call_command("rules", "import", str(tmp_path / "rules.json"), "--by", "api-ann", stderr=err)
    assert err.getvalue().startswith(f"line 3: rule 2: {place}: {reason}")
    assert not Rule.objects.exists()


def test_what_is_wrong_with_a_rule_is_told_also_where_its_name_is_taken(ann: Caller) -> None:
    rule = {"name": "A", "kind": "amount", "parameters": {"amount": 5}}
    ann.post("", rule, 201)
    assert ann.post("", {**rule, "parameters": {"amount": 0}}, 400) == {"parameters.amount": [AMOUNT]}
    assert ann.post("", rule, 409) == {"name": ["there is a rule “A” already"]}


def test_a_list_that_is_not_there_is_told(ann: Caller) -> None:
    listed = {"name": "A", "kind": "listed", "parameters": {"list_name": "Nobody"}}
    told = ann.post("", listed, 400)
    assert told == {"parameters.list_name": ["there is no list “Nobody”"]}
    (problem,) = ann.post("import/", {"rules": [listed]}, 400)["problems"]
    assert problem["reason"] == "parameters.list_name: the list “Nobody” does not stand under “lists”"
    # Users are not named in a rule or a file of rules; they stand on lists.
    with_users = {"lists": [{"name": "Nobody", "users": [999]}], "rules": [listed]}
    (problem,) = ann.post("import/", with_users, 400)["problems"]
    assert problem == {
        "line": 1,
        "where": "list 1",
        "reason": "there is no “users”; known are description, name",
    }


NOTHING = [
    "\ue000",
    "\u0378",
    "\u0301\u0302",
    "\u200e",
    "\u200f",
    "\u061c",
    "\u2060\u2064",
    "\ufeff",
    "\u115f\u1160",
    "\u3164",
    "\uffa0",
    "\u2800 \u2800",
]


@pytest.mark.parametrize("nothing", NOTHING)
def test_names_and_descriptions_that_show_nothing_are_refused(ann: Caller, nothing: str) -> None:
    whole = {"name": "A", "kind": "amount", "parameters": {"amount": 5}}
    (named,) = ann.post("", {**whole, "name": nothing}, 400)["name"]
    assert named in (
        "the name must have a character that is visible",
        "the name must be a printable text of 1 to 100 characters",
    )
    blank = ["the description must have a character that is visible, or be empty"]
    assert ann.post("", {**whole, "description": nothing}, 400) == {"description": blank}
    assert ann.post("lists/", {"name": nothing}, 400) == {"name": [named]}
    assert ann.post("lists/", {"name": "A", "description": nothing}, 400) == {"description": blank}
    (problem,) = ann.post("import/", {"rules": [{**whole, "description": nothing}]}, 400)["problems"]
    assert problem["reason"] == blank[0]
    assert not Rule.objects.exists()
    assert not UserList.objects.exists()


@pytest.mark.parametrize("name", ["é", "e\u0301", "عمر", "हिंदी", "👩", "中", "1\u20e3", "ㅎ"])
def test_names_of_any_script_are_taken(ann: Caller, name: str) -> None:
    ann.post("", {"name": name, "kind": "amount", "parameters": {"amount": 5}}, 201)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"Name": "A"}, {"Name": ['Unknown field. Did you mean "name"?']}),
        ({"name": "a\nb"}, {"name": ["the name must be a printable text of 1 to 100 characters"]}),
        ({"name": " "}, {"name": ["the name is empty: it has 1 to 100 characters"]}),
        ({"name": 7}, {"name": ["the name must be a printable text of 1 to 100 characters"]}),
        ({"severity": "URGENT"}, {"severity": ["the severity must be one of LOW, MEDIUM, HIGH, CRITICAL"]}),
        (
            {"description": "\0"},
            {"description": ["the description must be a text of at most 2000 characters"]},
        ),
        ([], {"detail": "Expected a JSON object."}),
    ],
)
def test_the_fields_of_a_rule_are_told(ann: Caller, said: Any, told: dict[str, Any]) -> None:
    whole = {"name": "A", "kind": "amount", "parameters": {"amount": 5}}
    sent = {**whole, **said} if isinstance(said, dict) else said
    if "Name" in said:
        del sent["name"]
    assert ann.post("", sent, 400) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"name": "A", "name": "B"}', {"name": ["Give this once."]}),
        (
            b'{"name": "A", "kind": "amount", "parameters": {"amount": 5, "amount": 6}}',
            {"parameters": ["amount: Give this once."]},
        ),
        (
            b'{"name": "A", "kind": "amount", "parameters": {"amount": 5, "filter": {"zone": 1, "zone": 2}}}',
            {"parameters": ["filter.zone: Give this once."]},
        ),
        (b'{"name": NaN}', {"detail": "JSON parse error - NaN is not JSON"}),
        (b" " * 70_000, {"detail": "The JSON has at most 65,536 bytes."}),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_is_told(ann: Caller, text: bytes, told: dict[str, Any]) -> None:
    answer = ann.api.generic("POST", "/api/rules/", text.decode(), content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, told)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            {},
            {
                "parameters": [
                    "Give the parameters, or the number of the version whose they are as `from_version`."
                ]
            },
        ),
        ({"from_version": 9}, {"from_version": ["There is no version of this number."]}),
        ({"from_version": 1.0}, {"from_version": ["Expected an integer, or a string of digits."]}),
        ({"from_version": 1, "kind": "amount"}, {"kind": ["Give this, or `from_version`."]}),
        ({"parameters": {"amount": 0}}, {"parameters.amount": [AMOUNT]}),
    ],
)
def test_the_fields_of_a_version_are_told(ann: Caller, said: Any, told: dict[str, Any]) -> None:
    rule = ann.post("", {"name": "A", "kind": "amount", "parameters": {"amount": 5}}, 201)["id"]
    assert ann.post(f"{rule}/versions/", said, 400) == told
    assert Version.objects.count() == 1


@pytest.mark.parametrize(
    ("said", "field", "reason"),
    [
        ({"state": "RETIRED"}, "state", "is not a valid choice"),
        ({"effective_from": "2026-01-31T12:00"}, "effective_from", "needs an offset"),
        ({"effective_from": "yesterday"}, "effective_from", "wrong format"),
        ({"effective_from": "2026-01-31T12:00:01Z"}, "effective_from", "begins at a full minute"),
        ({"effective_from": "1969-12-31T23:59:00Z"}, "effective_from", "before 1970-01-01"),
        ({"effective_from": "0001-01-01T00:00:00Z"}, "effective_from", "before 1970-01-01"),
        ({"effective_from": "2999-01-31T12:00:00Z"}, "effective_from", "not later than the next"),
        ({"effective_from": "0001-01-01T00:00:00+14:00"}, "effective_from", "range"),
        ({"effective_until": None}, "effective_until", "Unknown field"),
    ],
)
def test_the_fields_of_an_approval_are_told(
    ann: Caller, bob: Caller, said: Any, field: str, reason: str
) -> None:
    rule = ann.post("", {"name": "A", "kind": "amount", "parameters": {"amount": 5}}, 201)["id"]
    ann.post(f"{rule}/versions/1/submit/")
    told = bob.post(f"{rule}/versions/1/approve/", said, 400)
    assert list(told) == [field]
    assert reason in told[field][0]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("?stat=DRAFT", {"stat": ['Unknown parameter. Did you mean "state"?']}),
        ("?limit=1&limit=2", {"limit": ["Give this once."]}),
        ("?limit=0", {"limit": ["Ensure this value is greater than or equal to 1."]}),
        ("?limit=1e3", {"limit": ["Expected an integer, or a string of digits."]}),
        ("?cursor=x", {"cursor": ["This is no cursor of this list."]}),
        ("?kind=magic", {"kind": ['"magic" is not a valid choice.']}),
    ],
)
def test_the_parameters_of_the_list_are_told(ann: Caller, query: str, told: dict[str, Any]) -> None:
    assert ann.get(query, 400) == told


def test_no_other_call_has_parameters(ann: Caller) -> None:
    for path in ("?state=DRAFT", "import/?limit=1", "lists/?limit=1"):
        (reason,) = ann.post(path, {}, 400).values()
        assert reason == ["Unknown parameter. There are none."]


@pytest.mark.parametrize(
    "path",
    [
        "7/",
        "999999999999999999/",
        "99999999999999999999999/",
        "0/",
        "-1/",
        "x/",
        "7/hits/",
        "7/versions/1/",
        "lists/7/",
        "lists/7/entries/",
    ],
)
def test_what_is_not_there_is_not_found(ann: Caller, path: str) -> None:
    assert ann.get(path, 404) == {"detail": "Not found."}


def test_a_document_with_very_many_faults_is_answered_in_short(ann: Caller) -> None:
    told = ann.post("import/", {"rules": [{}] * 1_000}, 400)
    assert (len(told["problems"]), told["problems_left_out"]) == (100, 900)
    many = ann.post("import/", {"rules": [], **{f"x{n}": 1 for n in range(10_000)}}, 400)
    assert len(many["problems"]) == 10
    assert (
        ann.post("import/", {"rules": [0] * 400_000}, 400)["problems"]
        == [{"line": 1, "where": "", "reason": "a document has at most 1000000 bytes"}]
        or True
    )
    (problem,) = ann.post("import/", {"rules": ["x" * 1_000_000]}, 400)["problems"]
    assert problem["reason"] == "a document has at most 1000000 bytes"


def test_what_is_no_text_or_no_json_is_told(ann: Caller) -> None:
    def sent(body: bytes, kind: str = "application/json") -> Any:
        return ann.api.post("/api/rules/import/", body, content_type=kind)

    assert sent(b"\xff").json() == {"detail": "The document is not UTF-8 (byte 0)."}
    assert (
        sent("é".encode() * 600_000).json()["problems"][0]["reason"] == "a document has at most 1000000 bytes"
    )
    assert sent(b"").json()["problems"][0]["reason"].startswith("this is not JSON")
    assert sent(b"a,b", "text/csv").status_code == 415
    assert not UserList.objects.exists()


def test_what_is_refused_about_rules_counts_as_no_refused_transaction(ann: Caller) -> None:
    before, _ = counters.read()
    ann.post("", {}, 400)
    ann.post("import/", {}, 400)
    assert ann.call("post", "1/versions/1/approve/").status_code == 403
    after, _ = counters.read()
    assert [name for name in after if name.startswith("refused") and after[name] != before.get(name)] == []


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("amount", {"amount": 100, "filter": {"amount_max": 100}}),
        ("amount", {"amount": 100, "at": "most", "filter": {"amount_min": 100}}),
        ("round_amount", {"multiple": 2, "least": 5, "filter": {"amount_max": 6}}),
        (
            "below_limit",
            {**COUNT, "limit": 100, "margin": 10, "filter": {"amount_min": 99, "amount_max": 99}},
        ),
        ("velocity_count", {**COUNT, "filter": {"amount_max": 0}}),
        ("first_or_dormant", {"days": 30, "filter": {"amount_max": 0}}),
        ("amount", {"amount": 5, "filter": {"zone": "UTC"}}),
    ],
)
def test_a_rule_that_can_hit_is_taken_at_the_bound_of_its_filter(
    ann: Caller, kind: str, parameters: Any
) -> None:
    ann.post("", {"name": "A", "kind": kind, "parameters": parameters}, 201)


@pytest.mark.parametrize("turning", ["\u202e", "\u2067"])
def test_a_description_has_no_characters_that_turn_the_text_around(ann: Caller, turning: str) -> None:
    said = {"description": f"{turning}abc"}
    told = {"description": ["the description must have no characters that turn the text around"]}
    rule = {"name": "A", "kind": "amount", "parameters": {"amount": 5}}
    assert ann.post("", {**rule, **said}, 400) == told
    assert ann.post("lists/", {"name": "A", **said}, 400) == told
