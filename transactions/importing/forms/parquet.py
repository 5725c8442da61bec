"""Parquet: portion by portion, whatever the size of its row groups."""

import base64
import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetFile

from transactions.importing.forms.columns import fault_of, named
from transactions.importing.forms.numbers import number_of
from transactions.importing.forms.source import Source, seekable
from transactions.importing.table import FileError, Moment, Row, Table

ROWS_AT_ONCE = 1000
# What one column of a row group says it has; pyarrow reads it by pages, but its dictionary at once.
CHUNK_MAX = 1 << 30
# The description of the columns at the end of the file is read whole.
FOOTER_MAX = 1 << 24


def read(source: Source) -> Table:
    """The table of a parquet file. Numbers keep their digits, moments their zone. Raises FileError."""
    source = seekable(source)
    with _opened(source) as file:
        columns = named(file.schema_arrow.names, source.name, "the schema")
        _check_sizes(file.metadata, source.name)

    def rows() -> Iterator[Row]:
        number = 0
        with _opened(source) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
                for values in zip(*(_values(column) for column in batch.columns), strict=True):
                    number += 1
                    cells = [_cell(value) for value in values]
                    yield Row(number, dict(zip(columns, cells, strict=True)), fault_of(columns, cells))

    return Table(", ".join(("parquet", *source.packed)), columns, rows)


@contextmanager
def _opened(source: Source) -> Iterator[ParquetFile]:
    """The file; whatever is wrong with it is a FileError, without its content."""
    with source.open() as file:
        try:
            file.seek(-8, 2)
            footer = int.from_bytes(file.read(4), "little")
            if footer > FOOTER_MAX:
                raise FileError(f"{source.name}: the parquet file is cut off, or describes too many columns")
            file.seek(0)
            yield ParquetFile(pyarrow.PythonFile(file, mode="r"), buffer_size=1 << 16, pre_buffer=False)
        except (pyarrow.ArrowException, OSError, OverflowError, ValueError) as error:
            kind = type(error).__name__
            raise FileError(f"{source.name}: the parquet file is cut off or damaged ({kind})") from None


def _check_sizes(metadata: Any, name: str) -> None:
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            size = metadata.row_group(group).column(column).total_uncompressed_size
            if size > CHUNK_MAX:
                told = f"row group {group + 1} has {size >> 20:,} MiB of one column; write it in smaller ones"
                raise FileError(f"{name}: {told}")


def _values(column: Any) -> list[Any]:
    """Python's values; of moments finer than a microsecond, which Python has not, the microseconds."""
    kind = column.type
    if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pyarrow.timestamp("us", tz=kind.tz), safe=False)
    found: list[Any] = column.to_pylist()
    return found


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return Moment(value.isoformat())
    if isinstance(value, bytes):
        return _text(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _number(value: int | float | Decimal) -> str:
    """Its digits as the file has them; NaN and infinity as words, which no amount is."""
    text = str(value)
    if text.lower().lstrip("-") in ("nan", "inf", "infinity"):
        return text
    return number_of(text) or text


def _text(value: bytes) -> str:
    """Bytes that older programs wrote for a text; others in base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
