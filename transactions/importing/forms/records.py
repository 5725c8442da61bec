"""JSON: an object a line, a list of objects, or the list of an API."""

import json
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from typing import Any, NamedTuple

from transactions.importing.forms.charset import LINE_MAX, Charset, charset_of, opened_text
from transactions.importing.forms.columns import COLUMNS_MAX, NAME_MAX
from transactions.importing.forms.numbers import number_of
from transactions.importing.forms.source import Source
from transactions.importing.table import FileError, Row, Table

# Under which name an API's answer has its list: ours and Stripe's.
_LISTS = ("results", "data")
# What a record has beside a list of its own, and no such answer.
_OF_RECORDS = ("amount", "transaction_id")
_NO_OBJECT = "no JSON object: fields with names are expected"
_DEPTH_MAX = 8
_PORTION = 1 << 16
# Of a line that is no JSON, what is kept to be corrected: a cell of CSV holds no more.
_BROKEN_LINE_MAX = 100_000


def read(source: Source, encoding: str | None = None) -> Table:
    """The table of a JSON file. A nested object's fields are columns like "payer.name".

    All of it is read at once to know the columns, which are those of all objects. Raises FileError.
    """
    charset = charset_of(source, encoding, by_lines=False)
    with opened_text(source, charset) as text:
        start = _Scanner(text, source.name).peek()
    if start == "[":
        return _table(source, charset, "JSON list", _entries)
    if start == "{" and _is_envelope(source, charset):
        with opened_text(source, charset) as text:
            scanner = _Scanner(text, source.name)
            more = _others(scanner).more or any(False for _ in scanner.entries()) or _others(scanner).more
        page = "JSON list, one page of several" if more else "JSON list"
        return _table(source, charset, page, _enveloped)
    return _table(source, charset, "JSON lines", _by_line)


def _table(source: Source, charset: Charset, form: str, read_rows: "_ReadRows") -> Table:
    def found() -> Iterator[Row]:
        with opened_text(source, charset) as text:
            yield from read_rows(text, source.name)

    columns: dict[str, None] = {}
    for row in found():
        columns.update(dict.fromkeys(row.cells))
        if len(columns) > COLUMNS_MAX:
            raise FileError(f"{source.name}: line {row.line}: more than {COLUMNS_MAX:,} columns")
    if not columns:
        raise FileError(f"{source.name}: no object with a name in it is there")
    blank = dict.fromkeys(columns, "")
    words = [form] if charset.codec == "utf-8-sig" else [form, charset.words]
    rows = lambda: (row._replace(cells=blank | row.cells) for row in found())  # noqa: E731
    return Table(", ".join((*words, *source.packed)), tuple(columns), rows, doubt=charset.doubt())


# --- Rows ------------------------------------------------------------------------------------

_ReadRows = Callable[[TextIOWrapper, str], Iterator[Row]]


def _by_line(text: TextIOWrapper, name: str) -> Iterator[Row]:
    decoder, number = _Decoder(), 0
    while line := text.readline(LINE_MAX):
        number += 1
        if len(line) == LINE_MAX and not line.endswith("\n"):
            raise FileError(f"{name}: line {number} is longer than {LINE_MAX:,} characters")
        if not line.strip():
            continue
        try:
            value = decoder.decode(line.strip())
        except (ValueError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            if number == 1:
                raise FileError(
                    f"{name}: line 1 is no JSON object ({why}); one is expected on each line"
                ) from None
            kept = line.strip()[:_BROKEN_LINE_MAX]
            yield Row(number, {}, f"no JSON object: {why}", over=(kept,))
            continue
        yield _row(number, value, decoder.fault)


def _entries(text: TextIOWrapper, name: str) -> Iterator[Row]:
    scanner = _Scanner(text, name)
    yield from scanner.entries()
    if scanner.peek():
        raise FileError(f"{name}: something follows the list, where the file should end")


def _enveloped(text: TextIOWrapper, name: str) -> Iterator[Row]:
    scanner = _Scanner(text, name)
    _others(scanner)
    yield from scanner.entries()
    _others(scanner)
    if scanner.peek():
        raise FileError(f"{name}: something follows the object with the list, where the file should end")


def _is_envelope(source: Source, charset: Charset) -> bool:
    """Whether the first object is an API's answer and all there is, and no record with a list of its own.

    A record's list has values in it, or an amount beside it. Looked at piece by piece: an answer may be long.
    """
    with opened_text(source, charset) as text:
        scanner = _Scanner(text, source.name)
        try:
            if not _others(scanner).list_follows:
                return False
        except FileError:
            return False
        try:
            if any(row.fault == _NO_OBJECT for row in scanner.entries()):
                return False
            # What a record has may follow its list; then something is left.
            return not _others(scanner).list_follows and not scanner.peek()
        except FileError:
            # An answer that is broken: who reads it tells where.
            return True


class _Others(NamedTuple):
    list_follows: bool
    # Whether they speak of a next page.
    more: bool


def _others(scanner: "_Scanner") -> _Others:
    """Passes over what an API's answer has before its list, or after it."""
    more = False
    if scanner.peek() in ("{", ","):
        scanner.take("{,")
    while scanner.peek() not in ("}", ""):
        key = scanner.value()
        scanner.take(":")
        if key in _OF_RECORDS:
            return _Others(False, more)
        if key in _LISTS and scanner.peek() == "[":
            return _Others(True, more)
        value = scanner.value()
        more = more or (key in ("next", "has_more") and value not in (None, False, ""))
        if scanner.peek() != "}":
            scanner.take(",")
    scanner.take("}")
    return _Others(False, more)


class _Scanner:
    """JSON taken piece by piece from a text of any length."""

    def __init__(self, text: TextIOWrapper, name: str) -> None:
        self._text, self._name = text, name
        self._buffer, self._at, self._entry = "", 0, 0
        self._decoder = _Decoder()

    def _more(self) -> bool:
        portion = self._text.read(_PORTION)
        self._buffer, self._at = self._buffer[self._at :] + portion, 0
        return bool(portion)

    def peek(self) -> str:
        """The next character that is no space, which stays there; "" at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in " \t\r\n\ufeff":
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def take(self, expected: str) -> str:
        found = self.peek()
        if not found or found not in expected:
            raise self._broken(f"{' or '.join(expected)} is expected" if found else "the file is cut off")
        self._at += 1
        return found

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise self._broken("nested too deep") from None
            except json.JSONDecodeError as error:
                why, end = error.msg, len(self._buffer)
            else:
                why = ""
            # What ends with the portion may go on in the next one, as a number does.
            if end < len(self._buffer) or not self._more():
                break
            if len(self._buffer) > LINE_MAX:
                raise self._broken(why or f"longer than {LINE_MAX:,} characters")
        if why:
            raise self._broken(why)
        self._at = end
        return value

    def entries(self) -> Iterator[Row]:
        """The rows of the list that begins here, up to its end. Raises FileError where it is broken."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            self._entry += 1
            value = self.value()
            yield _row(self._entry, value, self._decoder.fault)
            if self.take(",]") == "]":
                return

    def _broken(self, why: str) -> FileError:
        return FileError(f"{self._name}: entry {max(self._entry, 1)} is no JSON: {why}")


# --- Values ----------------------------------------------------------------------------------


class _Decoder:
    """JSON with numbers as their digits; `fault` says what the last value has that no cell can hold."""

    def __init__(self) -> None:
        self.fault = ""
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._number,
            parse_int=self._number,
            parse_constant=self._constant,
        )

    def decode(self, text: str) -> Any:
        self.fault = ""
        return self._json.decode(text)

    def raw_decode(self, text: str, at: int) -> tuple[Any, int]:
        self.fault = ""
        return self._json.raw_decode(text, at)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            self.fault = self.fault or f"{twice[:50]!r} is there twice"
        return found

    def _number(self, text: str) -> str:
        found = number_of(text)
        if found is None:
            self.fault = self.fault or f"{text[:20]}… is too long for a number"
        return found if found is not None else ""

    def _constant(self, text: str) -> str:
        self.fault = self.fault or f"{text} is no number"
        return ""


def _row(line: int, value: Any, fault: str) -> Row:
    if not isinstance(value, dict):
        return Row(line, {}, _NO_OBJECT)
    cells: dict[str, str] = {}
    try:
        fault = _flatten(value, "", 1, cells) or fault
    except RecursionError:
        fault = "nested too deep"
    return Row(line, cells, fault)


def _flatten(value: dict[str, Any], prefix: str, depth: int, cells: dict[str, str]) -> str:
    """Puts the cells of an object into `cells`; what is wrong with them, or ""."""
    fault = ""
    for key, each in value.items():
        name = prefix + (" ".join(key.split()) or "(no name)")
        if len(name) > NAME_MAX or not _sound(name):
            fault = fault or f"{name[:30]!r} is no name of a column: too long, or no text"
        elif isinstance(each, dict) and each and depth < _DEPTH_MAX:
            fault = _flatten(each, f"{name}.", depth + 1, cells) or fault
        elif name in cells:
            fault = fault or f"{name!r} is there twice"
        else:
            cells[name] = _cell(each)
            if not _sound(cells[name]):
                fault = fault or f"column {name!r} holds a NUL, or half a character"
                # No file of text can hold a half: it is told as JSON writes it.
                cells[name] = cells[name].encode("utf-8", "backslashreplace").decode()
    return fault


def _sound(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return not any(each == "\0" or "\ud800" <= each <= "\udfff" for each in text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
