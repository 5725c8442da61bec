"""Reading bodies: JSON that is bounded in size and depth, and NDJSON for batches."""

import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class AlwaysJSON(BaseContentNegotiation):
    """Every answer is JSON, whatever the client says that it accepts."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""


def bounded(stream: IO[bytes]) -> bytes:
    """All of a request's body. Raises RequestDataTooBig over DATA_UPLOAD_MAX_MEMORY_SIZE bytes."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def decode(text: bytes) -> Any:
    """A JSON document. Raises ParseError for what is no JSON, nested too deep, or not UTF-8."""
    try:
        return json.loads(text.decode(), parse_constant=_no_constant)
    except RecursionError:
        raise ParseError("JSON parse error - nested too deep") from None
    except ValueError as error:
        raise ParseError(f"JSON parse error - {error}") from None


class BoundedJSONParser(BaseParser):
    """One JSON document."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return decode(bounded(stream))


class NDJSONParser(BoundedJSONParser):
    """A JSON document a line; empty lines do not count. A line that is none becomes its ParseError."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        documents: list[Any] = []
        for line in bounded(stream).split(b"\n"):
            if line.strip():
                try:
                    documents.append(decode(line))
                except ParseError as error:
                    documents.append(error)
        return documents
