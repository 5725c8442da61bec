"""The calls about alerts as the OpenAPI schema tells them, each a decorator for its view's method."""

from typing import Any

from drf_spectacular.utils import extend_schema as call

from ..alerts.triage import REASON_CHARACTERS_MAX, SNOOZE_DAYS_MAX, SNOOZE_REASON_CHARACTERS_MAX, UNDO_FOR
from ..review.bodies import BULK_MAX, NEEDS
from ..review.parameters import ORDERS, RULES_DEFAULT, RULES_MAX, SPANS
from ..review.performance import ALERTS_MAX, SAMPLE
from ..review.queue import LOOKED_AT_MAX
from .alert_shapes import (
    A_PERFORMANCE,
    A_SNOOZE,
    AN_ALERT,
    CLAIMED,
    CLOSED,
    COUNTED,
    DISPOSITION,
    EXPLAINED,
    LAST,
    STATE_OF_ALERT,
    VERSION,
    WHO,
)
from .components import JSON, MOMENT, USER, Schema, an_object, ref
from .operations import answer, bad, body, page_of, query
from .rule_shapes import KEY, SEVERITY
from .rules import CURSOR, ID, LIMIT, NO_CURSOR, NOT_FOUND, NOTHING, Decorator

TAG = "Alerts"
SWITCH: Schema = {"type": "string", "enum": ["true", "false"]}
DAY_OR_MOMENT: Schema = {"type": "string"}
SEEN_BY_BOB = "It was claimed by bob meanwhile: nothing of yours was done. Look at it again."
REASON: Schema = {"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS_MAX}
SHORT_REASON: Schema = {"type": "string", "minLength": 1, "maxLength": SNOOZE_REASON_CHARACTERS_MAX}


# --- The queue ---------------------------------------------------------------------------------

ALERT_PARAMETERS = [
    query("state", STATE_OF_ALERT, "Those in this state."),
    query("closed", SWITCH, "Those that are closed, or those that are not."),
    query("mine", SWITCH, "Those that the caller has, or the others."),
    query("unassigned", SWITCH, "Those that nobody has, or the others."),
    query("assignee", WHO, "Those that this account has."),
    query("overdue", SWITCH, "Those that are not closed and should be, or the others."),
    query("severity", SEVERITY, "Those of this severity."),
    query("rule", KEY, "Those of this rule."),
    query("user", USER, "Those of this user."),
    query("disposition", DISPOSITION, "Those that turned out to be this."),
    query("from", DAY_OR_MOMENT, "Opened on this day of UTC or later, or at this moment or later."),
    query("to", DAY_OR_MOMENT, "Opened on this day of UTC or earlier, or before this moment."),
    query(
        "order",
        {"type": "string", "enum": list(ORDERS), "default": ORDERS[0]},
        "The newest first, or of those that are not closed what is due first, or the gravest: "
        "`urgent`, of one severity what waits longest first.",
    ),
    CURSOR,
    LIMIT,
]
ALERTS = call(
    operation_id="listAlerts",
    summary="Alerts, the newest first, or what is due first, or the gravest",
    description="`closed=false` is the queue. Of `mine`, `unassigned` and `assignee` one may be given.",
    tags=[TAG],
    parameters=ALERT_PARAMETERS,
    responses={
        200: page_of("Alert", AN_ALERT),
        400: bad(
            *(str(each.name) for each in ALERT_PARAMETERS),
            nobody={"assignee": ["There is no such account."]},
            cursor=NO_CURSOR,
        ),
    },
)
COUNTS = call(
    operation_id="countAlerts",
    summary="How many alerts are not closed",
    description=f"The newest {LOOKED_AT_MAX:,} are looked at; where there are more, `complete` is false.",
    tags=[TAG],
    responses={200: answer("Of now.", ref("AlertCounts"), some=COUNTED)},
)
ALERT = call(
    operation_id="getAlert",
    summary="An alert, explained",
    description="What its rule says, and the figures that made it, as of raising; the transactions behind it "
    "and where they are today; hits that opened no alert; other alerts and totals of the user; every step.",
    tags=[TAG],
    parameters=[ID],
    responses={200: answer("It.", ref("AlertExplained"), explained=EXPLAINED), 404: NOT_FOUND},
)

# --- Steps -------------------------------------------------------------------------------------

REFUSED = an_object(
    {"detail": {"type": "string"}},
    step=LAST["properties"]["step"],
    by={"type": "string"},
    at=MOMENT,
    version=VERSION,
)


def _step(
    operation_id: str,
    summary: str,
    description: str,
    fields: Schema,
    said: Any,
    example: Any,
    wrong: Any,
    refused: str = "",
    optional: Schema | None = None,
) -> Decorator:
    """A step with an alert; `refused` is why it is not taken now, "" for one that may be taken always."""
    responses = {
        200: answer("What it has become.", ref("Alert"), done=example),
        400: bad(*fields, *(optional or {}), wrong=wrong),
        404: NOT_FOUND,
    }
    if refused:
        told = {"step": "CLAIMED", "by": "bob", "at": AN_ALERT["opened_at"], "version": 2}
        responses[409] = answer(
            "It cannot be done, or somebody else was faster: who, and what. Nothing has changed.",
            REFUSED,
            not_now={"detail": refused},
            overtaken={"detail": SEEN_BY_BOB, **told},
        )
    return call(
        operation_id=operation_id,
        summary=summary,
        description=f"{description} With the right `alerts.change`.",
        tags=[TAG],
        parameters=[ID],
        request={JSON: body(an_object(fields, **(optional or {})), said=said)},
        responses=responses,
    )


SEEN: Schema = {"version": VERSION}
NO_VERSION = {"version": ["This field is required."]}
CLAIM = _step(
    "claimAlert",
    "Take an alert that nobody has, or that one was given",
    "`version` is the one that was seen, as in every step.",
    SEEN,
    {"version": 1},
    CLAIMED,
    NO_VERSION,
    "ann has it already: have it assigned to you, or ask.",
)
ASSIGN = _step(
    "assignAlert",
    "Give an alert to somebody, whoever has it",
    "Who gets it must have the right `alerts.change`. To give it to oneself is to claim it.",
    {**SEEN, "assignee": {"type": "string"}},
    {"version": 1, "assignee": "ann"},
    CLAIMED,
    {"assignee": ["There is no such account."]},
    "It is closed: reopen it first.",
)
RELEASE = _step(
    "releaseAlert",
    "Put an alert back into the queue",
    "For anybody to take. From somebody else it takes a `reason`.",
    SEEN,
    {"version": 2, "reason": "On leave."},
    AN_ALERT,
    {"reason": ["bob has it: say why it is taken away."]},
    "Nobody has it.",
    optional={"reason": REASON},
)
NOTE = _step(
    "noteOnAlert",
    "Add a note to an alert",
    "To a closed one too. No version is asked for, since a note overtakes nobody.",
    {"text": REASON},
    {"text": "Called the customer."},
    AN_ALERT,
    {"text": ["This field may not be blank."]},
)
CLOSE = _step(
    "closeAlert",
    "Say what an alert was, and why",
    "It is closed then.",
    {**SEEN, "disposition": DISPOSITION, "reason": REASON},
    {"version": 2, "disposition": "FALSE_POSITIVE", "reason": "The card was replaced."},
    CLOSED,
    {"disposition": ['"MAYBE" is not a valid choice.']},
    "It is closed: reopen it first.",
)
REOPEN = _step(
    "reopenAlert",
    "Look at a closed alert again",
    "Whoever reopens it has it.",
    {**SEEN, "reason": REASON},
    {"version": 3, "reason": "It came again."},
    CLAIMED,
    NO_VERSION,
    "Another alert of this rule and customer is open: work on that one.",
)
SNOOZE = _step(
    "snoozeAlert",
    "Raise nothing for its rule and user until a moment",
    f"Within {SNOOZE_DAYS_MAX} days; somebody must have looked at the alert. Hits are kept and counted.",
    {**SEEN, "until": MOMENT, "reason": SHORT_REASON},
    {"version": 3, "until": "2026-02-28T12:00:00Z", "reason": "Travels until then."},
    CLOSED,
    {"until": [f"The end must be within the next {SNOOZE_DAYS_MAX} days."]},
    "Nobody has looked at it: claim it, or close it, before it is snoozed.",
)
UNDO = _step(
    "undoAlertStep",
    "Take back one's own last step",
    f"Within {UNDO_FOR.seconds // 60} minutes, as long as it is the last one of all.",
    SEEN,
    {"version": 2},
    AN_ALERT,
    NO_VERSION,
    "The last step is one of bob.",
)
BULK = call(
    operation_id="stepWithManyAlerts",
    summary=f"One step with up to {BULK_MAX} alerts, each by itself",
    description="What the step needs stands beside it: an `assignee`, a `disposition` and `reason`, or "
    "`until` and `reason`. Where it cannot be taken with one, the others are not held up. With the right "
    "`alerts.change`.",
    tags=[TAG],
    request={
        JSON: body(
            an_object(
                {
                    "step": {"type": "string", "enum": list(NEEDS)},
                    "alerts": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": BULK_MAX,
                        "items": an_object({"id": KEY, "version": VERSION}),
                    },
                },
                assignee={"type": "string"},
                disposition=DISPOSITION,
                reason=REASON,
                until=MOMENT,
            ),
            claim={"step": "claim", "alerts": [{"id": 1, "version": 1}, {"id": 2, "version": 3}]},
        )
    },
    responses={
        200: answer(
            "What became of them.",
            an_object(
                {
                    "done": {"type": "array", "items": KEY},
                    "refused": {
                        "type": "array",
                        "items": an_object({"id": KEY, "detail": {"type": "string"}}),
                    },
                }
            ),
            one_of_two={"done": [1], "refused": [{"id": 2, "detail": SEEN_BY_BOB}]},
        ),
        400: bad(
            "step",
            "alerts",
            "assignee",
            "disposition",
            "reason",
            "until",
            needed={"reason": ["The step close needs it."]},
        ),
    },
)

# --- Snoozes, and how rules perform ------------------------------------------------------------

SNOOZE_PARAMETERS = [
    query("in_force", SWITCH, "Those that have not ended, or those that have."),
    query("rule", KEY, "Those of this rule."),
    query("user", USER, "Those of this user."),
    CURSOR,
    LIMIT,
]
SNOOZES = call(
    operation_id="listSnoozes",
    summary="Snoozes, the one that ends last first",
    tags=[TAG],
    parameters=SNOOZE_PARAMETERS,
    responses={
        200: page_of("Snooze", A_SNOOZE),
        400: bad(*(str(each.name) for each in SNOOZE_PARAMETERS), cursor=NO_CURSOR),
    },
)
ENDED = {**A_SNOOZE, "in_force": False, "ended_by": "ann"}
END_SNOOZE = call(
    operation_id="endSnooze",
    summary="End a snooze before its time",
    description="With the right `alerts.change`.",
    tags=[TAG],
    parameters=[ID],
    request=NOTHING,
    responses={
        200: answer("It has ended.", ref("Snooze"), ended=ENDED),
        400: bad(unknown_field={"until": ["Unknown field. There are none."]}),
        404: NOT_FOUND,
        409: answer(
            "It has ended already.", ref("Detail"), ended={"detail": "It ended at 2026-02-28 12:00 UTC."}
        ),
    },
)
PERFORMANCE_PARAMETERS = [
    query(
        "days",
        {"type": "string", "enum": [str(days) for days in SPANS], "default": "30"},
        "Over how many days.",
    ),
    query("rule", KEY, "This rule alone."),
    CURSOR,
    query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": RULES_MAX, "default": RULES_DEFAULT},
        "How many rules at most.",
    ),
]
PERFORMANCE = call(
    operation_id="rulePerformance",
    summary="How rules perform: precision, time to close, overlap",
    description=f"Of the alerts opened in the span, of each rule the latest {ALERTS_MAX:,}. `precision` is "
    "true positives of true and false ones. An alert belongs to the version that opened it. `overlaps` says "
    f"how many of `sampled` hits, of each version the latest {SAMPLE}, another rule found too.",
    tags=["Rules"],
    parameters=PERFORMANCE_PARAMETERS,
    responses={
        200: page_of("RulePerformance", A_PERFORMANCE),
        400: bad("days", "rule", "cursor", "limit", cursor=NO_CURSOR),
    },
)
