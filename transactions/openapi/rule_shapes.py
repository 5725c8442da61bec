"""Rules, versions, hits and lists as the OpenAPI schema shows them, and an example of each."""

from typing import Any

from ..models import Status
from ..rules.activity import COUNTED_MAX
from ..rules.kinds.registry import KINDS, NAMES
from ..rules.models import Hit, VersionState
from ..rules.schema import DESCRIPTION, NAME, form_of, schema
from ..rules.user_lists import COMMENT_MAX
from ..severity import Severity
from .components import AMOUNT, COUNT, MOMENT, USER, Schema, an_object, ref

KEY: Schema = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 10**18 - 1}
NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 10**9 - 1}
SEVERITY: Schema = {"type": "string", "enum": list(Severity.values)}
STATE: Schema = {"type": "string", "enum": list(VersionState.values)}
KIND: Schema = {"type": "string", "enum": NAMES}
SENTENCE: Schema = {"type": "string", "description": "What it looks for."}
PARAMETERS: Schema = {"type": "object", "description": "The gaps of the kind; see /api/rules/schema/."}


def _or_null(shape: Schema) -> Schema:
    return {"anyOf": [shape, {"type": "null"}]}


MOMENT_OR_NULL: Schema = {**MOMENT, "type": ["string", "null"]}
WHO: Schema = {"type": ["string", "null"], "description": "The name of the account."}
HITS: Schema = {
    **_or_null(COUNT),
    "description": f"Raised in so many days, counted up to {COUNTED_MAX:,}; null where that takes too long.",
}

RULE_PIECES: dict[str, Schema] = {
    "id": KEY,
    "name": NAME,
    "severity": {**SEVERITY, "description": "That was approved last; until then as it was made."},
    "description": DESCRIPTION,
    "version": {**_or_null(NUMBER), "description": "That stands for it: in force, else the newest."},
    "state": _or_null(STATE),
    "sentence": _or_null(SENTENCE),
    "submitted": {**_or_null(NUMBER), "description": "The newest version that waits for approval."},
    "hits_7_days": HITS,
    "hits_30_days": HITS,
}
VERSION_SHAPE = an_object(
    {
        "number": NUMBER,
        "kind": KIND,
        "parameters": PARAMETERS,
        "sentence": SENTENCE,
        "severity": SEVERITY,
        "description": DESCRIPTION,
        "state": STATE,
        "author": WHO,
        "made_at": MOMENT,
        "submitted_at": MOMENT_OR_NULL,
        "approver": WHO,
        "approved_at": MOMENT_OR_NULL,
        "effective_from": {**MOMENT_OR_NULL, "description": "It judges what happened from then on."},
        "effective_until": {**MOMENT_OR_NULL, "description": "And before then."},
    }
)
HIT_SHAPE = an_object(
    {
        "id": KEY,
        "version": NUMBER,
        "transaction": {**_or_null(KEY), "description": "Its key; null where it is about the system."},
        "transaction_id": {"type": ["string", "null"]},
        "user": _or_null(USER),
        "amount": _or_null(AMOUNT),
        "status": _or_null({"type": "string", "enum": Status.values}),
        "happened_at": MOMENT,
        "figures": {"type": "object", "description": "What reached the limit, as of raising."},
        "explanation": {
            "type": ["string", "null"],
            "description": "What the figures say; null where the sentence says all.",
        },
        "raised_at": MOMENT,
        "alert": {**_or_null(KEY), "description": "That it belongs to."},
        "suppressed": {
            **_or_null({"type": "string", "enum": list(Hit.Suppressed.values)}),
            "description": "Why it opened no alert.",
        },
    }
)
LIST_SHAPE = an_object(
    {
        "id": KEY,
        "name": NAME,
        "description": DESCRIPTION,
        "made_at": MOMENT,
        "standing": {
            **COUNT,
            "description": f"Users who stand there now, counted up to {COUNTED_MAX:,}.",
        },
    }
)
ENTRY_SHAPE = an_object(
    {
        "id": KEY,
        "user": USER,
        "comment": {"type": "string", "maxLength": COMMENT_MAX},
        "made_by": WHO,
        "made_at": MOMENT,
        "starts_at": MOMENT,
        "ends_at": MOMENT_OR_NULL,
    }
)
FILE: Schema = {name: piece for name, piece in schema().items() if name != "$schema"}


def _of_each_kind(required: list[str], properties: dict[str, Schema], first: list[str]) -> Schema:
    """An object of `properties`, a kind and its parameters: these in a shape for each kind."""
    return {
        "oneOf": [
            {
                "title": kind.title,
                "type": "object",
                "properties": {**properties, "kind": {"const": kind.name}, "parameters": form_of(kind)},
                "required": [*first, *required],
                "additionalProperties": False,
            }
            for kind in KINDS.values()
        ]
    }


SAID: dict[str, Schema] = {"severity": SEVERITY, "description": DESCRIPTION}
NEW_RULE = _of_each_kind(["kind", "parameters"], {"name": NAME, **SAID}, ["name"])
NEW_VERSION: Schema = {
    "anyOf": [
        {"title": "As an earlier version", **an_object({"from_version": NUMBER}, **SAID)},
        *_of_each_kind(["kind", "parameters"], SAID, [])["oneOf"],
        {"title": "Of the kind it is", **an_object({"parameters": {"type": "object"}}, **SAID)},
    ]
}
COMPONENTS: dict[str, Schema] = {
    "Rule": an_object(RULE_PIECES),
    "RuleWithVersions": an_object(
        {**RULE_PIECES, "versions": {"type": "array", "items": ref("RuleVersion")}}
    ),
    "RuleVersion": VERSION_SHAPE,
    "Hit": HIT_SHAPE,
    "UserList": LIST_SHAPE,
    "ListEntry": ENTRY_SHAPE,
    "NewRule": NEW_RULE,
    "NewVersion": NEW_VERSION,
    "RuleFile": FILE,
}


def add(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Adds what calls about rules share; drf-spectacular's hook, before `components.complete`."""
    result["components"].setdefault("schemas", {}).update(COMPONENTS)
    return result


# --- Examples ----------------------------------------------------------------------------------

A_MOMENT = "2026-01-31T12:00:00Z"
AN_AMOUNT = {"name": "Large amounts", "kind": "amount", "parameters": {"amount": 1_000_000}}
A_VERSION = {
    "number": 1,
    "kind": "amount",
    "parameters": {"amount": 1_000_000},
    "sentence": "The amount is at least 1,000,000.",
    "severity": "MEDIUM",
    "description": "",
    "state": "ACTIVE",
    "author": "ann",
    "made_at": A_MOMENT,
    "submitted_at": A_MOMENT,
    "approver": "bob",
    "approved_at": A_MOMENT,
    "effective_from": "2026-01-31T12:01:00Z",
    "effective_until": None,
}
A_RULE = {
    "id": 1,
    "name": "Large amounts",
    "severity": "MEDIUM",
    "description": "",
    "version": 1,
    "state": "ACTIVE",
    "sentence": "The amount is at least 1,000,000.",
    "submitted": None,
    "hits_7_days": 3,
    "hits_30_days": 12,
}
A_HIT = {
    "id": 1,
    "version": 1,
    "transaction": 7,
    "transaction_id": "TRX123456",
    "user": 1,
    "amount": 2_000_000,
    "status": "SUCCESS",
    "happened_at": A_MOMENT,
    "figures": {"amount": 2_000_000},
    "explanation": "2,000,000, and the limit is 1,000,000",
    "raised_at": A_MOMENT,
    "alert": 1,
    "suppressed": None,
}
A_LIST = {"id": 1, "name": "Watched", "description": "", "made_at": A_MOMENT, "standing": 1}
AN_ENTRY = {
    "id": 1,
    "user": 1,
    "comment": "chargebacks",
    "made_by": "ann",
    "made_at": A_MOMENT,
    "starts_at": "2026-01-31T12:01:00Z",
    "ends_at": None,
}
WITH_VERSIONS = {**A_RULE, "versions": [A_VERSION]}
TAKEN = {"name": ["there is a rule “Large amounts” already"]}
TOO_LATE = {"detail": "The version is active."}
