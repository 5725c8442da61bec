"""What schemathesis cannot know: how NDJSON is written, and that user 1 exists."""

import json
from typing import Any

import schemathesis


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
    return body


def _could_exist(user: Any) -> bool:
    return isinstance(user, int) and not isinstance(user, bool) and 0 < user < 2**31
