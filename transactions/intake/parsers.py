"""Reading bodies: JSON that is bounded in size and depth, forms, and batches, which are decoded later."""

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import QueryDict
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser, MultiPartParser

from ..encodings import charset_fault, escapes_fault, mark_fault
from ..fields import NegativeZero
from ..names import Repeated
from . import decoder
from .json_shape import shape
from .outcomes import IntakeUnavailable

# Batches of more bytes, or of more records that are not plainly right, are counted and judged one at a time
# in a process, since each may take seconds and much memory. WAITING_MAX wait for that, for WAIT_S seconds;
# others are answered 503 at once, for whoever waits holds one of Django's threads.
LARGE_BYTES = 256 * 1024
LARGE_RECORDS = 1_000
WAITING_MAX = 1
WAIT_S = 2.0
_places = threading.BoundedSemaphore(1 + WAITING_MAX)
_large = threading.Lock()
# A record is one level deep, a batch two.
DEPTH_MAX = 64
CUT_SHORT = "Multipart form parse error - the form is cut short: its closing boundary is missing."
MANY_LARGE = "Too many large batches at once."
NO_BATCH = "Expected a JSON array of transactions, or NDJSON."
_ARRAY = re.compile(rb"[ \t\n\r]*\[")
# What the head of a part says; no value of a transaction has more than one line.
_PART_TYPE = re.compile(rb"^content-type:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
# A line that is not empty, from its first character on.
_LINE = re.compile(rb"[^\s][^\n]*+")


def bounded(stream: IO[bytes]) -> bytes:
    """All of a request's body. Raises RequestDataTooBig over DATA_UPLOAD_MAX_MEMORY_SIZE bytes."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    return body


def _of_one_record(body: bytes, form: str) -> None:
    """Raises ParseError for more than one transaction can need: megabytes take seconds to read."""
    if len(body) > decoder.RECORD_BYTES_MAX:
        raise ParseError(f"The {form} of a transaction has at most {decoder.RECORD_BYTES_MAX:,} bytes.")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _whole(digits: str) -> int:
    return NegativeZero() if digits == "-0" else int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    return Repeated(pairs, {name for name, _ in pairs if name in seen or seen.add(name)})  # type: ignore[func-returns-value]


def _too_deep(text: bytes) -> bool:
    """Pythons differ in how deep a document their parser bears, so the limit is our own."""
    return text.count(b"[") + text.count(b"{") > DEPTH_MAX and shape(text, DEPTH_MAX).depth > DEPTH_MAX


def decode(text: bytes) -> Any:
    """A JSON document; an object with repeated names is a Repeated.

    Raises ParseError for what is no JSON, nested too deep, or not UTF-8.
    """
    if _too_deep(text):
        raise decoder.TooDeep
    try:
        return json.loads(
            text.decode(), parse_int=_whole, parse_constant=_no_constant, object_pairs_hook=_object
        )
    except ValueError as error:
        # Python says that of a number of thousands of digits, and how to let it in.
        why = "a number is too long" if str(error).startswith("Exceeds the limit") else error
        raise ParseError(f"JSON parse error - {why}") from None


class UnsupportedCharset(UnsupportedMediaType):
    """A body, or a part of a form, in another charset than UTF-8."""


def _stated_well(content_type: str) -> None:
    """Raises UnsupportedCharset."""
    if fault := charset_fault(content_type):
        raise UnsupportedCharset(content_type, fault)


class BoundedParser(BaseParser):
    """A body bounded in size; its kinds read it in their own way."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        _stated_well(media_type or "")
        body = bounded(stream)
        if fault := mark_fault(body):
            raise ParseError(fault)
        return self.read(body)

    def read(self, body: bytes) -> Any:
        """What the body says. Raises ParseError."""
        raise NotImplementedError


class BoundedJSONParser(BoundedParser):
    """One JSON document."""

    media_type = "application/json"

    def read(self, body: bytes) -> Any:
        _of_one_record(body, "JSON")
        return decode(body)


class BoundedFormParser(BoundedParser):
    """A form, in UTF-8: Django would take what is none for Latin-1."""

    media_type = "application/x-www-form-urlencoded"

    def read(self, body: bytes) -> QueryDict:
        _of_one_record(body, "form")
        try:
            form = body.decode()
        except UnicodeDecodeError:
            raise ParseError("The form is not UTF-8.") from None
        if fault := escapes_fault(form, "form"):
            raise ParseError(fault)
        return QueryDict(form, encoding="utf-8")


class WholeMultiPartParser(MultiPartParser):
    """A multipart form, of which the end is there: Django takes half a value for the value."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        _stated_well(media_type or "")
        body = bounded(stream)
        _of_one_record(body, "form")
        for content_type in _PART_TYPE.findall(body):
            _stated_well(content_type.decode("latin-1"))
        _, parameters = parse_header_parameters(media_type or "")
        boundary = re.escape(parameters.get("boundary", "").encode("latin-1", "replace"))
        if boundary and not re.search(rb"(?:\A|\n)--%s--[ \t]*(?:\r?\n|\Z)" % boundary, body):
            raise ParseError(CUT_SHORT)
        return super().parse(BytesIO(body), media_type, parser_context)


class PostedBatch(ABC):
    """A batch as it was posted. It is counted, and paid for, before any of it is decoded."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @contextmanager
    def turn(self, records: int = 0) -> Iterator[None]:
        """Within it the batch may be counted or, of so many `records`, judged. Raises IntakeUnavailable where
        others take long.
        """
        if len(self._body) <= LARGE_BYTES and records <= LARGE_RECORDS:
            yield
            return
        if not _places.acquire(blocking=False):
            raise IntakeUnavailable(MANY_LARGE, 2)
        try:
            if not _large.acquire(timeout=WAIT_S):
                raise IntakeUnavailable(MANY_LARGE, 2)
            try:
                yield
            finally:
                _large.release()
        finally:
            _places.release()

    @abstractmethod
    def count(self) -> int:
        """How many records it holds; of an empty one 1. Raises ParseError."""

    @abstractmethod
    def items(self) -> Iterable[Any]:
        """Records that are plainly right, others as parsed JSON or as the ParseError that they are.

        Raises ParseError where the body as a whole cannot be read.
        """


class _Array(PostedBatch):
    """A JSON array."""

    def count(self) -> int:
        if not _ARRAY.match(self._body):
            raise ParseError(NO_BATCH)
        found = shape(self._body, DEPTH_MAX)
        if found.depth > DEPTH_MAX:
            raise decoder.TooDeep
        return found.items

    def items(self) -> Iterable[Any]:
        records = decoder.records(self._body)
        if records is not None:
            return records
        pieces = decoder.pieces(self._body)
        # Not plainly an array: the slower parser says what is wrong with it.
        return decode(self._body) if pieces is None else decoder.each(pieces, decode)


class _Lines(PostedBatch):
    """A JSON document a line; empty lines do not count."""

    def count(self) -> int:
        return max(1, sum(1 for _ in _LINE.finditer(self._body)))

    def items(self) -> Iterable[Any]:
        return decoder.each((line[0] for line in _LINE.finditer(self._body)), decode)


class BatchParser(BoundedParser):
    """A JSON array, not decoded yet."""

    media_type = "application/json"

    def read(self, body: bytes) -> PostedBatch:
        return _Array(body)


class NDJSONParser(BoundedParser):
    """NDJSON, not decoded yet."""

    media_type = "application/x-ndjson"

    def read(self, body: bytes) -> PostedBatch:
        return _Lines(body)
