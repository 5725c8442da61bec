"""The calls about events and webhooks as the OpenAPI schema tells them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from drf_spectacular.utils import extend_schema as call

from ..notifications.delivery import ATTEMPTS_MAX
from ..notifications.endpoints import BOTH_FOR, DESCRIPTION_CHARACTERS_MAX, ENDPOINTS_MAX
from ..notifications.models import TYPES, URL_CHARACTERS_MAX, DeliveryState, Endpoint, Format, MessageType
from ..notifications.numbering import KEPT_DAYS
from ..reading.paging import LIMIT_DEFAULT, LIMIT_MAX
from .components import COUNT, JSON, MOMENT, Schema, an_object, ref
from .operations import answer, bad, body, page_of, query
from .rule_shapes import A_MOMENT, KEY, MOMENT_OR_NULL
from .rules import CURSOR, ID, LIMIT, NOT_FOUND, NOTHING, NOTHING_KNOWN, UNKNOWN_PARAMETER, Decorator

TAG, EVENTS_TAG = "Webhooks", "Events"
A_KEY: Schema = {"type": "string", "pattern": "^msg_[0-9a-f]{32}$"}
URL: Schema = {"type": "string", "format": "uri", "maxLength": URL_CHARACTERS_MAX}
DESCRIPTION: Schema = {"type": "string", "maxLength": DESCRIPTION_CHARACTERS_MAX}
SOME_TYPES: Schema = {
    "type": "array",
    "items": {"type": "string", "enum": list(TYPES)},
    "description": "None means all.",
}
EVENT_FIELDS: Schema = {
    "id": {**A_KEY, "description": "`webhook-id`, where it came by webhook too."},
    "type": {"type": "string", "enum": list(TYPES)},
    "timestamp": MOMENT,
    "data": {"type": "object"},
}
A_FORMAT: Schema = {
    "type": "string",
    "enum": Format.values,
    "description": "Signed by Standard Webhooks, or in words for a channel of Slack or Teams.",
}
ENDPOINT_FIELDS: Schema = {
    "id": KEY,
    "format": A_FORMAT,
    "url": {"type": "string", "description": "Of a channel cut: it is the secret."},
    "description": {"type": "string"},
    "types": SOME_TYPES,
    "off": {
        "type": ["string", "null"],
        "enum": [*Endpoint.Off.values, None],
        "description": "Why nothing is sent there; null while it is on.",
    },
    "off_at": MOMENT_OR_NULL,
    "failures": {**COUNT, "description": "Attempts that failed since one got through."},
    "failing_since": MOMENT_OR_NULL,
    "old_secret_until": {**MOMENT_OR_NULL, "description": "Until then the secret before signs too."},
    "made_at": MOMENT,
    "made_by": {"type": ["string", "null"]},
}
SECRET: Schema = {
    "type": ["string", "null"],
    "pattern": "^whsec_",
    "description": "Shown this once; null where messages are not signed.",
}
ATTEMPT = an_object(
    {
        "at": MOMENT,
        "status": {"type": ["integer", "null"]},
        "error": {"type": "string"},
        "answer": {"type": "string", "description": "Its beginning."},
        "milliseconds": COUNT,
    }
)
DELIVERY = an_object(
    {
        "id": KEY,
        "message": A_KEY,
        "type": {"type": "string", "enum": MessageType.values},
        "position": {"type": ["integer", "null"], "description": "Among the events; null for a test."},
        "made_at": MOMENT,
        "state": {"type": "string", "enum": DeliveryState.values},
        "attempts": COUNT,
        "due_at": {**MOMENT_OR_NULL, "description": "The next attempt."},
        "log": {"type": "array", "items": ATTEMPT},
    }
)
SCHEMAS: dict[str, Schema] = {
    "Event": an_object({"position": KEY, **EVENT_FIELDS}),
    "Webhook": an_object(ENDPOINT_FIELDS),
    "WebhookWithSecret": an_object({**ENDPOINT_FIELDS, "secret": SECRET}),
    "WebhookDelivery": DELIVERY,
}


def add(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Adds the shapes to the components; drf-spectacular's hook."""
    result["components"].setdefault("schemas", {}).update(SCHEMAS)
    return result


AN_EVENT = {
    "position": 12,
    "id": "msg_0b0b8e1f6d6f4b7c9f3a1c2d3e4f5a6b",
    "type": "system.alarm",
    "timestamp": A_MOMENT,
    "data": {"alarm": 1, "key": "queue", "text": "9,500,000 records wait, of 10,000,000 that may."},
}
A_WEBHOOK = {
    "id": 1,
    "format": "standard",
    "url": "https://example.org/webhooks",
    "description": "On-call",
    "types": ["alert.opened", "system.alarm"],
    "off": None,
    "off_at": None,
    "failures": 0,
    "failing_since": None,
    "old_secret_until": None,
    "made_at": A_MOMENT,
    "made_by": "ann",
}
WITH_SECRET = {**A_WEBHOOK, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
A_DELIVERY = {
    "id": 1,
    "message": AN_EVENT["id"],
    "type": "system.alarm",
    "position": 12,
    "made_at": A_MOMENT,
    "state": "DELIVERED",
    "attempts": 1,
    "due_at": None,
    "log": [{"at": A_MOMENT, "status": 204, "error": "", "answer": "", "milliseconds": 31}],
}
A_CHANNEL = {
    **A_WEBHOOK,
    "format": "slack",
    "url": "https://hooks.slack.com/…Kx3d",
    "description": "#fraud",
    "secret": None,
}
# The view says this.
REMOVED = "Removed."
NO_URL = {"url": ["This is not a URL, as in https://example.org/webhooks."]}
OFF = {"detail": "It is off: switch it on first."}
NO_KEY = {"detail": "Webhooks are switched off: WEBHOOK_SECRET_KEYS is not set, and secrets need a key."}

OF_DELIVERY = OpenApiParameter("delivery", KEY, OpenApiParameter.PATH)
RIGHT = "With the right `webhooks.manage`."


EVENTS = call(
    operation_id="listEvents",
    summary="What happened, in order and without a gap",
    description="Ask again with `after` as the answer has it: `more` says whether at once, or later. Events "
    f"are kept for {KEPT_DAYS} days; who comes too late is answered 410. With the right `events.view`.",
    tags=[EVENTS_TAG],
    parameters=[
        query(
            "after",
            {"type": "integer", "minimum": 0, "maximum": 2**63 - 1, "default": 0},
            "The position of the last event that is known; 0 for all there are.",
        ),
        query(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
            "How many at most.",
        ),
    ],
    responses={
        200: answer(
            "Those that follow.",
            an_object(
                {
                    "results": {"type": "array", "items": ref("Event")},
                    "after": COUNT,
                    "more": {"type": "boolean"},
                }
            ),
            some={"results": [AN_EVENT], "after": 12, "more": False},
        ),
        400: bad("after", "limit", unknown={"after": ["The last event is 12."]}),
        410: answer(
            "They are not kept any more.",
            ref("Detail"),
            gone={
                "detail": f"Events are kept for {KEPT_DAYS} days: those up to 7 are gone. "
                "Go on with after=7, and look at what is open."
            },
        ),
    },
)
WEBHOOKS = call(
    operation_id="listWebhooks",
    summary="Webhooks, in the order in which they were made",
    description=RIGHT,
    tags=[TAG],
    parameters=[CURSOR, LIMIT],
    responses={
        200: page_of("Webhook", A_WEBHOOK),
        400: bad("cursor", "limit", unknown=UNKNOWN_PARAMETER),
    },
)
ADD_WEBHOOK = call(
    operation_id="addWebhook",
    summary="A webhook",
    description=f"The answer has its secret, this once. {RIGHT}",
    tags=[TAG],
    request={
        JSON: body(
            an_object(
                {"url": URL},
                description=DESCRIPTION,
                types=SOME_TYPES,
                format={**A_FORMAT, "default": Format.STANDARD.value},
            ),
            all={"url": "https://example.org/webhooks"},
            some={
                "url": "https://example.org/webhooks",
                "description": "On-call",
                "types": ["alert.opened", "system.alarm"],
            },
            channel={"url": "https://hooks.slack.com/services/T0/B0/x", "format": "slack"},
        )
    },
    responses={
        201: answer("Made.", ref("WebhookWithSecret"), made=WITH_SECRET, channel=A_CHANNEL),
        400: bad("url", "description", "types", "format", no_url=NO_URL),
        409: answer(
            f"The server has no key for secrets, or {ENDPOINTS_MAX:,} webhooks.", ref("Detail"), no_key=NO_KEY
        ),
    },
)
WEBHOOK = call(
    operation_id="getWebhook",
    summary="A webhook",
    description=RIGHT,
    tags=[TAG],
    parameters=[ID],
    responses={200: answer("It.", ref("Webhook"), webhook=A_WEBHOOK), 404: NOT_FOUND},
)
CHANGE_WEBHOOK = call(
    operation_id="changeWebhook",
    summary="Change a webhook",
    description=f"What waits for it goes to the new URL. {RIGHT}",
    tags=[TAG],
    parameters=[ID],
    request={
        JSON: body(
            an_object({}, url=URL, description=DESCRIPTION, types=SOME_TYPES),
            some={"types": ["alert.opened"]},
        )
    },
    responses={
        200: answer("It.", ref("Webhook"), webhook=A_WEBHOOK),
        400: bad("url", "description", "types", no_url=NO_URL),
        404: NOT_FOUND,
        409: answer("The server has no key for the URL of a channel.", ref("Detail"), no_key=NO_KEY),
    },
)
REMOVE_WEBHOOK = call(
    operation_id="removeWebhook",
    summary="Remove a webhook, with its log",
    description=RIGHT,
    tags=[TAG],
    parameters=[ID],
    responses={200: answer("Removed.", ref("Detail"), removed={"detail": REMOVED}), 404: NOT_FOUND},
)


def _step(
    operation_id: str, summary: str, description: str, status: int, found: Any, refused: str = "", *more: Any
) -> Decorator:
    responses = {status: found, 400: NOTHING_KNOWN, 404: NOT_FOUND}
    if refused:
        responses[409] = answer("Nothing has changed.", ref("Detail"), refused={"detail": refused})
    return call(
        operation_id=operation_id,
        summary=summary,
        description=f"{description} {RIGHT}".strip(),
        tags=[TAG],
        parameters=[ID, *more],
        request=NOTHING,
        responses=responses,
    )


_IT = answer("It.", ref("Webhook"), webhook=A_WEBHOOK)
_WAITS = answer(
    "It waits for a worker.",
    ref("WebhookDelivery"),
    waiting={**A_DELIVERY, "state": "WAITING", "attempts": 0, "due_at": A_MOMENT, "log": []},
)
ROTATE_WEBHOOK = _step(
    "rotateWebhook",
    "Another secret",
    f"For {BOTH_FOR.total_seconds() / 3_600:.0f} hours messages are signed with the one before too.",
    200,
    answer("It.", ref("WebhookWithSecret"), rotated=WITH_SECRET),
    "Its URL is its secret: have another one made there, and give it that.",
)
SWITCH_OFF = _step(
    "switchWebhookOff", "Switch a webhook off", "What happens meanwhile is not kept for it.", 200, _IT,
    "It is off already.",
)  # fmt: skip
SWITCH_ON = _step(
    "switchWebhookOn", "Switch a webhook on", "What still waited is sent.", 200, _IT, "It is on already."
)
TEST_WEBHOOK = _step(
    "testWebhook", "Send a test message", "Of the type `webhook.test`.", 202, _WAITS, OFF["detail"]
)
SEND_AGAIN = _step(
    "sendAgain",
    "Send a message once more",
    f"At once, with the id that it has, and up to {ATTEMPTS_MAX} attempts.",
    202,
    _WAITS,
    OFF["detail"],
    OF_DELIVERY,
)
DELIVERIES = call(
    operation_id="listDeliveries",
    summary="What was sent to a webhook, the newest first",
    description=f"Kept for {KEPT_DAYS} days. {RIGHT}",
    tags=[TAG],
    parameters=[
        ID,
        query("state", {"type": "string", "enum": DeliveryState.values}, "Those in this state."),
        CURSOR,
        LIMIT,
    ],
    responses={
        200: page_of("WebhookDelivery", A_DELIVERY),
        400: bad("state", "cursor", "limit", unknown=UNKNOWN_PARAMETER),
        404: NOT_FOUND,
    },
)
