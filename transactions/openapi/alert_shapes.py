"""Alerts, snoozes and how rules perform as the OpenAPI schema shows them, and an example of each."""

from typing import Any

from ..alerts.models import AlertState, Disposition, Step
from ..models import Status
from ..review.customer import COUNTED_MAX, DAYS
from ..rules.models import Hit, VersionState
from .components import AMOUNT, COUNT, MOMENT, USER, Schema, an_object, ref
from .rule_shapes import A_MOMENT, KEY, MOMENT_OR_NULL, NUMBER, SENTENCE, SEVERITY

STATE_OF_ALERT: Schema = {"type": "string", "enum": list(AlertState.values)}
DISPOSITION: Schema = {"type": "string", "enum": list(Disposition.values)}
VERSION: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": 2**31 - 1,
    "description": "Counts the changes by people.",
}
WHO: Schema = {"type": "string", "description": "The name of an account."}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}


def _or_null(shape: Schema) -> Schema:
    return {"anyOf": [shape, {"type": "null"}]}


ALERT_PIECES: dict[str, Schema] = {
    "id": KEY,
    "version": {**VERSION, "description": "To be given with the next step."},
    "rule": KEY,
    "rule_name": {"type": "string", "description": "By then."},
    "severity": SEVERITY,
    "user": {**_or_null(USER), "description": "null for what is about the whole system."},
    "state": STATE_OF_ALERT,
    "opened_at": MOMENT,
    "due_at": MOMENT_OR_NULL,
    "overdue": {"type": "boolean"},
    "assignee": _or_null(WHO),
    "touched_at": {**MOMENT, "description": "When the last hit joined it."},
    "hits": COUNT,
    "suppressed": {**COUNT, "description": "Hits that came soon after it was closed."},
    "closed_at": MOMENT_OR_NULL,
    "closed_by": _or_null(WHO),
    "disposition": _or_null(DISPOSITION),
    "reason": TEXT_OR_NULL,
}
SUPPRESSED: Schema = _or_null({"type": "string", "enum": list(Hit.Suppressed.values)})
HIT_OF_ALERT = an_object(
    {
        "id": KEY,
        "version": {**NUMBER, "description": "Of the rule."},
        "transaction": _or_null(KEY),
        "transaction_id": TEXT_OR_NULL,
        "happened_at": MOMENT,
        "raised_at": MOMENT,
        "figures": {"type": "object", "description": "As of raising."},
        "explanation": {**TEXT_OR_NULL, "description": "null where the sentence says all."},
        "suppressed": SUPPRESSED,
    }
)
STATUS_OR_NULL: Schema = _or_null({"type": "string", "enum": Status.values})
EVIDENCE = an_object(
    {
        "transaction": {**_or_null(KEY), "description": "null for what is about the whole system."},
        "transaction_id": TEXT_OR_NULL,
        "amount": _or_null(AMOUNT),
        "status": {**STATUS_OR_NULL, "description": "As of raising."},
        "happened_at": MOMENT,
        "status_now": {**STATUS_OR_NULL, "description": "null where it is gone."},
        "gone": {"type": "boolean", "description": "The transaction is not stored any more."},
        "hit": {**_or_null(ref("HitOfAlert")), "description": "null for one that only counts towards a hit."},
    }
)
SNOOZE_SHAPE = an_object(
    {
        "id": KEY,
        "rule": KEY,
        "rule_name": TEXT_OR_NULL,
        "user": _or_null(USER),
        "alert": {**_or_null(KEY), "description": "From which it was asked for."},
        "reason": {"type": "string"},
        "made_by": _or_null(WHO),
        "made_at": MOMENT,
        "ends_at": MOMENT,
        "in_force": {"type": "boolean"},
        "ended_by": {**_or_null(WHO), "description": "Who ended it before its time."},
        "hits": {**COUNT, "description": "That it has kept away."},
    }
)
TOTALS = an_object(
    {
        "days": {"type": "integer", "const": DAYS},
        **dict.fromkeys(("transactions", "succeeded", "failed", "pending"), COUNT),
        "amount_succeeded": COUNT,
        "complete": {
            "type": "boolean",
            "description": f"Whether that is all; else every figure is of the latest {COUNTED_MAX:,}.",
        },
        "first_at": {**MOMENT_OR_NULL, "description": "The user's first transaction of all."},
    }
)
LAST = an_object(
    {
        "step": {"type": "string", "enum": list(Step.values)},
        "by": {"type": "string", "description": "The name of the account by then."},
        "at": MOMENT,
        "text": TEXT_OR_NULL,
        "until": {**MOMENT_OR_NULL, "description": "Until when a snooze was to last."},
        "disposition": {**_or_null(DISPOSITION), "description": "As what the step closed it."},
        "version": {**VERSION, "description": "Of the alert, after it."},
    }
)
FIGURES: dict[str, Schema] = {
    "hits": COUNT,
    "alerts": COUNT,
    "closed": COUNT,
    "true_positive": COUNT,
    "false_positive": COUNT,
    "expected": COUNT,
    "duplicate": COUNT,
    "precision": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "median_seconds_to_close": {"type": ["integer", "null"], "minimum": 0},
    "last_hit_at": {**MOMENT_OR_NULL, "description": "null where it never fired."},
}
COMPONENTS: dict[str, Schema] = {
    "Alert": an_object(ALERT_PIECES),
    "AlertExplained": an_object(
        {
            **ALERT_PIECES,
            "rule_version": {**_or_null(NUMBER), "description": "That opened it."},
            "sentence": _or_null(SENTENCE),
            "explanation": {**TEXT_OR_NULL, "description": "The figures of the latest hit."},
            "what_to_do": TEXT_OR_NULL,
            "transactions": {"type": "array", "items": ref("Evidence")},
            "hits_left_out": {**COUNT, "description": "Hits that are not shown."},
            "suppressed_hits": {"type": "array", "items": ref("HitOfAlert")},
            "snooze": _or_null(ref("Snooze")),
            "totals": _or_null(TOTALS),
            "others": {"type": "array", "items": ref("Alert")},
            "events": {"type": "array", "items": LAST},
        }
    ),
    "AlertCounts": an_object(
        {
            "not_closed": COUNT,
            **dict.fromkeys(("open", "in_review", "overdue", "unassigned", "mine"), COUNT),
            "by_severity": an_object(dict.fromkeys(SEVERITY["enum"], COUNT)),
            "complete": {"type": "boolean"},
        }
    ),
    "Evidence": EVIDENCE,
    "HitOfAlert": HIT_OF_ALERT,
    "Snooze": SNOOZE_SHAPE,
    "RulePerformance": an_object(
        {
            "rule": KEY,
            "name": {"type": "string"},
            "severity": SEVERITY,
            **FIGURES,
            "versions": {
                "type": "array",
                "items": an_object(
                    {
                        "number": NUMBER,
                        "state": {"type": "string", "enum": list(VersionState.values)},
                        **FIGURES,
                    }
                ),
            },
            "sampled": COUNT,
            "overlaps": {
                "anyOf": [
                    {
                        "type": "array",
                        "items": an_object({"rule": KEY, "name": {"type": "string"}, "both": COUNT}),
                    },
                    {"type": "null"},
                ],
                "description": "null where it could not be told in time.",
            },
        }
    ),
}


def add(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Adds what calls about alerts share; drf-spectacular's hook, before `components.complete`."""
    result["components"].setdefault("schemas", {}).update(COMPONENTS)
    return result


# --- Examples ----------------------------------------------------------------------------------

AN_ALERT: dict[str, Any] = {
    "id": 1,
    "version": 1,
    "rule": 1,
    "rule_name": "Failures in a row",
    "severity": "HIGH",
    "user": 1,
    "state": "OPEN",
    "opened_at": A_MOMENT,
    "due_at": "2026-01-31T16:00:00Z",
    "overdue": False,
    "assignee": None,
    "touched_at": A_MOMENT,
    "hits": 4,
    "suppressed": 0,
    "closed_at": None,
    "closed_by": None,
    "disposition": None,
    "reason": None,
}
CLAIMED = {**AN_ALERT, "version": 2, "state": "IN_REVIEW", "assignee": "ann"}
CLOSED = {
    **CLAIMED,
    "version": 3,
    "state": "CLOSED",
    "closed_at": "2026-01-31T12:20:00Z",
    "closed_by": "ann",
    "disposition": "FALSE_POSITIVE",
    "reason": "The card was replaced.",
}
COUNTED = {
    "not_closed": 12,
    "open": 9,
    "in_review": 3,
    "overdue": 2,
    "unassigned": 9,
    "mine": 1,
    "by_severity": {"LOW": 1, "MEDIUM": 4, "HIGH": 6, "CRITICAL": 1},
    "complete": True,
}
A_HIT_OF_ALERT = {
    "id": 1,
    "version": 1,
    "transaction": 7,
    "transaction_id": "TRX123456",
    "happened_at": A_MOMENT,
    "raised_at": A_MOMENT,
    "figures": {"count": 8},
    "explanation": "8 failures within 10 minutes",
    "suppressed": None,
}
A_SNOOZE = {
    "id": 1,
    "rule": 1,
    "rule_name": "Failures in a row",
    "user": 1,
    "alert": 1,
    "reason": "Travels until then.",
    "made_by": "ann",
    "made_at": A_MOMENT,
    "ends_at": "2026-02-28T12:00:00Z",
    "in_force": True,
    "ended_by": None,
    "hits": 0,
}
EXPLAINED = {
    **CLAIMED,
    "rule_version": 1,
    "sentence": "At least 5 transactions of a customer fail within 10 minutes.",
    "explanation": "8 failures within 10 minutes",
    "what_to_do": "Call the customer.",
    "transactions": [
        {
            "transaction": 7,
            "transaction_id": "TRX123456",
            "amount": 420,
            "status": "FAILED",
            "happened_at": A_MOMENT,
            "status_now": "FAILED",
            "gone": False,
            "hit": A_HIT_OF_ALERT,
        }
    ],
    "hits_left_out": 3,
    "suppressed_hits": [],
    "snooze": None,
    "totals": {
        "days": DAYS,
        "transactions": 40,
        "succeeded": 31,
        "failed": 8,
        "pending": 1,
        "amount_succeeded": 4812000,
        "complete": True,
        "first_at": "2024-03-14T09:30:00Z",
    },
    "others": [],
    "events": [
        {
            "step": "CLAIMED",
            "by": "ann",
            "at": A_MOMENT,
            "text": None,
            "until": None,
            "disposition": None,
            "version": 2,
        }
    ],
}
_FIGURES = {
    "hits": 204,
    "alerts": 51,
    "closed": 50,
    "true_positive": 42,
    "false_positive": 8,
    "expected": 0,
    "duplicate": 0,
    "precision": 0.84,
    "median_seconds_to_close": 1320,
    "last_hit_at": A_MOMENT,
}
A_PERFORMANCE = {
    "rule": 1,
    "name": "Failures in a row",
    "severity": "HIGH",
    **_FIGURES,
    "versions": [{"number": 1, "state": "ACTIVE", **_FIGURES}],
    "sampled": 200,
    "overlaps": [{"rule": 2, "name": "Large amounts", "both": 12}],
}
