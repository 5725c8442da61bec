"""Parquet: portion by portion, whatever the size of its row groups, by a process that may abort alone."""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

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


def _lines(reader: "subprocess.Popen[bytes]", name: str) -> Iterator[Any]:
    assert reader.stdout
    for line in reader.stdout:
        # The last one is cut off where the reader was aborted amid it.
        found = json.loads(line) if line.endswith(b"\n") else {"damaged": "aborted"}
        if found is None:
            return
        if isinstance(found, dict):
            raise FileError(f"{name}: {found.get('wrong') or _damaged(found['damaged'])}")
        yield found
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
