"""The calls about backtests as the OpenAPI schema tells them, each a decorator for its view's method."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from drf_spectacular.utils import extend_schema as call

from ..rulebook.backtests import LISTED_MAX
from ..rules.backtest_result import SAMPLE, TOP
from ..rules.backtest_runs import RANGE_DAYS, RANGE_DAYS_MAX, UNFINISHED_MAX, UNFINISHED_OF_RULE_MAX
from ..rules.models import BacktestState
from .components import AMOUNT, COUNT, JSON, MOMENT, USER, Schema, an_object, ref
from .operations import answer, bad, body
from .rule_shapes import A_MOMENT, KEY, KIND, MOMENT_OR_NULL, NUMBER, PARAMETERS, SENTENCE, WHO
from .rules import ID, LIMIT_OF_ZERO, NOT_FOUND, NOTHING, TAG

A_DAY: Schema = {"type": "string", "format": "date"}
ZONE: Schema = {
    "type": "string",
    "default": "UTC",
    "description": "Whose days hits are counted by: any IANA name.",
}


def _or_null(shape: Schema) -> Schema:
    return {"anyOf": [shape, {"type": "null"}]}


RESULT = an_object(
    {
        "hits": COUNT,
        "users": COUNT,
        "episodes": {**COUNT, "description": "About as many alerts: hits of a user without quiet between."},
        "amounts": {
            **an_object(
                {"total": COUNT, "least": _or_null(AMOUNT), "most": _or_null(AMOUNT)},
                **dict.fromkeys(("succeeded", "failed", "pending"), COUNT),
            ),
            "description": "Of the hits: of all; and apart, of those that succeeded, failed or are pending. "
            "Results of earlier releases tell of all alone.",
        },
        "days": {
            "type": "array",
            "description": "Every day of the backtest's `timezone`, those without a hit too.",
            "items": an_object({"day": A_DAY, "hits": COUNT, "episodes": COUNT}),
        },
        "top_users": {
            "type": "array",
            "maxItems": TOP,
            "items": an_object({"user": USER, "hits": COUNT}),
        },
        "sample": {
            "type": "array",
            "maxItems": SAMPLE,
            "description": "Some hits, each as likely as any other.",
            "items": an_object(
                {
                    "id": _or_null(KEY),
                    "transaction_id": {"type": "string"},
                    "user": _or_null(USER),
                    "happened_at": MOMENT,
                    "amount": _or_null(AMOUNT),
                    "status": {"type": "string"},
                    "figures": {"type": "object"},
                    "explanation": {"type": "string", "description": "Empty where the sentence says all."},
                }
            ),
        },
        "beside": {
            **_or_null(
                an_object(
                    {"hits": COUNT, "episodes": COUNT, "both": COUNT, "only_this": COUNT, "only_other": COUNT}
                )
            ),
            "description": "What the version in force finds; null where there is none to compare with.",
        },
        "alerts": {
            "type": "array",
            "description": "Past alerts of the rule, and how many of them would have been raised again.",
            "items": an_object(
                {"disposition": {"type": ["string", "null"]}, "alerts": COUNT, "again": COUNT}
            ),
        },
        "days_with_transactions": {**COUNT, "description": "Days on which anything happened."},
        "seconds": {"type": "number", "minimum": 0},
    }
)
PIECES: dict[str, Schema] = {
    "id": KEY,
    "rule": KEY,
    "version": {**_or_null(NUMBER), "description": "null for a wording that is in none."},
    "kind": KIND,
    "parameters": PARAMETERS,
    "sentence": SENTENCE,
    "beside": {**_or_null(NUMBER), "description": "The version in force that it is compared with."},
    "from": MOMENT,
    "to": MOMENT,
    "timezone": {"type": "string", "description": "Whose days `days` are."},
    "state": {"type": "string", "enum": list(BacktestState.values)},
    "progress": {"type": "number", "minimum": 0, "maximum": 1},
    "asked_by": WHO,
    "asked_at": MOMENT,
    "started_at": MOMENT_OR_NULL,
    "ended_at": MOMENT_OR_NULL,
    "cancel_asked": {"type": "boolean"},
    "error": {"type": ["string", "null"], "description": "Why it FAILED."},
}
COMPONENTS: dict[str, Schema] = {
    "Backtest": an_object(PIECES),
    "BacktestResult": RESULT,
    "BacktestWithResult": an_object({**PIECES, "result": _or_null(ref("BacktestResult"))}),
}


def add(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Adds what calls about backtests share; drf-spectacular's hook, before `components.complete`."""
    result["components"].setdefault("schemas", {}).update(COMPONENTS)
    return result


A_BACKTEST = {
    "id": 1,
    "rule": 1,
    "version": 2,
    "kind": "amount",
    "parameters": {"amount": 1_000_000},
    "sentence": "The amount is at least 1,000,000.",
    "beside": 1,
    "from": "2026-01-01T12:00:00Z",
    "to": A_MOMENT,
    "timezone": "UTC",
    "state": "QUEUED",
    "progress": 0,
    "asked_by": "ann",
    "asked_at": A_MOMENT,
    "started_at": None,
    "ended_at": None,
    "cancel_asked": False,
    "error": None,
}
QUEUED = {**A_BACKTEST, "result": None}
CANCELLED = {**QUEUED, "state": "CANCELLED", "ended_at": A_MOMENT}
OF_BACKTEST = OpenApiParameter("backtest", KEY, OpenApiParameter.PATH)
BACKTESTS = call(
    operation_id="listBacktests",
    summary="The backtests of a rule, the newest first",
    description="Without their results. Old ones are removed.",
    tags=[TAG],
    parameters=[ID],
    responses={
        200: answer(
            "Those there are.",
            an_object({"results": {"type": "array", "items": ref("Backtest"), "maxItems": LISTED_MAX}}),
            one={"results": [A_BACKTEST]},
        ),
        404: NOT_FOUND,
    },
)
ADD_BACKTEST = call(
    operation_id="addBacktest",
    summary="Ask for a backtest",
    description="Of a version, of a wording that is in none yet (its parameters; the kind is the rule's "
    f"unless it is given), or of the newest version. It looks at the {RANGE_DAYS} days up to now unless "
    f"`from` and `to` say another range, of at most {RANGE_DAYS_MAX:,} days. With the right `rules.change`.",
    tags=[TAG],
    parameters=[
        ID,
        OpenApiParameter(
            "Location",
            {"type": "string", "format": "uri"},
            OpenApiParameter.HEADER,
            description="Where it is watched.",
            response=[202],
        ),
    ],
    request={
        JSON: body(
            an_object(
                {},
                version=NUMBER,
                kind=KIND,
                parameters=PARAMETERS,
                timezone=ZONE,
                **{"from": MOMENT_OR_NULL, "to": MOMENT_OR_NULL},
            ),
            newest={},
            wording={"kind": "amount", "parameters": {"amount": 2_000_000}},
            range={
                "version": 1,
                "from": "2026-01-01T00:00:00+09:00",
                "to": "2026-01-31T00:00:00+09:00",
                "timezone": "Asia/Tokyo",
            },
        )
    },
    responses={
        202: answer("It waits for a worker.", ref("BacktestWithResult"), queued=QUEUED),
        400: bad("version", "kind", "parameters", "from", "to", "timezone", limit=LIMIT_OF_ZERO),
        404: NOT_FOUND,
        409: answer(
            f"{UNFINISHED_OF_RULE_MAX} of the rule or {UNFINISHED_MAX} in all wait or run.",
            ref("Detail"),
            too_many={"detail": f"{UNFINISHED_MAX} backtests wait or run: wait for one to end."},
        ),
    },
)
BACKTEST = call(
    operation_id="getBacktest",
    summary="A backtest: how far it is, and what came of it",
    description="`result` is null until it is DONE.",
    tags=[TAG],
    parameters=[ID, OF_BACKTEST],
    responses={200: answer("It.", ref("BacktestWithResult"), queued=QUEUED), 404: NOT_FOUND},
)
CANCEL_BACKTEST = call(
    operation_id="cancelBacktest",
    summary="End a backtest",
    description="At once where it waits; one that runs ends within a slice, and says `cancel_asked` until "
    "then. With the right `rules.change`.",
    tags=[TAG],
    parameters=[ID, OF_BACKTEST],
    request=NOTHING,
    responses={
        200: answer("It is, or will be, cancelled.", ref("BacktestWithResult"), cancelled=CANCELLED),
        400: bad("version", unknown_field={"Version": ["Unknown field. There are none."]}),
        404: NOT_FOUND,
        409: answer("It has ended.", ref("Detail"), done={"detail": "The backtest has ended: it is done."}),
    },
)
