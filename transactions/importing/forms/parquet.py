"""Parquet: portion by portion, whatever the size of its row groups, by a process that may abort alone."""

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, Self

from transactions.importing.forms.columns import fault_of, named
from transactions.importing.forms.numbers import number_of
from transactions.importing.forms.source import PORTION, Source, seekable
from transactions.importing.table import FileError, Moment, Row, Table

if find_spec("pyarrow") is None:
    raise ImportError("parquet_reader.py needs it", name="pyarrow")

# What one column of a row group says it has; pyarrow reads it by pages, but its dictionary at once.
CHUNK_MAX = 1 << 30
# The description of the columns at the end of the file is read whole.
FOOTER_MAX = 1 << 24
# For how long it may say nothing while it is waited for, in seconds: a portion of the largest column, on a
# machine that is busy.
SILENT_S_MAX = 120.0
# Of the process that reads: a dictionary with what is made of it, and Arrow itself.
MEMORY_MAX = 3 << 30
_READER = Path(__file__).with_name("parquet_reader.py")


def read(source: Source) -> Table:
    """The table of a parquet file. Numbers keep their digits, moments their zone. Raises FileError."""
    source = seekable(source)
    with closing(_read(source, "columns")) as found:
        columns = named(next(found), source.name, "the schema")

    def rows() -> Iterator[Row]:
        number = 0
        with closing(_read(source, "rows")) as portions:
            next(portions)
            for portion in portions:
                read = (map(_cell, kinds, texts) for kinds, texts in portion)
                for cells in map(list, zip(*read, strict=True)):
                    number += 1
                    yield Row(number, dict(zip(columns, cells, strict=True)), fault_of(columns, cells))

    return Table(", ".join(("parquet", *source.packed)), columns, rows)


def _read(source: Source, what: str) -> Generator[Any]:
    """The names of the columns, then the rows portion by portion; whatever is wrong is a FileError."""
    with source.open() as file, _numbered(file) as stdin:
        _check_footer(stdin, source.name)
        command = [sys.executable, "-I", str(_READER), what, str(CHUNK_MAX), str(MEMORY_MAX)]
        # What reads a stranger's file knows no secret of the environment.
        environment = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
        with subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        ) as reader:
            try:
                yield from _lines(reader, source.name)
            finally:
                reader.kill()


class _Patience:
    """Kills a process that is waited for for too long; however long its lines are worked on, it may wait."""

    def __init__(self, reader: "subprocess.Popen[bytes]") -> None:
        self._reader, self.is_lost = reader, False
        self._until = inf
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def line(self) -> bytes:
        """The next line; nothing where there is none, or none in time."""
        assert self._reader.stdout
        self._until = time.monotonic() + SILENT_S_MAX
        found = self._reader.stdout.readline()
        self._until = inf
        return found

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, SILENT_S_MAX)):
            if time.monotonic() > self._until:
                self.is_lost = True
                self._reader.kill()
                return


def _lines(reader: "subprocess.Popen[bytes]", name: str) -> Iterator[Any]:
    with _Patience(reader) as patience:
        while (line := patience.line()).endswith(b"\n"):
            found = json.loads(line)
            if found is None:
                return
            if isinstance(found, dict):
                raise FileError(f"{name}: {found.get('wrong') or _damaged(found['damaged'])}")
            yield found
    # It ended amid a line, or before its last one.
    if patience.is_lost:
        told = f"nothing came out of the parquet file for {SILENT_S_MAX:g} s; write it anew, or as CSV"
        raise FileError(f"{name}: {told}")
    raise FileError(f"{name}: {_damaged('aborted')}")


def _damaged(kind: str) -> str:
    return f"the parquet file is cut off or damaged ({kind})"


@contextmanager
def _numbered(file: BinaryIO) -> Iterator[int]:
    """The number of the open file, for another process; of one that is in memory that of a copy."""
    try:
        number = file.fileno()
    except (AttributeError, OSError, io.UnsupportedOperation):
        with tempfile.TemporaryFile() as copy:
            while portion := file.read(PORTION):
                copy.write(portion)
            copy.flush()
            yield copy.fileno()
    else:
        yield number


def _check_footer(file: int, name: str) -> None:
    end = os.pread(file, 8, max(0, os.fstat(file).st_size - 8))
    if int.from_bytes(end[:4], "little") > FOOTER_MAX:
        raise FileError(f"{name}: the parquet file is cut off, or describes too many columns")


def _number(text: str) -> str:
    """Its digits as the file has them; NaN and infinity as words, which no amount is."""
    if text.lower().lstrip("-") in ("nan", "inf", "infinity"):
        return text
    return number_of(text) or text


_KINDS: dict[str, Callable[[str], str]] = {"n": _number, "m": Moment, "t": str}


def _cell(kind: str, text: str) -> str:
    return _KINDS[kind](text)
