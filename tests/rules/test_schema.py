"""The published JSON Schema and the reader of files take the same, gap by gap."""

import json
from dataclasses import fields
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from transactions.encodings import shows_nothing
from transactions.rules import texts
from transactions.rules.kinds.gaps import (
    NAME_MAX,
    Choice,
    Factor,
    Gap,
    Hours,
    ListName,
    Statuses,
    Unfit,
    Whole,
    Window,
    Zone,
)
from transactions.rules.kinds.kind import RowFilter, read_form
from transactions.rules.kinds.registry import KINDS, NAMES
from transactions.rules.schema import DESCRIPTION, DESCRIPTION_MAX, NAME, form_of

# All but what no keyboard has: Unicode's formats, surrogates, private and unknown characters.
# Nor selectors of variants beyond U+FFFF.
CHARACTERS = st.characters(
    categories=("L", "M", "N", "P", "S", "Z", "Cc"),
    exclude_characters="".join(map(chr, range(0xE0100, 0xE01F0))),
)
NO_TEXT: st.SearchStrategy[Any] = st.sampled_from([None, True, [], {}, 1.5, -1, 10**30])
ODD = NO_TEXT | st.sampled_from(["5", ""])


def values(what: Gap) -> st.SearchStrategy[Any]:
    """What may stand in a gap, and what is nearly so."""
    match what:
        case Whole():
            bounds = [what.least, what.most]
            return st.one_of(st.sampled_from(bounds), st.integers(what.least - 1, what.most + 1))
        case Factor():
            return st.decimals(0, 1_001, places=2).map(float)
        case Window():
            return st.sampled_from(["10m", "30d", "2h"])
        case Choice():
            return st.sampled_from([*what.words, "mostly"])
        case Statuses():
            return st.lists(st.sampled_from(["SUCCESS", "FAILED", "FAILED", "PENDING", 1]), max_size=3)
        case Hours():
            return st.from_regex(r"\A[0-9]{1,3}-[0-9]{1,3}\n?\Z")
        case ListName():
            return st.sampled_from(["Watched", "", "x" * 100, "x" * 101, "a\nb", "Watched\n"])
    return st.just("UTC")


@st.composite
def parameters(draw: Any, kind: str) -> dict[str, Any]:
    """The parameters of a kind: each gap filled in well, badly, or left open."""
    said: dict[str, Any] = {}
    narrowed: dict[str, Any] = {}
    for form, place, often in ((KINDS[kind], said, 9), (RowFilter, narrowed, 2)):
        for made in fields(form):
            if made.name != "filter" and draw(st.integers(0, 9)) < often:
                fitting = values(made.metadata["gap"])
                odd = NO_TEXT if isinstance(made.metadata["gap"], Zone) else ODD
                place[made.name] = draw(odd if draw(st.integers(0, 19)) == 0 else fitting)
    if draw(st.integers(0, 19)) == 0:
        said["colour"] = 1
    return {**said, "filter": narrowed} if narrowed else said


def schema_takes(shape: dict[str, Any], said: Any) -> bool:
    """As an editor reads both, with binary fractions."""
    shape, said = (json.loads(json.dumps(each)) for each in (shape, said))
    return bool(jsonschema.Draft202012Validator(shape).is_valid(said))


def reader_takes(kind: str, said: Any) -> bool:
    try:
        read_form(KINDS[kind], said)
    except Unfit:
        return False
    return True


@pytest.mark.parametrize("kind", NAMES)
def test_what_the_schema_takes_the_reader_takes_and_nothing_else(kind: str) -> None:
    shape = form_of(KINDS[kind])

    @given(parameters(kind))
    def same(said: dict[str, Any]) -> None:
        assert schema_takes(shape, said) == reader_takes(kind, said)

    same()


@pytest.mark.parametrize(
    ("kind", "said", "takes"),
    [
        ("failure_rate", {"factor": 1.1, "percent": 5}, True),
        ("failure_rate", {"factor": 2.3, "percent": 5}, True),
        ("failure_rate", {"factor": 1.15, "percent": 5}, True),
        ("failure_rate", {"factor": 4.35, "percent": 5}, True),
        ("failure_rate", {"factor": 0, "percent": 5}, False),
        ("failure_rate", {"factor": "5", "percent": 5}, False),
        ("failure_rate", {"factor": 5, "percent": 5, "filter": {"amount_min": 0}}, False),
        ("failure_burst", {"count": 5, "window": "1h", "filter": {"statuses": []}}, False),
        ("amount", {"amount": 5, "filter": {"hours": "99-99"}}, False),
        ("amount", {"amount": 5, "filter": {"hours": "08-8"}}, False),
        ("amount", {"amount": 5, "filter": {"hours": "22-24"}}, True),
        ("amount", {"amount": 5, "filter": {"hours": "22-6\n"}}, False),
    ],
)
def test_schema_and_reader_agree_on(kind: str, said: dict[str, Any], takes: bool) -> None:
    assert (schema_takes(form_of(KINDS[kind]), said), reader_takes(kind, said)) == (takes, takes)


def test_how_many_decimals_a_factor_has_the_reader_alone_can_tell() -> None:
    said = {"factor": 1.999, "percent": 5}
    assert schema_takes(form_of(KINDS["failure_rate"]), said)
    assert not reader_takes("failure_rate", said)


def said_by(check: Any, text: str) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True


@given(st.text(CHARACTERS, max_size=9))
@example("")
@example("Large\n")
@example("Large\ufe0f")
@example("Lar\u034fge")
@example("x" * (NAME_MAX + 1))
def test_names_are_the_same_to_both(name: str) -> None:
    assume(not shows_nothing(name))
    assert schema_takes(NAME, name) == said_by(texts.checked_name, name)


@given(st.text(CHARACTERS, max_size=9))
@example("two\nlines\n")
@example("\0")
@example("\u202eabc")
@example("a\u2069")
@example("x" * (DESCRIPTION_MAX + 1))
def test_descriptions_are_the_same_to_both(description: str) -> None:
    assume(not shows_nothing(description))
    assert schema_takes(DESCRIPTION, description) == said_by(texts.checked_description, description)


def test_whether_anything_of_a_name_is_visible_the_reader_alone_can_tell() -> None:
    assert (schema_takes(NAME, "\u0301"), said_by(texts.checked_name, "\u0301")) == (True, False)
