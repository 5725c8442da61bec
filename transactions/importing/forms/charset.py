"""How the text of a file is encoded, proved by all its bytes."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from transactions.importing.forms.source import PORTION, Source
from transactions.importing.table import FileError
from transactions.importing.wording import said


@dataclass(frozen=True)
class Charset:
    """A codec by Python's name, and by the name that people know."""

    codec: str
    words: str
    # Whether the bytes are a text in it, and as well one in others.
    is_guessed: bool = False

    def doubt(self) -> str:
        """A sentence on that; "" where the encoding is stated, or proved."""
        if not self.is_guessed:
            return ""
        return (
            f"Its text is no UTF-8, and is taken for {self.words}, in which nearly any bytes are letters: if "
            f"some look wrong, as in names, state how it is encoded, as {said('encoding', 'cp1250')}."
        )


UTF_8 = Charset("utf-8-sig", "UTF-8")
_MARKS = (
    (codecs.BOM_UTF8, Charset("utf-8-sig", "UTF-8 with a byte order mark")),
    (codecs.BOM_UTF32_LE, Charset("utf-32", "UTF-32")),
    (codecs.BOM_UTF32_BE, Charset("utf-32", "UTF-32")),
    (codecs.BOM_UTF16_LE, Charset("utf-16", "UTF-16")),
    (codecs.BOM_UTF16_BE, Charset("utf-16", "UTF-16")),
)
# Characters of one line; a file without line breaks is read no further.
LINE_MAX = 1 << 20
# Windows-1252 has no such characters, and in Latin-1 they are controls that no text has.
_IN_NEITHER = frozenset(b"\x81\x8d\x8f\x90\x9d")
# Quotes, daggers and the euro of Windows-1252: between two letters they are the umlauts of a DOS or a Mac.
_SIGN_AMID_LETTERS = re.compile(rb"[A-Za-z][\x80\x82\x84\x86\x87\x89\x8b\x93\x94\x9b][A-Za-z]")


@dataclass
class _Bytes:
    """What all bytes of a file are, told by lines: the first that is UTF-8, and the first that is not."""

    utf_8: int = 0
    other: int = 0
    neither: int = 0
    high: set[int] = field(default_factory=set)

    def add(self, line: bytes, number: int) -> None:
        try:
            line.decode()
        except UnicodeDecodeError:
            self.other = self.other or number
            seen = {byte for byte in line if byte >= 0x80}
            self.high |= seen
            if not self.neither and (seen & _IN_NEITHER or _SIGN_AMID_LETTERS.search(line)):
                self.neither = number
        else:
            self.utf_8 = self.utf_8 or number


def charset_of(source: Source, stated: str | None, *, by_lines: bool = True) -> Charset:
    """The encoding that is stated, or else the one that all bytes prove; either way they are that.

    Unless it is `by_lines`, a line may be of any length, as in JSON. Raises FileError with the line that is
    in no encoding, or in another than one before.
    """
    head = source.head()
    charset = _stated(stated, source.name) if stated else by_head(head)
    if charset:
        _prove(source, charset)
        return charset
    return _of_bytes(source, by_lines)


def by_head(head: bytes) -> Charset | None:
    """What the first bytes of a file say of its encoding; None where only all of them tell."""
    marked = next((charset for mark, charset in _MARKS if head.startswith(mark)), None)
    return marked or _without_mark(head)


@contextmanager
def opened_text(source: Source, charset: Charset) -> Iterator[io.TextIOWrapper]:
    """The file as text, line breaks as they are. Raises FileError for bytes that have become others since."""
    with source.open() as file:
        text = io.TextIOWrapper(file, charset.codec, newline="")
        try:
            yield text
        except UnicodeError:
            raise FileError(f"{source.name}: is not {charset.words} any more") from None
        finally:
            # Whoever opened the file closes it.
            text.detach()


def _stated(name: str, file: str) -> Charset:
    try:
        found = codecs.lookup(name)
        # Python has codecs that are no encodings of text.
        "a".encode(name)
    except (LookupError, ValueError):
        raise FileError(
            f"{file}: no encoding is called {name!r}; known are utf-8, cp1252, utf-16, …"
        ) from None
    return UTF_8 if found.name == "utf-8" else Charset(found.name, found.name)


def _without_mark(head: bytes) -> Charset | None:
    """UTF-16 as some programs write it: every other byte of what is mostly ASCII is 0."""
    even, odd = head[::2], head[1::2]
    if len(odd) < 2:
        return None
    if odd.count(0) > 0.4 * len(odd) and even.count(0) < 0.05 * len(even):
        return Charset("utf-16-le", "UTF-16")
    if even.count(0) > 0.4 * len(even) and odd.count(0) < 0.05 * len(odd):
        return Charset("utf-16-be", "UTF-16")
    return None


def _prove(source: Source, charset: Charset) -> None:
    decoder = codecs.getincrementaldecoder(charset.codec)()
    line = 1
    try:
        for portion in source.portions():
            decoded = decoder.decode(portion)
            line += decoded.count("\n")
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        if isinstance(error, UnicodeDecodeError):
            good = error.object[: error.start].decode(charset.codec, "ignore")
            line += good.count("\n")
        raise FileError(f"{source.name}: line {line} is not {charset.words}; {_say()}") from None


def _say() -> str:
    return f"say which encoding it is ({said('encoding')}: cp1252, cp850, mac_roman, …)"


def _of_bytes(source: Source, by_lines: bool) -> Charset:
    found, number, rest = _Bytes(), 1, b""
    for portion in source.portions():
        lines = (rest + portion).splitlines(keepends=True)
        # A carriage return at the end may be the first half of a line break.
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        if len(rest) > PORTION and not by_lines:
            # Judged in parts, from one ASCII character to another.
            part, comma, rest = rest.rpartition(b",")
            found.add(part + comma, number)
        if len(rest) > LINE_MAX:
            raise FileError(f"{source.name}: line {number} is longer than {LINE_MAX:,} characters")
        for at, line in enumerate(lines):
            if not line.isascii():
                found.add(line, number + at)
        number += len(lines)
    if not rest.isascii():
        found.add(rest, number)
    return _judged(found, source.name)


def _judged(found: _Bytes, name: str) -> Charset:
    if not found.other:
        return UTF_8
    if found.utf_8:
        mixed = f"line {found.utf_8} is UTF-8 and line {found.other} is not"
        raise FileError(f"{name}: {mixed}: two encodings in one file; write it in one, or {_say()}")
    if found.neither:
        raise FileError(f"{name}: line {found.neither} is neither UTF-8 nor Windows-1252; {_say()}")
    if any(0x80 <= byte < 0xA0 for byte in found.high):
        return Charset("cp1252", "Windows-1252", is_guessed=True)
    return Charset("latin-1", "Latin-1", is_guessed=True)
