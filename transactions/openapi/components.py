"""What the OpenAPI schema is put together from: the shapes of bodies, and what any call may be answered.

`operations` describes the calls with these pieces, once each; `complete` adds to every call what
all of them share. The views are the truth: tests send what is said here to the running server.
"""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from .. import money
from ..access import rate_limits
from ..audit.models import Via
from ..fields import AHEAD_MINUTES_MAX, USER_MAX
from ..intake import request_ids
from ..intake.batches import ERRORS_TOLD_MAX
from ..intake.outcomes import Code
from ..models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX, Status

Schema = dict[str, Any]

JSON = "application/json"
HEADERS_OF_LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def ref(name: str, kind: str = "schemas") -> Schema:
    """A reference to one of COMPONENTS."""
    return {"$ref": f"#/components/{kind}/{name}"}


def an_object(required: Schema, **optional: Schema) -> Schema:
    """An object of these properties and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def field_errors(*names: str) -> Schema:
    """What is wrong, by the names of fields or parameters."""
    messages = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    # Also by a name that is unknown, and then told.
    return {
        **an_object({}, **dict.fromkeys(names, messages)),
        "additionalProperties": messages,
        "minProperties": 1,
    }


COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time"}
STATUS: Schema = {"type": "string", "enum": Status.values}
AMOUNT: Schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": AMOUNT_MAX}
USER: Schema = {"type": "integer", "minimum": 1, "maximum": USER_MAX}
DIGITS: Schema = {"type": "string", "pattern": "^[0-9]+$", "maxLength": len(str(AMOUNT_MAX))}

RECORD_FIELDS = ("transaction_id", "user", "amount", "status", "created_at")


def of_currency(code: str | None) -> str:
    """Whose smallest unit, and which part of it that is."""
    return "" if code is None else f" of {code}, of which {money.plain(1)} is one"


def currency_property(code: str | None) -> Schema:
    """What a record may state of its currency: that of the deployment. Without one it may state none."""
    if code is None:
        return {}
    told = "The currency of all amounts here. It may be left out, and changes nothing."
    return {"currency": {"type": "string", "enum": [code], "description": told}}


# As it is posted.
RECORD: Schema = {
    "type": "object",
    "required": ["transaction_id", "user", "amount"],
    "additionalProperties": False,
    "properties": {
        "transaction_id": {
            "type": ["string", "integer"],
            "minLength": 1,
            "maxLength": TRANSACTION_ID_CHARACTERS_MAX,
            "description": "The client's own name for it, by which a retry is recognised. No control "
            "characters, no white space at either end; an integer is read as its digits.",
        },
        "user": {"anyOf": [USER, DIGITS], "description": "The key of an existing user."},
        "amount": {
            "anyOf": [AMOUNT, DIGITS],
            "description": f"In the smallest unit{of_currency(money.code())}, without a decimal point.",
        },
        "status": {**STATUS, "default": str(Status.PENDING)},
        "created_at": {
            **MOMENT,
            "type": ["string", "null"],
            "description": f"When it happened, with an offset, at most {AHEAD_MINUTES_MAX} minutes ahead of "
            f"the server's clock and not before {settings.EARLIEST_CREATED_AT}; the moment of acceptance if "
            "left out. That of the first record stands.",
        },
        **currency_property(money.code()),
    },
}
# A form has no null.
RECORD_FORM: Schema = {
    **RECORD,
    "properties": {**RECORD["properties"], "created_at": {**RECORD["properties"]["created_at"], **MOMENT}},
}
TRANSACTION = an_object(
    {
        "id": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "null while it waits to be stored, and when it was refused then.",
        },
        "transaction_id": {"type": "string"},
        "user": USER,
        "amount": AMOUNT,
        "status": STATUS,
        "created_at": MOMENT,
    },
    rejected={"type": "string", "description": "Why it could not be stored; it is kept for an operator."},
)
REFUSED_RECORD = an_object(
    {
        "index": {**COUNT, "description": "Its place in the batch, from 0."},
        "transaction_id": {
            "type": ["string", "null"],
            "description": f"The first {TRANSACTION_ID_CHARACTERS_MAX} characters; null if it is no string.",
        },
        "code": {"type": "string", "enum": [code.value for code in Code]},
        "errors": field_errors(*RECORD_FIELDS, "non_field_errors"),
    }
)
BATCH_REPORT = an_object(
    {
        "accepted": COUNT,
        "duplicates": COUNT,
        "conflicts": COUNT,
        "invalid": COUNT,
        "errors": {"type": "array", "items": ref("RefusedRecord"), "maxItems": ERRORS_TOLD_MAX},
    },
    errors_left_out={
        "type": "integer",
        "minimum": 1,
        "description": "How many more were not accepted than `errors` has.",
    },
)
AVERAGES = an_object(
    {
        "from": {"type": ["string", "null"], "format": "date"},
        "to": {"type": ["string", "null"], "format": "date"},
        "timezone": {"type": "string"},
        "data": {
            "type": "array",
            "items": an_object(
                {
                    "day": {"type": "string", "format": "date"},
                    "average": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "In the smallest unit; a half goes to the even one.",
                    },
                    "count": {"type": "integer", "minimum": 1},
                    "total": COUNT,
                }
            ),
        },
    }
)
# What PostgreSQL keeps is null while it is away, and so is the balance. Where the flush commits amid every
# reading of the two stores, only what belongs to both is null: `in_flight` and `balanced`.
BOOKS = an_object(
    {
        "accepted": COUNT,
        **dict.fromkeys(("stored", "settled", "duplicates", "rejected"), COUNT_OR_NULL),
        "buffered": COUNT,
        "in_flight": COUNT_OR_NULL,
        "balanced": {"type": ["boolean", "null"]},
        "removed": {"type": ["integer", "null"], "description": "Rows removed since the books were opened."},
        "pruned": {"type": ["integer", "null"], "description": "Rows that were too old and went since then."},
        "rows": {"type": ["integer", "null"], "description": "Rows of the table, by the books of all times."},
        "oldest_buffered_seconds": {"type": ["number", "null"]},
        "last_flush": {**MOMENT, "type": ["string", "null"]},
        "rules": {
            **an_object(
                {
                    "versions": {**COUNT, "description": "In force, in shadow too."},
                    "debt_records": {
                        **COUNT,
                        "description": "Not judged yet; what several rules owe may count for each.",
                    },
                    "oldest_debt_seconds": {"type": ["number", "null"], "minimum": 0},
                    "open_alerts": {**COUNT, "description": "Not closed; counted up to 10,000."},
                    "last_hit": {**MOMENT, "type": ["string", "null"]},
                }
            ),
            "type": ["object", "null"],
        },
    }
)


HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
AUDIT_ENTRY = an_object(
    {
        "number": {"type": "integer", "minimum": 1, "description": "In the order of the commits, no gaps."},
        "at": MOMENT,
        "action": {"type": "string"},
        "actor": {"type": "string", "description": "Empty where no credentials were shown."},
        "actor_id": {"type": ["integer", "null"]},
        "via": {"type": "string", "enum": Via.values},
        "token": {"type": "string", "description": "The name of the token that was shown."},
        "address": {"type": "string", "description": "Of a command the host's name."},
        "request_id": {"type": "string"},
        "target": {"type": "string"},
        "target_id": {"type": "string"},
        "reason": {"type": "string"},
        "details": {"type": "object"},
        "previous": HASH,
        "hash": HASH,
    }
)


def shared_answer(description: str, detail: str, *headers: str, schema: Schema | None = None) -> Schema:
    """An answer that many calls may give: `detail` is an example of what it says."""
    content = {"schema": schema or ref("Detail"), "examples": {"detail": {"value": {"detail": detail}}}}
    return {
        "description": description,
        "headers": {name: ref(name, "headers") for name in headers},
        "content": {JSON: content},
    }


SHARED_ANSWERS = {
    "400": shared_answer("The request is not one that we can read: its Host is not ours.", "Bad request."),
    "401": shared_answer(
        "Credentials are missing, unknown, expired or revoked.",
        "Authentication credentials were not provided.",
        "WWW-Authenticate",
    ),
    "403": shared_answer(
        "The token or the session lacks the right; a session's CSRF token is missing.",
        "The right “post” is missing.",
    ),
    "405": shared_answer(
        "Another method: those that the path has are in Allow. Any right suffices to be told.",
        'Method "PUT" not allowed.',
        "Allow",
    ),
    "429": shared_answer(
        "The rate limit of the token or address is reached. Send the same after Retry-After.",
        rate_limits.REFUSED,
        "Retry-After",
    ),
    "503": shared_answer(
        "A store is away or full. Nothing is said about what was taken: send the same after Retry-After.",
        "A store does not answer. Try again.",
        "Retry-After",
    ),
}
# Those of calls with a body.
SHARED_ANSWERS_TO_BODIES = {
    "408": shared_answer("The body came too slowly.", "The body came too slowly."),
    "411": shared_answer(
        "By HTTP/1.0, a body without a length.", "The Content-Length is missing, and so is the body."
    ),
    "413": shared_answer(
        "The body is too large.",
        f"The body is over the limit of {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.",
    ),
    "415": shared_answer(
        "Another Content-Type, or a Content-Encoding other than gzip and deflate.",
        'Unsupported media type "text/csv" in request. Send application/json or application/x-ndjson.',
    ),
}

COMPONENTS: dict[str, Schema] = {
    "schemas": {
        "Record": RECORD,
        "RecordForm": RECORD_FORM,
        "Transaction": TRANSACTION,
        "RefusedRecord": REFUSED_RECORD,
        "BatchReport": BATCH_REPORT,
        "Averages": AVERAGES,
        "Books": BOOKS,
        "AuditEntry": AUDIT_ENTRY,
        "Detail": an_object({"detail": {"type": "string"}}),
    },
    "responses": {**SHARED_ANSWERS, **SHARED_ANSWERS_TO_BODIES},
    "parameters": {
        "X-Request-Id": {
            "in": "header",
            "name": "X-Request-Id",
            "schema": {"type": "string"},
            "description": f"Your own name for the request: 1–{request_ids.CHARACTERS_MAX} of "
            "A–Z a–z 0–9 _ . -, else we make one.",
        }
    },
    "headers": {
        "X-Request-Id": {
            "required": True,
            "schema": {
                "type": "string",
                "pattern": rf"^[A-Za-z0-9_.-]{{1,{request_ids.CHARACTERS_MAX}}}$",
            },
            "description": "The request's name, in our log too.",
        },
        "Retry-After": {
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
            "description": "Seconds to wait.",
        },
        "WWW-Authenticate": {"required": True, "schema": {"type": "string", "enum": ["Bearer"]}},
        "Allow": {"required": True, "schema": {"type": "string"}, "description": "The methods there are."},
        "RateLimit-Limit": {"schema": COUNT, "description": "Records that the bucket holds."},
        "RateLimit-Remaining": {"schema": COUNT, "description": "Records that are left in it."},
        "RateLimit-Reset": {"schema": COUNT, "description": "Seconds until it is full again."},
    },
}


class BearerScheme(OpenApiAuthenticationExtension):
    """How the schema names our tokens; sessions it knows by itself."""

    target_class = "transactions.access.authentication.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        return {"type": "http", "scheme": "bearer", "description": "Made by `manage.py create_token NAME`."}


def complete(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Adds to each call under /api/ what all of them share; drf-spectacular's hook."""
    for kind, pieces in COMPONENTS.items():
        result["components"].setdefault(kind, {}).update(pieces)
    for calls in result["paths"].values():
        for call in calls.values():
            call.setdefault("parameters", []).append(ref("X-Request-Id", "parameters"))
            said = call.get("requestBody", {}).get("content", {})
            if said and all(each["schema"].get("required") for each in said.values()):
                call["requestBody"]["required"] = True
            shared = {**SHARED_ANSWERS, **(SHARED_ANSWERS_TO_BODIES if "requestBody" in call else {})}
            own = call["responses"]
            call["responses"] = dict(sorted((dict.fromkeys(shared) | own).items()))
            for status, answer in call["responses"].items():
                if answer is None:
                    call["responses"][status] = ref(status, "responses")
                else:
                    _add_headers(answer)
    for answer in result["components"]["responses"].values():
        _add_headers(answer)
    return result


def _add_headers(answer: Schema) -> None:
    names = ("X-Request-Id", *HEADERS_OF_LIMITS)
    answer.setdefault("headers", {}).update({name: ref(name, "headers") for name in names})
