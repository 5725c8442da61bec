"""The bytes of a file, as often as asked: plain, out of gzip, or out of a zip that holds one table."""

import gzip
import io
import lzma
import struct
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from transactions.importing.table import FileError
from transactions.importing.wording import said

PORTION = 1 << 18
# A bomb of gzip has 1,032 times its size. A table repeats itself too, but hardly two hundred times.
TIMES_PACKED_MAX = 200
TIMES_COUNT_FROM = 1 << 26
UNPACKED_MAX = 1 << 34
# One row of XML; a batch of ten thousand payments in a single entry of a bank has about 20 MiB.
HELD_MAX = 1 << 26
# What has to be read here and there (xlsx, parquet) is unpacked to the disk.
SPOOLED_MAX = 1 << 31
# The directory of a zip is read whole; that of a table or of an xlsx has a few lines.
ZIP_DIRECTORY_MAX = 1 << 20

_TABLES = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xlsx", ".parquet", ".xml", ".ofx", ".qfx", ".sta"}
# Tables of a zip, or sheets, that a sentence names.
NAMES_TOLD_MAX = 20
_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

# What the standard library raises for a gzip or a zip that is not whole, wherever it finds out.
DAMAGED: tuple[type[Exception], ...] = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, struct.error,
    ValueError, KeyError, OverflowError, RuntimeError,
)  # fmt: skip

Opening = AbstractContextManager[BinaryIO]


@dataclass(frozen=True)
class Source:
    """A file by its name; `open` gives its bytes from the first on, to be read once."""

    name: str
    open: Callable[[], Opening]
    # How it is packed, for people: "gzip".
    packed: tuple[str, ...] = ()
    # Whether it may be read here and there, and not only from the first byte on.
    seekable: bool = True

    def head(self, size: int = 4096) -> bytes:
        """Its first bytes, at most `size`."""
        with self.open() as file:
            return file.read(size)

    def portions(self) -> Iterator[bytes]:
        """All its bytes, portion by portion."""
        with self.open() as file:
            while portion := file.read(PORTION):
                yield portion

    def whole(self, size_max: int, what: str) -> bytes:
        """All its bytes, for a library that wants them at once. Raises FileError beyond `size_max`."""
        with self.open() as file:
            found = file.read(size_max + 1)
        if len(found) > size_max:
            raise FileError(f"{self.name}: {what} of more than {size_max >> 20} MiB; import it in parts")
        return found


class Metered:
    """A file for a parser of XML: counts what the parser has been given, and bounds what it holds at once."""

    def __init__(self, file: Any, name: str) -> None:
        self._file, self._name, self._held = file, name, 0
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        """As a file's. Raises FileError for more than HELD_MAX bytes of which nothing was let go."""
        found: bytes = self._file.read(size)
        self.given += len(found)
        self._held += len(found)
        if self._held > HELD_MAX:
            raise FileError(f"{self._name}: more than {HELD_MAX >> 20} MiB in one row or entry")
        return found

    def let_go(self) -> None:
        """Everything that was given is read and forgotten."""
        self._held = 0


def source_of(file: Path | BinaryIO, name: str, member: str | None = None) -> Source:
    """The file as it is once unpacked; of a zip the `member`, if it is stated. Raises FileError."""
    source, wanted = _plain(file, name), member
    for _ in range(3):
        head = source.head(4)
        if head.startswith(_GZIP):
            source = _out_of_gzip(source)
        elif head.startswith(_ZIP):
            source = seekable(source)
            found = _table_in_zip(source, wanted)
            if not found:
                return _of_no_zip(source, wanted)
            source, wanted = _out_of_zip(source, found), None
        else:
            return _of_no_zip(source, wanted)
    raise FileError(f"{name}: packed more than twice; unpack it first")


def seekable(source: Source) -> Source:
    """The same, to be read here and there: what is packed is unpacked to the disk."""
    return source if source.seekable else _spooled(source)


def _plain(file: Path | BinaryIO, name: str) -> Source:
    if isinstance(file, Path):
        if file.is_dir():
            raise FileError(f"{name}: a directory; name a file in it")
        if file.exists() and not file.is_file():
            raise FileError(f"{name}: a pipe or a device, which is read only once; save it as a file first")
        if not file.is_file():
            raise FileError(f"{name}: no such file")
        return Source(name, lambda: _of_path(file, name))

    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        file.seek(0)
        yield file

    @contextmanager
    def once() -> Iterator[BinaryIO]:
        yield file

    return Source(name, opened) if file.seekable() else _spooled(Source(name, once))


@contextmanager
def _of_path(path: Path, name: str) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}") from None
    with file:
        yield file


def _spooled(source: Source) -> Source:
    kept = tempfile.TemporaryFile()  # noqa: SIM115 (kept as long as the source is)
    plain = _plain(cast(BinaryIO, kept), source.name)
    weakref.finalize(plain.open, kept.close)
    with source.open() as file:
        while portion := file.read(PORTION):
            if kept.tell() + len(portion) > SPOOLED_MAX:
                raise FileError(f"{source.name}: more than {SPOOLED_MAX >> 30} GiB once unpacked")
            try:
                kept.write(portion)
            except OSError:
                raise FileError(f"{source.name}: no room on the disk to unpack it; unpack it first") from None
    return replace(plain, packed=source.packed)


# --- Packed ----------------------------------------------------------------------------------


class _Unpacking(io.RawIOBase):
    """What is unpacked, bounded; whatever is wrong with the packing is a FileError."""

    def __init__(self, inner: io.BufferedIOBase, size_packed: int, name: str) -> None:
        self._inner, self._name = inner, name
        self._size, self._size_max = (
            0,
            min(UNPACKED_MAX, max(TIMES_COUNT_FROM, size_packed * TIMES_PACKED_MAX)),
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        try:
            found = self._inner.read(min(len(buffer), PORTION))
        except DAMAGED as error:
            cut = isinstance(error, EOFError)
            why = "is cut off" if cut else "is damaged"
            raise FileError(f"{self._name}: the packed file {why} after {self._size:,} bytes") from None
        self._size += len(found)
        if self._size > self._size_max:
            raise FileError(
                f"{self._name}: more than {self._size_max >> 20:,} MiB once unpacked; unpack it first"
            )
        buffer[: len(found)] = found
        return len(found)


def _size_of(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _out_of_gzip(source: Source) -> Source:
    source = seekable(source)

    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        with source.open() as file:
            size = _size_of(file)
            with gzip.GzipFile(fileobj=file, mode="rb") as inner:
                yield cast(BinaryIO, io.BufferedReader(_Unpacking(inner, size, source.name), PORTION))

    return Source(source.name, opened, (*source.packed, "gzip"), seekable=False)


def _out_of_zip(source: Source, member: str) -> Source:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        with source.open() as file, _directory(file, source.name) as packed:
            info = packed.getinfo(member)
            try:
                inner = packed.open(info)
            except DAMAGED:
                raise FileError(
                    f"{source.name}: {member!r} is encrypted or damaged; unpack it first"
                ) from None
            with inner:
                reader = _Unpacking(cast(io.BufferedIOBase, inner), info.compress_size, source.name)
                yield cast(BinaryIO, io.BufferedReader(reader, PORTION))

    return Source(
        source.name, opened, (*source.packed, f"{PurePosixPath(member).name} in a zip"), seekable=False
    )


def _directory(file: BinaryIO, name: str) -> zipfile.ZipFile:
    if _directory_size(file) > ZIP_DIRECTORY_MAX:
        raise FileError(f"{name}: a zip of too many files; unpack it and import one")
    try:
        return zipfile.ZipFile(file)
    except DAMAGED:
        raise FileError(f"{name}: the zip is cut off or damaged") from None


def _directory_size(file: BinaryIO) -> int:
    """How large the directory of a zip is by its own word: zipfile reads it whole at once."""
    size = _size_of(file)
    file.seek(max(0, size - (1 << 16) - 100))
    end = file.read()
    file.seek(0)
    at, large = end.rfind(b"PK\x05\x06"), end.rfind(b"PK\x06\x06")
    told = [int.from_bytes(end[at + 12 : at + 16], "little")] if at >= 0 else [0]
    if large >= 0:
        told = [int.from_bytes(end[large + 40 : large + 48], "little")]
    return max(told)


def _of_no_zip(source: Source, member: str | None) -> Source:
    if member is not None:
        raise FileError(
            f"{source.name}: {said('member')} is stated, and that is of a zip of tables alone; this is none"
        )
    return source


def _table_in_zip(source: Source, member: str | None) -> str:
    """The one table that a zip holds, or its `member`; "" for an xlsx, itself a zip. Raises FileError."""
    with source.open() as file, _directory(file, source.name) as packed:
        names = [each.filename for each in packed.infolist() if not each.is_dir()]
    if "xl/workbook.xml" in names or "[Content_Types].xml" in names:
        return ""
    if "mimetype" in names:
        raise FileError(f"{source.name}: an OpenDocument file; save it as .xlsx or CSV")
    seen = [name for name in names if not _hidden(name)]
    if member is not None:
        return _member(source.name, seen, member)
    tables = [
        name for name in seen if PurePosixPath(name.removesuffix(".gz")).suffix.lower() in _TABLES
    ] or seen
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise FileError(f"{source.name}: nothing is in the zip")
    raise FileError(
        f"{source.name}: {len(tables):,} tables are in the zip ({told_names(tables)}); state the one to "
        f"import ({said('member')})",
        "member",
        tables,
    )


def _member(name: str, seen: list[str], member: str) -> str:
    """The member that is called so, by its whole name or by the last part of it. Raises FileError."""
    found = [each for each in seen if each == member] or [
        each for each in seen if PurePosixPath(each).name == member
    ]
    if len(found) != 1:
        why = "several members of the zip are" if found else "no member of the zip is"
        raise FileError(f"{name}: {why} called {member!r}; it has {told_names(found or seen) or 'none'}")
    return found[0]


def told_names(names: Sequence[str]) -> str:
    """Names as a sentence has them, the first ones of many."""
    return ", ".join(map(repr, names[:NAMES_TOLD_MAX])) + (", …" if len(names) > NAMES_TOLD_MAX else "")


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
