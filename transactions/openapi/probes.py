"""/livez, /readyz and /metrics in the OpenAPI schema, which finds only the REST framework's views."""

from typing import Any

from .components import JSON, Schema, an_object, ref


def _answer(description: str, schema: Schema, example: Any, media_type: str = JSON) -> Schema:
    content = {media_type: {"schema": schema, "examples": {"example": {"value": example}}}}
    return {
        "description": description,
        "headers": {"X-Request-Id": ref("X-Request-Id", "headers")},
        "content": content,
    }


def _call(operation_id: str, summary: str, responses: Schema, *, is_open: bool) -> Schema:
    security: list[Schema] = [{"bearer": []}, {"cookieAuth": []}]
    described = {"operationId": operation_id, "summary": summary, "tags": ["Watching"]}
    # No credentials are one of the alternatives.
    security += [{}] if is_open else []
    return {"get": {**described, "security": security, "responses": responses}}


READINESS: Schema = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"type": "string", "enum": ["ready", "not ready"]},
        "problems": {"type": "array", "items": {"type": "string"}},
    },
}
ALIVE = an_object({"status": {"type": "string", "enum": ["alive"]}})
TEXT = "text/plain"

PATHS: Schema = {
    "/livez": _call(
        "live",
        "Is the process alive?",
        {"200": _answer("It is.", ALIVE, {"status": "alive"})},
        is_open=True,
    ),
    "/readyz": _call(
        "ready",
        "Is the system fit to take money in? Details for those who may read.",
        {
            "200": _answer("It is.", READINESS, {"status": "ready"}),
            "503": _answer(
                "It is not.", READINESS, {"status": "not ready", "problems": ["Redis does not answer"]}
            ),
        },
        is_open=True,
    ),
    "/metrics": _call(
        "metrics",
        "The system in figures, for Prometheus.",
        {
            "200": _answer("All figures.", {"type": "string"}, "transactions_queue_length 0.0\n", TEXT),
            "401": ref("401", "responses"),
            "403": ref("403", "responses"),
            "503": _answer("PostgreSQL, which knows the rights, is away.", ref("Detail"), {"detail": "…"}),
        },
        is_open=False,
    ),
}


def add(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Adds the calls that are not under /api/; drf-spectacular's hook, after `components.complete`."""
    result["paths"].update(PATHS)
    return result
