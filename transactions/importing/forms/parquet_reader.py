"""Reads parquet in a process of its own: of a damaged file Arrow may abort, and then nothing but this ends.

Run as a script by parquet.py, with the file as its standard input and its bounds as arguments. It imports
nothing of the system. Each line that it writes is JSON: first the names of the columns, then portions of
rows, then null. Of what is wrong with the file it writes an object instead. A portion has of each column the
kinds of its cells, a letter each (n for a number, m for a moment, t for anything else), and their texts.
"""

import base64
import datetime as dt
import io
import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetFile

ROWS_AT_ONCE = 1000


class _Here(io.RawIOBase):
    """An open file by its number, read from a place of its own: several may read the same one."""

    def __init__(self, file: int) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._at, os.fstat(self._file).st_size)[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        found = os.pread(self._file, len(buffer), self._at)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def told(file: Any, chunk_max: int, *, rows: bool) -> Iterator[Any]:
    """What is written, line by line; without `rows` the names alone."""
    try:
        parquet = ParquetFile(pyarrow.PythonFile(file, mode="r"), buffer_size=1 << 16, pre_buffer=False)
        wrong = _too_large(parquet.metadata, chunk_max)
        yield {"wrong": wrong} if wrong else parquet.schema_arrow.names
        for batch in parquet.iter_batches(ROWS_AT_ONCE, use_threads=False) if rows and not wrong else ():
            columns = [_values(column) for column in batch.columns]
            yield [["".join(map(_kind, values)), [*map(_text, values)]] for values in columns]
    except (pyarrow.ArrowException, OSError, OverflowError, ValueError, MemoryError) as error:
        yield {"damaged": type(error).__name__}
    yield None


def _too_large(metadata: Any, chunk_max: int) -> str:
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            size = metadata.row_group(group).column(column).total_uncompressed_size
            if size > chunk_max:
                return f"row group {group + 1} has {size >> 20:,} MiB of one column; write it in smaller ones"
    return ""


def _values(column: Any) -> list[Any]:
    """Python's values; of moments finer than a microsecond, which Python has not, the microseconds."""
    kind = column.type
    if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pyarrow.timestamp("us", tz=kind.tz), safe=False)
    found: list[Any] = column.to_pylist()
    return found


def _kind(value: Any) -> str:
    if isinstance(value, str | bool):
        return "t"
    if isinstance(value, int | float | Decimal):
        return "n"
    return "m" if isinstance(value, dt.datetime | dt.date | dt.time) else "t"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return _decoded(value) if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, default=str)


def _decoded(value: bytes) -> str:
    """Bytes that older programs wrote for a text; others in base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _bound(memory_max: int) -> None:
    """No more memory than this, and of what is read nothing is left on the disk if it is aborted."""
    for kind, most in ((resource.RLIMIT_DATA, memory_max), (resource.RLIMIT_CORE, 0)):
        # Not every system has both.
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def main() -> None:
    what, chunk_max, memory_max = sys.argv[1:]
    _bound(int(memory_max))
    # Who started it may have read enough, and be gone.
    with suppress(BrokenPipeError):
        for line in told(_Here(sys.stdin.fileno()), int(chunk_max), rows=what == "rows"):
            sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
