"""The calls about rules as the OpenAPI schema tells them, each a decorator for its view's method."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from drf_spectacular.utils import extend_schema as call

from ..fields import NO_USER
from ..reading.paging import CURSOR_CHARACTERS_MAX, LIMIT_DEFAULT, LIMIT_MAX
from ..rulebook.bodies import USERS_MAX
from ..rules.documents import DOCUMENT_BYTES_MAX
from ..rules.models import APPROVED
from ..rules.schema import DESCRIPTION, NAME, RULES_MAX
from ..rules.user_lists import COMMENT_MAX
from .components import COUNT, JSON, USER, Schema, an_object, field_errors, ref
from .operations import answer, bad, body, page_of, query
from .rule_shapes import (
    A_HIT,
    A_LIST,
    A_RULE,
    A_VERSION,
    AN_AMOUNT,
    AN_ENTRY,
    KEY,
    KIND,
    MOMENT_OR_NULL,
    NUMBER,
    SEVERITY,
    STATE,
    TAKEN,
    TOO_LATE,
    WITH_VERSIONS,
)

Decorator = Callable[[Any], Any]

TAG, LISTS_TAG = "Rules", "Lists of users"
# The view says this.
NOT_TAKEN = "The file was not taken: {} wrong."

# --- Pieces of calls ---------------------------------------------------------------------------


def _path(name: str, shape: Schema = KEY) -> OpenApiParameter:
    return OpenApiParameter(name, shape, OpenApiParameter.PATH)


ID, OF_NUMBER = _path("id"), _path("number", NUMBER)
CURSOR = query("cursor", {"type": "string", "maxLength": CURSOR_CHARACTERS_MAX}, "As it stands in `next`.")
LIMIT = query(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    "How many at most.",
)
OF_NAME = query("name", NAME, "The one of this name.")
NOT_FOUND = answer("No such one.", ref("Detail"), unknown={"detail": "Not found."})
LIMIT_OF_ZERO = {
    "parameters.amount": ["the amount must be a whole number from 1 to 9,223,372,036,854,775,807"]
}
NO_WINDOW = {"parameters.window": ["the window must be one of 10m, 1h, 6h, 24h, 7d, 30d"]}
NO_CURSOR = {"cursor": ["This is no cursor of this list."]}
UNKNOWN_PARAMETER = {"stat": ['Unknown parameter. Did you mean "state"?']}


def _conflict(description: str, **examples: Any) -> Any:
    return answer(description, {"anyOf": [field_errors("name"), ref("Detail")]}, **examples)


# --- Rules -------------------------------------------------------------------------------------

RULE_PARAMETERS = [
    OF_NAME,
    query("state", STATE, "Those for which a version in this state stands; the answer says which."),
    query("kind", KIND, "Those with a version of this kind."),
    query("severity", SEVERITY, "Those of this severity."),
    CURSOR,
    LIMIT,
]
RULES = call(
    operation_id="listRules",
    summary="Rules, in the order in which they were made",
    description="Each with the version that stands for it.",
    tags=[TAG],
    parameters=RULE_PARAMETERS,
    responses={
        200: page_of("Rule", A_RULE),
        400: bad(*(str(each.name) for each in RULE_PARAMETERS), unknown=UNKNOWN_PARAMETER),
    },
)
ADD_RULE = call(
    operation_id="addRule",
    summary="A rule and its first draft",
    description="A draft judges nothing. With the right `rules.change`; the caller is its author.",
    tags=[TAG],
    request={JSON: body(ref("NewRule"), large=AN_AMOUNT)},
    responses={
        201: answer("Made.", ref("RuleWithVersions"), made=WITH_VERSIONS),
        400: bad(
            "name", "severity", "description", "kind", "parameters", limit=LIMIT_OF_ZERO, window=NO_WINDOW
        ),
        409: _conflict("There is one of that name.", taken=TAKEN),
    },
)
RULE = call(
    operation_id="getRule",
    summary="A rule, with its versions, the newest first",
    tags=[TAG],
    parameters=[ID],
    responses={200: answer("It.", ref("RuleWithVersions"), rule=WITH_VERSIONS), 404: NOT_FOUND},
)
RENAME_RULE = call(
    operation_id="renameRule",
    summary="Give a rule another name",
    description="All else that is said of it belongs to a version, and is approved with that.",
    tags=[TAG],
    parameters=[ID],
    request={JSON: body(an_object({"name": NAME}), name={"name": "Very large amounts"})},
    responses={
        200: answer("It.", ref("RuleWithVersions"), renamed={**WITH_VERSIONS, "name": "Very large amounts"}),
        400: bad("name", unknown_field={"Name": ['Unknown field. Did you mean "name"?']}),
        404: NOT_FOUND,
        409: _conflict("There is one of that name.", taken=TAKEN),
    },
)
ADD_VERSION = call(
    operation_id="addVersion",
    summary="Another draft",
    description="Of `parameters`, or, to go back, of those of `from_version`. Severity and description are "
    "as they were unless they are given: they are approved with it.",
    tags=[TAG],
    parameters=[ID],
    request={
        JSON: body(
            ref("NewVersion"),
            other={"parameters": {"amount": 2_000_000}},
            back={"from_version": 1, "severity": "HIGH"},
        )
    },
    responses={
        201: answer("Made.", ref("RuleVersion"), made={**A_VERSION, "state": "DRAFT"}),
        400: bad("from_version", "severity", "description", "kind", "parameters", window=NO_WINDOW),
        404: NOT_FOUND,
    },
)
VERSION = call(
    operation_id="getVersion",
    summary="A version",
    tags=[TAG],
    parameters=[ID, OF_NUMBER],
    responses={200: answer("It.", ref("RuleVersion"), version=A_VERSION), 404: NOT_FOUND},
)
NOTHING = {JSON: body(an_object({}), nothing={})}
NOTHING_KNOWN = bad(unknown_field={"state": ["Unknown field. There are none."]})


def _step(
    operation_id: str, summary: str, description: str, request: Any = NOTHING, refused: Any = NOTHING_KNOWN
) -> Decorator:
    return call(
        operation_id=operation_id,
        summary=summary,
        description=description,
        tags=[TAG],
        parameters=[ID, OF_NUMBER],
        request=request,
        responses={
            200: answer("What it has become.", ref("RuleVersion"), version=A_VERSION),
            400: refused,
            404: NOT_FOUND,
            409: _conflict("It cannot take that step; nothing has changed.", state=TOO_LATE),
        },
    )


SUBMIT_VERSION = _step("submitVersion", "Ask for approval of a draft", "With the right `rules.change`.")
APPROVE_VERSION = _step(
    "approveVersion",
    "Bring a version into force",
    "With the right `rules.approve`. It judges what happens from the next full minute on, or from "
    "`effective_from` in the past, a full minute too. SHADOW raises hits and no alerts; it may be "
    "approved again, as ACTIVE. The version that was ACTIVE ends. With FOUR_EYES its author is answered 403.",
    {
        JSON: body(
            an_object(
                {},
                state={"type": "string", "enum": [state.value for state in APPROVED], "default": "ACTIVE"},
                effective_from=MOMENT_OR_NULL,
            ),
            next_minute={},
            a_week_back={"state": "SHADOW", "effective_from": "2026-01-24T12:00:00Z"},
        )
    },
    bad(
        "state",
        "effective_from",
        unknown_field={"State": ['Unknown field. Did you mean "state"?']},
        second={"effective_from": ["A version begins at a full minute, and not later than the next."]},
    ),
)
RETIRE_VERSION = _step(
    "retireVersion",
    "End a version, or withdraw one that is not in force yet",
    "With the right `rules.approve`; its author withdraws a draft, or what was submitted, with "
    "`rules.change`. It ends at the next full minute.",
)
HIT_PARAMETERS = [
    query("version", NUMBER, "Those of this version."),
    query("user", USER, "Those of this user."),
    CURSOR,
    LIMIT,
]
HITS_OF_RULE = call(
    operation_id="listHits",
    summary="What a rule has found, the latest raised first",
    tags=[TAG],
    parameters=[ID, *HIT_PARAMETERS],
    responses={
        200: page_of("Hit", A_HIT),
        400: bad(
            *(str(each.name) for each in HIT_PARAMETERS),
            cursor=NO_CURSOR,
        ),
        404: NOT_FOUND,
    },
)

# --- Files of rules ----------------------------------------------------------------------------

RULE_SCHEMA = call(
    operation_id="getRuleSchema",
    summary="The JSON Schema of files of rules",
    tags=[TAG],
    responses={
        200: answer(
            "Draft 2020-12.",
            {"type": "object", "required": ["$schema", "properties"]},
            shortened={"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {}},
        )
    },
)
A_FILE = {"lists": [], "rules": [{**AN_AMOUNT, "severity": "MEDIUM", "description": ""}]}
EXPORT_RULES = call(
    operation_id="exportRules",
    summary="A file of rules: of each the version in force, or the newest that waits to be",
    tags=[TAG],
    parameters=[OF_NAME],
    responses={
        200: answer("All rules that are not retired, or the one that is named.", ref("RuleFile"), one=A_FILE),
        400: bad("name", unknown={"Name": ['Unknown parameter. Did you mean "name"?']}),
    },
)
IMPORT_RULES = call(
    operation_id="importRules",
    summary="Make drafts of a file of rules, all or nothing",
    description=f"Up to {RULES_MAX:,} rules in {DOCUMENT_BYTES_MAX:,} bytes. A rule is known by its name; "
    "where the version in force, or one that waits, says the same already there is no other draft.",
    tags=[TAG],
    request={JSON: body(ref("RuleFile"), one=A_FILE)},
    responses={
        200: answer(
            "Taken.",
            an_object(
                {
                    "drafts": {
                        "type": "array",
                        "items": an_object({"id": KEY, "name": NAME, "version": NUMBER}),
                    },
                    "unchanged": {"type": "array", "items": NAME},
                }
            ),
            one={"drafts": [{"id": 1, "name": "Large amounts", "version": 1}], "unchanged": []},
        ),
        400: answer(
            "Nothing was taken.",
            {
                "anyOf": [
                    an_object(
                        {
                            "detail": {"type": "string"},
                            "problems": {
                                "type": "array",
                                "items": an_object(
                                    {
                                        "line": {"type": "integer", "minimum": 1},
                                        "where": {"type": "string", "description": "Which rule or list."},
                                        "reason": {"type": "string"},
                                    }
                                ),
                            },
                        },
                        problems_left_out={"type": "integer", "minimum": 1},
                    ),
                    field_errors(),
                    ref("Detail"),
                ]
            },
            half_right={
                "detail": NOT_TAKEN.format(1),
                "problems": [
                    {
                        "line": 4,
                        "where": "rule 2",
                        "reason": "parameters.window: the window must be one of 10m, 1h, 6h, 24h, 7d, 30d",
                    }
                ],
            },
        ),
    },
)

# --- Lists of users ----------------------------------------------------------------------------

LISTS = call(
    operation_id="listUserLists",
    summary="Lists of users, in the order in which they were made",
    tags=[LISTS_TAG],
    parameters=[OF_NAME, CURSOR, LIMIT],
    responses={
        200: page_of("UserList", A_LIST),
        400: bad("name", "cursor", "limit", cursor=NO_CURSOR),
    },
)
ADD_LIST = call(
    operation_id="addUserList",
    summary="A list of users, empty at first",
    description="It keeps its name, by which rules know it.",
    tags=[LISTS_TAG],
    request={JSON: body(an_object({"name": NAME}, description=DESCRIPTION), watched={"name": "Watched"})},
    responses={
        201: answer("Made.", ref("UserList"), made={**A_LIST, "standing": 0}),
        400: bad("name", "description", unknown_field={"Name": ['Unknown field. Did you mean "name"?']}),
        409: _conflict("There is one of that name.", taken={"name": ["there is a list “Watched” already"]}),
    },
)
LIST = call(
    operation_id="getUserList",
    summary="A list of users",
    tags=[LISTS_TAG],
    parameters=[ID],
    responses={200: answer("It.", ref("UserList"), watched=A_LIST), 404: NOT_FOUND},
)
ENTRY_PARAMETERS = [
    query("user", USER, "Those of this user."),
    query("standing", {"type": "string", "enum": ["true", "false"]}, "Those in force now, or the others."),
    CURSOR,
    LIMIT,
]
ENTRIES = call(
    operation_id="listEntries",
    summary="Who stands on a list, and who did, by user",
    tags=[LISTS_TAG],
    parameters=[ID, *ENTRY_PARAMETERS],
    responses={
        200: page_of("ListEntry", AN_ENTRY),
        400: bad(
            *(str(each.name) for each in ENTRY_PARAMETERS),
            standing={"standing": ['Must be "true" or "false".']},
        ),
        404: NOT_FOUND,
    },
)
NO_SUCH_USER = {"users": [NO_USER.format(pk=999)]}
ADD_ENTRIES = call(
    operation_id="addEntries",
    summary=f"Put up to {USERS_MAX:,} users on a list",
    description="From the next full minute on, until before `expires_at`, another full minute; all or none. "
    "Who stands there as long already is not put there again, so the same may be sent again.",
    tags=[LISTS_TAG],
    parameters=[ID],
    request={
        JSON: body(
            an_object(
                {"users": {"type": "array", "items": USER, "minItems": 1, "maxItems": USERS_MAX}},
                comment={"type": "string", "maxLength": COMMENT_MAX},
                expires_at=MOMENT_OR_NULL,
            ),
            one={"users": [1], "comment": "chargebacks"},
        )
    },
    responses={
        200: answer(
            "What became of them.",
            an_object({"added": COUNT, "there_already": COUNT}),
            one={"added": 1, "there_already": 0},
        ),
        400: bad("users", "comment", "expires_at", no_user=NO_SUCH_USER),
        404: NOT_FOUND,
    },
)
END_ENTRY = call(
    operation_id="endEntry",
    summary="Take a user off a list at the next full minute",
    description="All entries of the user on that list end; where this one has ended already nothing changes.",
    tags=[LISTS_TAG],
    parameters=[ID, _path("entry")],
    request=NOTHING,
    responses={
        200: answer("As it is now.", ref("ListEntry"), ended={**AN_ENTRY, "ends_at": "2026-02-01T12:00:00Z"}),
        400: bad(unknown_field={"ends_at": ["Unknown field. There are none."]}),
        404: NOT_FOUND,
    },
)
