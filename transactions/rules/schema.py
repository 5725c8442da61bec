"""The JSON Schema of files of rules: made from the forms of the kinds, so that it says what they say."""

from collections.abc import Collection
from dataclasses import MISSING, fields
from typing import Any

from ..severity import Severity
from .kinds.gaps import NAME_MAX, SEEN
from .kinds.kind import Kind, RowFilter
from .kinds.registry import KINDS

DESCRIPTION_MAX, RULES_MAX, LISTS_MAX = 2_000, 1_000, 100

NAME = {"type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": SEEN}
DESCRIPTION = {
    "type": "string",
    "maxLength": DESCRIPTION_MAX,
    "pattern": r"^[^\u0000\u202a-\u202e\u2066-\u2069]*$",
}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12: it takes what `documents.parse` takes, by each gap itself.

    It does not say whether gaps fit each other, how many decimals a factor has, what zones and lists there
    are, whether a text shows anything or a name has a selector of variants beyond U+FFFF, and to JSON Schema
    5.0 is a whole number.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rules of the transaction monitor",
        "type": "object",
        "properties": {
            "lists": {
                "description": "Lists of users that the rules name; those there are not yet are made, empty.",
                "type": "array",
                "maxItems": LISTS_MAX,
                "items": _object({"name": NAME, "description": DESCRIPTION}, ["name"]),
            },
            "rules": {"type": "array", "maxItems": RULES_MAX, "items": {"oneOf": _rules()}},
        },
        "required": ["rules"],
        "additionalProperties": False,
    }


def _rules() -> list[dict[str, Any]]:
    return [
        {
            "title": kind.title,
            **_object(
                {
                    "name": NAME,
                    "severity": {"enum": list(Severity.values), "default": Severity.MEDIUM.value},
                    "description": {
                        **DESCRIPTION,
                        "description": "Why it is looked for, and what to do about it.",
                    },
                    "kind": {"const": kind.name},
                    "parameters": form_of(kind),
                },
                ["name", "kind", "parameters"],
            ),
        }
        for kind in KINDS.values()
    ]


def form_of(kind: type[Kind]) -> dict[str, Any]:
    """The gaps of a kind, and of the filter as far as it has one; what may be left open may be null, too."""
    shape = _gaps(kind, [made.name for made in fields(kind) if made.name != "filter"])
    shape["properties"]["filter"] = _gaps(RowFilter, kind.filters)
    return shape


def _gaps(form: type[Kind] | type[RowFilter], names: Collection[str]) -> dict[str, Any]:
    gaps: dict[str, Any] = {}
    required = []
    for made in fields(form):
        if made.name not in names:
            continue
        what = made.metadata["gap"]
        shape = {"title": what.label, **what.schema()}
        if made.default is MISSING:
            required.append(made.name)
            gaps[made.name] = shape
        else:
            gaps[made.name] = {"anyOf": [shape, {"type": "null"}]}
    return _object(gaps, required)


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
