"""The JSON Schema of files of rules: made from the forms of the kinds, so that it says what they say."""

from dataclasses import MISSING, fields
from typing import Any

from ..alerts.models import Severity
from .kinds.kind import Kind, RowFilter
from .kinds.registry import KINDS

NAME_MAX, DESCRIPTION_MAX, RULES_MAX, LISTS_MAX = 100, 2_000, 1_000, 100

NAME = {"type": "string", "minLength": 1, "maxLength": NAME_MAX}
DESCRIPTION = {"type": "string", "maxLength": DESCRIPTION_MAX}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. Whether gaps fit each other it does not say."""
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


def form_of(form: type[Kind] | type[RowFilter]) -> dict[str, Any]:
    """The gaps of a kind, or of the filter; one that may be left open may be null, too."""
    gaps: dict[str, Any] = {}
    required = []
    for made in fields(form):
        if made.name == "filter":
            gaps["filter"] = form_of(RowFilter)
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
