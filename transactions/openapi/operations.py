"""Every call of the API as the OpenAPI schema tells it, each a decorator for its view's method."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse
from drf_spectacular.utils import extend_schema as call

from .. import fields, tables
from ..audit.actions import KINDS, Action
from ..audit.models import NAME_MAX, REASON_MAX, Via
from ..intake import outcomes
from ..intake.answers import OBTAINED, most_records
from ..intake.batches import ERRORS_TOLD_MAX
from ..intake.parsers import NO_BATCH
from ..models import TRANSACTION_ID_CHARACTERS_MAX
from ..reading import audit_trail
from ..reading.averages import DAYS_MAX
from ..reading.paging import CURSOR_CHARACTERS_MAX, LIMIT_DEFAULT, LIMIT_MAX
from .components import AMOUNT, JSON, RECORD_FIELDS, STATUS, USER, Schema, an_object, field_errors, ref

POSTED = {"transaction_id": "TRX123456", "user": 1, "amount": 1000, "status": "PENDING"}
STORED = {"id": 7, **POSTED, "created_at": "2026-01-31T12:00:00Z"}
NO_CONFLICTS = {"accepted": 2, "duplicates": 0, "conflicts": 0, "invalid": 0, "errors": []}
UNKNOWN_FIELD = {"Status": ['Unknown field. Did you mean "status"?']}
UNKNOWN_PARAMETER = {"state": ['Unknown parameter. Did you mean "status"?']}
NO_USER = {"user": [fields.NO_USER.format(pk=999)]}


def _examples(values: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample(name, value=value) for name, value in values.items()]


def answer(description: str, schema: Any, **examples: Any) -> OpenApiResponse:
    """An answer and examples of it by their names."""
    return OpenApiResponse(schema, description, _examples(examples))


def body(schema: Schema, **examples: Any) -> Any:
    return OpenApiRequest(schema, examples=_examples(examples))


def query(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


def bad(*names: str, **examples: Any) -> OpenApiResponse:
    """400, by the names of fields or parameters, or in a sentence."""
    found = {"anyOf": [field_errors(*names), ref("Detail")]}
    return answer("What would be right, by field; or what cannot be read at all.", found, **examples)


def page_of(name: str, example: Any) -> OpenApiResponse:
    """200 of a list that is read page by page, by the name of the component of which it is."""
    shape = an_object(
        {
            "results": {"type": "array", "items": ref(name)},
            "next": {"type": ["string", "null"], "format": "uri"},
        }
    )
    return answer("A page.", shape, last_page={"results": [example], "next": None})


MESSAGE = an_object({"message": {"type": "string"}})
WHOLE_BATCH = {"type": "array", "items": ref("Record")}
REPORT = ref("BatchReport")
NOT_JSON = {"detail": "JSON parse error - Expecting value: line 1 column 1 (char 0)"}
INVALID = {"index": 0, "transaction_id": "TRX123456", "code": outcomes.Code.INVALID.value}
CONFLICTING = {"index": 1, "transaction_id": "TRX123456", "code": outcomes.Code.CONFLICT.value}
HELD = {"index": 0, "transaction_id": "TRX123457", "code": outcomes.Code.HELD.value}

ADD_TRANSACTION = call(
    operation_id="addTransaction",
    summary="Post one transaction",
    description="200 says that it is on disk. Sent again with the same `transaction_id`, it is recognised: "
    "the same record is answered 200 with `Idempotent-Replayed`, SUCCESS or FAILED settles a PENDING one, "
    "anything else is 409. So after a time-out, 429 or 503 send the same again.",
    tags=["Posting"],
    parameters=[
        OpenApiParameter(
            "Idempotent-Replayed",
            {"type": "string", "enum": ["true"]},
            OpenApiParameter.HEADER,
            description="This had been accepted before; nothing happened.",
            response=[200],
        )
    ],
    request={
        JSON: body(ref("Record"), pending=POSTED, settles={**POSTED, "status": "SUCCESS"}),
        "application/x-www-form-urlencoded": body(ref("RecordForm"), pending=POSTED),
        "multipart/form-data": body(ref("RecordForm"), pending=POSTED),
    },
    responses={
        200: answer("Safe.", MESSAGE, accepted=OBTAINED),
        400: bad(
            *RECORD_FIELDS,
            "non_field_errors",
            no_user=NO_USER,
            unknown_field=UNKNOWN_FIELD,
            not_json=NOT_JSON,
        ),
        409: answer(
            "Another transaction has this id; these fields differ, and nothing changes.",
            field_errors(*RECORD_FIELDS),
            other_amount={"amount": [outcomes.CONFLICT]},
        ),
    },
)
ADD_TRANSACTIONS = call(
    operation_id="addTransactions",
    summary="Post many transactions",
    description="Each record is judged as if it were posted alone; 200 lists the first "
    f"{ERRORS_TOLD_MAX} that were not accepted, and says how many more there are. "
    f"Up to {most_records(atomic=False):,}, with `atomic=true` {most_records(atomic=True):,}; a batch "
    "counts its records against the rate limit.",
    tags=["Posting"],
    parameters=[
        query(
            "atomic",
            {"type": "string", "enum": ["true", "false"], "default": "false"},
            "All or none: 400 or 409 with the same report when one is refused.",
        )
    ],
    request={
        JSON: body(WHOLE_BATCH, two=[POSTED, {**POSTED, "transaction_id": "TRX123457"}]),
        "application/x-ndjson": body(
            {"type": "string"},
            two='{"transaction_id": "TRX123458", "user": 1, '
            '"amount": 5}\n{"transaction_id": "TRX123459", "user": 1, "amount": 7}\n',
        ),
    },
    responses={
        200: answer(
            "What became of them.",
            REPORT,
            all_accepted=NO_CONFLICTS,
            one_refused={
                **NO_CONFLICTS,
                "accepted": 1,
                "conflicts": 1,
                "errors": [{**CONFLICTING, "errors": {"amount": [outcomes.CONFLICT]}}],
            },
        ),
        400: answer(
            "No batch, or with `atomic` a record that is not valid.",
            {"anyOf": [REPORT, field_errors("atomic"), ref("Detail")]},
            no_array={"detail": NO_BATCH},
            atomic={"atomic": ['Must be "true" or "false".']},
            held={
                **NO_CONFLICTS,
                "accepted": 0,
                "invalid": 1,
                "errors": [{**INVALID, "errors": NO_USER}],
            },
        ),
        409: answer(
            "With `atomic`: a record conflicts, and none was accepted.",
            REPORT,
            held={
                **NO_CONFLICTS,
                "accepted": 0,
                "conflicts": 1,
                "errors": [
                    {**HELD, "errors": {"non_field_errors": [outcomes.HELD]}},
                    {**CONFLICTING, "errors": {"amount": [outcomes.CONFLICT]}},
                ],
            },
        ),
    },
)
TRANSACTION = call(
    operation_id="getTransaction",
    summary="One transaction",
    description="By its `transaction_id`, else by its primary key. Found from the moment it was accepted.",
    tags=["Reading"],
    parameters=[
        OpenApiParameter(
            "id", {"type": "string", "minLength": 1}, OpenApiParameter.PATH, description="Percent-encoded."
        )
    ],
    responses={
        200: answer(
            "The latest accepted state.",
            ref("Transaction"),
            stored=STORED,
            waiting={**STORED, "id": None},
            rejected={**STORED, "id": None, "rejected": "user 1 does not exist"},
        ),
        404: answer("No such transaction.", ref("Detail"), unknown={"detail": "Not found."}),
    },
)
DAY_OR_MOMENT = "`YYYY-MM-DD`, a day of `timezone`, or a moment in ISO 8601 with an offset"
OF_ZONE = query("timezone", {"type": "string", "default": "UTC"}, "Whose days: any IANA name.")
OF_USER = query("user", USER, "Those of this user.")
OF_STATUS = query("status", STATUS, "Those in this state.")
LIST_PARAMETERS = [
    query(
        "transaction_id",
        {"type": "string", "maxLength": TRANSACTION_ID_CHARACTERS_MAX},
        "The one of this id, wherever it is.",
    ),
    OF_USER,
    OF_STATUS,
    query("amount_min", AMOUNT, "At least this."),
    query("amount_max", AMOUNT, "At most this."),
    query("from", {"type": "string"}, f"`created_at` from here on: {DAY_OR_MOMENT}."),
    query("to", {"type": "string"}, f"Up to here: {DAY_OR_MOMENT}; the day is included, the moment not."),
    OF_ZONE,
    query("cursor", {"type": "string", "maxLength": CURSOR_CHARACTERS_MAX}, "As it stands in `next`."),
    query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        "How many at most.",
    ),
]
# Whoever reads it does not know how the system is set up.
BEHIND = (
    "Where lists are read from a standby, what was stored in the last seconds may not be in it yet; "
    "one transaction by its id always is."
)
TRANSACTIONS = call(
    operation_id="listTransactions",
    summary="Stored transactions, newest first",
    description=f"Follow `next`: no row is skipped or repeated while others arrive. {BEHIND}",
    tags=["Reading"],
    parameters=LIST_PARAMETERS,
    responses={
        200: page_of("Transaction", STORED),
        400: bad(
            *(str(each.name) for each in LIST_PARAMETERS),
            limit={"limit": ["Expected an integer, or a string of digits."]},
            unknown=UNKNOWN_PARAMETER,
        ),
    },
)
DAY: Schema = {"type": "string", "format": "date"}
AVERAGE_PARAMETERS = [
    query("from", DAY, "The first day."),
    query("to", DAY, "The last day, included."),
    OF_ZONE,
    OF_STATUS,
    OF_USER,
]
AVERAGES = call(
    operation_id="averageTransactions",
    summary="Average, count and total of each day",
    description=f"At most {DAYS_MAX:,} days in one answer. {BEHIND}",
    tags=["Reading"],
    parameters=AVERAGE_PARAMETERS,
    responses={
        200: answer(
            "The days that hold something, in order.",
            ref("Averages"),
            one_day={
                "from": "2026-01-31",
                "to": "2026-01-31",
                "timezone": "UTC",
                "data": [{"day": "2026-01-31", "average": 1000, "count": 3, "total": 3000}],
            },
        ),
        400: bad(*(str(each.name) for each in AVERAGE_PARAMETERS), to={"to": ["This is before `from`."]}),
    },
)
PIPELINE = call(
    operation_id="getPipeline",
    summary="The books",
    description="accepted = stored + settled + duplicates + rejected + buffered + in_flight. While "
    "PostgreSQL is away all that it keeps is null, and `balanced` too. `in_flight` and `balanced` alone are "
    "null, rarely, where the flush commits faster than both stores can be read: ask again. `removed` and "
    "`pruned` left the table since these books were opened; `rows` are stored - removed - pruned over all "
    "books.",
    tags=["Reading"],
    responses={
        200: answer(
            "As of one moment.",
            ref("Books"),
            balanced={
                **{"accepted": 3, "stored": 1, "settled": 1, "duplicates": 0, "rejected": 0, "buffered": 1},
                **{"in_flight": 0, "balanced": True, "removed": 0, "pruned": 0, "rows": 1},
                **{"oldest_buffered_seconds": 0.412},
                "last_flush": "2026-01-31T12:00:00Z",
                "rules": {
                    **{"versions": 12, "debt_records": 0, "oldest_debt_seconds": None},
                    **{"open_alerts": 3, "last_hit": "2026-01-31T11:48:12Z"},
                },
            },
        )
    },
)
# The view answers this very text.
DELETED = {"message": f"Deleted all rows from {tables.TRANSACTIONS} table"}
# PostgreSQL's texts have no NUL.
TEXT: Schema = {"type": "string", "pattern": r"^[^\x00]*$"}
DELETE_TRANSACTIONS = call(
    operation_id="deleteTransactions",
    summary="Delete everything",
    description="Where ALLOW_DELETE_ALL is on; else 403. Files that were uploaded to be imported go too.",
    tags=["Administering"],
    parameters=[
        query(
            "reason",
            {**TEXT, "maxLength": REASON_MAX},
            "Why: it is kept in the audit trail. Something to see, without control characters.",
        )
    ],
    responses={
        200: answer("Done.", MESSAGE, done=DELETED),
        400: bad("reason", unknown={"why": ["Unknown parameter. Known are: reason."]}),
    },
)
WHOLE_NAME: Schema = {**TEXT, "maxLength": NAME_MAX}
TRAIL_PARAMETERS = [
    query("actor", WHOLE_NAME, "Done by this account, or user of the operating system."),
    query("token", WHOLE_NAME, "With the token of this name."),
    query("via", {"type": "string", "enum": Via.values}, "Through this."),
    query("address", WHOLE_NAME, "From this address, or host."),
    query("request_id", WHOLE_NAME, "In the request of this name, or the run of a command."),
    query("target", WHOLE_NAME, "Done to what bears this name."),
    query("target_id", WHOLE_NAME, "Done to what has this key."),
    query(
        "action",
        {"type": "string", "enum": [*Action.values, *KINDS]},
        "One action, or by its first word all of a kind.",
    ),
    query("from", {"type": "string"}, "From here on: `YYYY-MM-DD` (UTC), or a moment in ISO 8601."),
    query("to", {"type": "string"}, "Up to here: the day is included, the moment not."),
    query(
        "cursor",
        {"type": "integer", "format": "int64", "minimum": 1, "maximum": audit_trail.NUMBER_MAX},
        "As it stands in `next`: entries before this number.",
    ),
    query(
        "limit",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": LIMIT_MAX,
            "default": LIMIT_DEFAULT,
        },
        "How many at most.",
    ),
]
AUDIT = call(
    operation_id="listAuditTrail",
    summary="Who did what, newest first",
    description="With the right `audit`. Numbers have no gaps, and each entry's hash is over itself and the "
    "hash before.",
    tags=["Administering"],
    parameters=TRAIL_PARAMETERS,
    responses={
        200: page_of(
            "AuditEntry",
            {
                "number": 1,
                "at": "2026-01-31T12:00:00.000000Z",
                "action": Action.TOKEN_MADE.value,
                "actor": "ann",
                "actor_id": 7,
                "via": Via.ADMIN.value,
                "token": "",
                "address": "203.0.113.9",
                "request_id": "4c9b52f0",
                "target": "till 1",
                "target_id": "12",
                "reason": "",
                "details": {"rights": ["post"]},
                "previous": "0" * 64,
                "hash": "5f" * 32,
            },
        ),
        400: bad(
            *(str(each.name) for each in TRAIL_PARAMETERS),
            action={"action": ["No such action. Expected one as in token.made, or token."]},
        ),
    },
)
SCHEMA = call(
    operation_id="getSchema",
    summary="This schema",
    tags=["About"],
    responses={
        200: answer(
            "OpenAPI 3.1.",
            {"type": "object", "required": ["openapi", "paths"]},
            shortened={"openapi": "3.1.1", "paths": {}},
        )
    },
)
DOCS = call(
    operation_id="getDocs",
    summary="The schema as a page",
    tags=["About"],
    responses={(200, "text/html"): answer("For a browser.", OpenApiTypes.STR)},
)
