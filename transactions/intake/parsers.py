"""Reading bodies: JSON that is bounded in size and depth, and NDJSON for batches."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from . import decoder

# A record is one level deep, a batch two.
DEPTH_MAX = 64
NO_BATCH = "Expected a JSON array of transactions, or NDJSON."
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_STEP = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def bounded(stream: IO[bytes]) -> bytes:
    """All of a request's body. Raises RequestDataTooBig over DATA_UPLOAD_MAX_MEMORY_SIZE bytes."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _too_deep(text: bytes) -> bool:
    """Pythons differ in how deep a document their parser bears, so the limit is our own."""
    if text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for token in _BRACKETS.finditer(text):
        depth += _STEP.get(token[0], 0)
        if depth > DEPTH_MAX:
            return True
    return False


def decode(text: bytes) -> Any:
    """A JSON document. Raises ParseError for what is no JSON, nested too deep, or not UTF-8."""
    if _too_deep(text):
        raise decoder.TooDeep
    try:
        return json.loads(text.decode(), parse_constant=_no_constant)
    except ValueError as error:
        raise ParseError(f"JSON parse error - {error}") from None


class BoundedJSONParser(BaseParser):
    """One JSON document; its kinds read the bounded body in their own way."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return self.read(bounded(stream))

    def read(self, body: bytes) -> Any:
        """What the body says. Raises ParseError."""
        return decode(body)


class BatchParser(BoundedJSONParser):
    """A JSON array: plainly right items as Records, the others as they are."""

    def read(self, body: bytes) -> Any:
        items = decoder.records(body, decode)
        # Not plainly an array: the slower parser says what it is instead.
        return decode(body) if items is None else items


class NDJSONParser(BoundedJSONParser):
    """A JSON document a line; empty lines do not count. A line that is none becomes its ParseError."""

    media_type = "application/x-ndjson"

    def read(self, body: bytes) -> Any:
        return decoder.each((line for line in body.split(b"\n") if line.strip()), decode)
