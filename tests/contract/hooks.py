"""What schemathesis cannot know: how NDJSON is written, and what there is: a user, a rule, an alert …"""

import json
import os
from typing import Any

import schemathesis

# Where the key of what exists is told, by the beginning of a path; of two that fit the first.
KNOWN = {
    "/api/rules/lists/": "LIST_ID",
    "/api/rules/": "RULE_ID",
    # With that one other calls have taken steps by then.
    "/api/alerts/{id}/claim/": "FREE_ALERT_ID",
    "/api/alerts/": "ALERT_ID",
    "/api/snoozes/": "SNOOZE_ID",
    "/api/webhooks/": "WEBHOOK_ID",
}


@schemathesis.serializer("application/x-ndjson")
def ndjson(context: Any, value: Any) -> bytes:
    """Text as it stands, whatever it is; anything else as a line."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """A user that could exist becomes the one that does, or hardly anything would be accepted."""
    for record in body if isinstance(body, list) else [body]:
        if isinstance(record, dict) and _could_exist(record.get("user")):
            record["user"] = 1
        if isinstance(record, dict) and isinstance(record.get("users"), list):
            record["users"] = [1 if _could_exist(user) else user for user in record["users"]]
    return body


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Two of three rules, lists, alerts … are the one that exists, and its versions have small numbers."""
    path = context.operation.path
    known = next((name for start, name in KNOWN.items() if path.startswith(start)), None)
    if not isinstance(path_parameters, dict) or known is None:
        return path_parameters
    known = os.environ[known]
    if path == "/api/webhooks/{id}/" and context.operation.method.upper() == "DELETE":
        if str(path_parameters.get("id")) == known:
            path_parameters["id"] = 10**12  # that one is still needed
        return path_parameters
    if _could_be_a_key(path_parameters.get("id")) and path_parameters["id"] % 3:
        path_parameters["id"] = int(known)
    if _could_be_a_key(path_parameters.get("number")):
        path_parameters["number"] = 1 + path_parameters["number"] % 9
    return path_parameters


def _could_be_a_key(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _could_exist(user: Any) -> bool:
    return isinstance(user, int) and not isinstance(user, bool) and 0 < user < 2**31
