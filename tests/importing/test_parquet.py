"""Parquet: values with their digits and zones, damaged files, and memory that does not grow."""

import datetime as dt
import io
import random
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.importing.reading import cells_of, rows_of, table_of
from transactions.importing.forms import parquet
from transactions.importing.table import FileError, Moment, Number

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def written(columns: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file, **options)
    return file.getvalue()


SMALL = written({"id": ["a", "b", "c"], "amount": [1.5, 2.25, -3.0], "n": [1, 2, 3]})


def test_values_keep_their_digits_and_their_zone() -> None:
    zoned = pyarrow.timestamp("ns", "Europe/Berlin")
    content = written(
        {
            "decimal": pyarrow.array([Decimal("1.50")], pyarrow.decimal128(10, 2)),
            "float": [0.1],
            "int": [-12345678901234],
            "at": pyarrow.array([NOON], zoned),
            "local": pyarrow.array([NOON.replace(tzinfo=None)], pyarrow.timestamp("ms")),
            "day": [dt.date(2026, 1, 2)],
            "paid": [True],
            "word": pyarrow.array(["x"]).dictionary_encode(),
            "bytes": [b"text"],
            "none": pyarrow.array([None], pyarrow.string()),
            "list": [[1, 2]],
        }
    )
    (row,) = rows_of(content)

    assert table_of(content).form == "parquet"
    assert list(row.cells.values()) == [
        "1.50", "0.1", "-12345678901234", "2026-01-02T13:00:00+01:00", "2026-01-02T12:00:00", "2026-01-02",
        "true", "x", "text", "", "[1, 2]",
    ]  # fmt: skip
    kinds = [type(cell) for cell in row.cells.values()]
    assert kinds == [Number, Number, Number, Moment, Moment, Moment, str, str, str, str, str]


def test_what_is_no_number_is_left_as_a_word_and_exponents_are_written_out() -> None:
    cells = cells_of(written({"a": [float("nan"), float("-inf"), 1e22, 1e-7]}))
    assert cells == [["nan"], ["-inf"], ["10000000000000000000000"], ["0.0000001"]]


def test_a_nul_in_a_text_is_a_fault() -> None:
    assert [row.fault for row in rows_of(written({"a": ["x\0y", "z"]}))] == ["column 'a' holds a NUL", ""]


def test_a_name_that_repeats_is_refused() -> None:
    file = io.BytesIO()
    table = pyarrow.Table.from_arrays([pyarrow.array([1])] * 2, names=["a", "a"])
    pyarrow.parquet.write_table(table, file)
    with pytest.raises(FileError, match="the schema, column 2: 'a' is also column 1"):
        table_of(file.getvalue())


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
def test_a_cut_off_file_is_refused_when_it_is_opened(keep: float) -> None:
    with pytest.raises(FileError, match="the parquet file is cut off"):
        table_of(SMALL[: int(len(SMALL) * keep)])


def test_a_damaged_file_ends_in_a_file_error_and_in_nothing_else() -> None:
    refused = 0
    for seed in range(100):
        chance, content = random.Random(seed), bytearray(SMALL)
        for _ in range(3):
            content[chance.randrange(4, len(content))] = chance.randrange(256)
        try:
            list(table_of(bytes(content)).rows())
        except FileError:
            refused += 1
    assert refused > 20


def test_columns_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "CHUNK_MAX", 10_000)
    content = written({"id": [f"{number}" * 3 for number in range(10_000)]}, use_dictionary=False)
    with pytest.raises(FileError, match="row group 1 has 0 MiB of one column; write it in smaller ones"):
        table_of(content)
    monkeypatch.setattr(parquet, "FOOTER_MAX", 10)
    with pytest.raises(FileError, match="describes too many columns"):
        table_of(content)


def test_a_row_group_of_any_size_is_read_in_portions() -> None:
    """Arrow's memory is its own: Python's tracemalloc does not see it."""
    content = written({"id": [f"{number:060}" for number in range(500_000)]}, use_dictionary=False)
    before, most = pyarrow.total_allocated_bytes(), 0

    for row in table_of(content).rows():
        if row.line % 1000 == 0:
            most = max(most, pyarrow.total_allocated_bytes() - before)

    assert row.line == 500_000
    assert most < 8 << 20
