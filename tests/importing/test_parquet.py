"""Parquet: values with their digits and zones, damaged files, and memory that does not grow."""

import datetime as dt
import io
import random
import subprocess
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.importing.reading import cells_of, rows_of, table_of
from transactions.importing.forms import open_table, parquet, parquet_reader
from transactions.importing.table import FileError, Moment, Number

DAMAGED = Path(__file__).parent / "damaged"
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


def test_a_name_that_repeats_is_numbered() -> None:
    file = io.BytesIO()
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    pyarrow.parquet.write_table(table, file)
    assert [row.cells for row in rows_of(file.getvalue())] == [{"a": "1", "a (2)": "2"}]


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
def test_a_cut_off_file_is_refused_when_it_is_opened(keep: float) -> None:
    with pytest.raises(FileError, match="the parquet file is cut off"):
        table_of(SMALL[: int(len(SMALL) * keep)])


def test_a_damaged_file_ends_in_a_file_error_and_in_nothing_else() -> None:
    refused = 0
    for seed in range(20):
        chance, content = random.Random(seed), bytearray(SMALL)
        for _ in range(3):
            content[chance.randrange(4, len(content))] = chance.randrange(256)
        try:
            list(table_of(bytes(content)).rows())
        except FileError:
            refused += 1
    assert refused > 5


def test_a_file_at_which_arrow_aborts_is_refused_and_ends_nothing_else() -> None:
    """One byte of it was changed; pyarrow 26 ends the process with it, whatever is caught."""
    file = DAMAGED / "aborts_arrow.parquet"
    for _ in range(2):
        with pytest.raises(FileError, match=r"^a\.parquet: the parquet file is cut off or damaged"):
            list(open_table(file, "a.parquet").rows())


def test_a_reader_that_may_have_too_little_memory_is_a_file_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MEMORY_MAX", 80 << 20)
    content = written({"id": ["x" * 1_000_000] * 150}, compression="gzip")
    with pytest.raises(FileError, match="the parquet file is cut off or damaged"):
        list(table_of(content).rows())


def test_a_reader_ends_with_whoever_has_read_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    readers: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            readers.append(self)

    monkeypatch.setattr(subprocess, "Popen", Kept)
    table = table_of(written({"id": [f"{number:060}" for number in range(200_000)]}))
    rows = table.rows()
    assert next(rows).line == 1
    others = table.rows()
    assert [next(others).line, next(rows).line, next(others).line] == [1, 2, 2]
    del rows, others
    assert len(readers) == 3
    assert all(each.returncode is not None for each in readers)


def test_a_reader_that_hangs_is_given_up_with_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hangs = tmp_path / "hangs.py"
    hangs.write_text("import time\nprint('[\"id\"]', flush=True)\ntime.sleep(60)\n")
    monkeypatch.setattr(parquet, "_READER", hangs)
    monkeypatch.setattr(parquet, "SILENT_S_MAX", 2.0)
    table = table_of(SMALL, "a.parquet")
    began = time.monotonic()
    with pytest.raises(FileError, match=r"^a\.parquet: nothing came out of the parquet file for 2 s;"):
        list(table.rows())
    assert time.monotonic() - began < 30


def test_a_reader_waits_for_who_works_on_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "SILENT_S_MAX", 5.0)
    table = table_of(written({"id": [f"{number:060}" for number in range(20_000)]}))
    rows = table.rows()
    next(rows)
    monkeypatch.setattr(parquet, "SILENT_S_MAX", 0.01)
    time.sleep(1.5)
    monkeypatch.setattr(parquet, "SILENT_S_MAX", 60.0)
    assert sum(1 for _ in rows) == 19_999


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
    before, most, count = pyarrow.total_allocated_bytes(), 0, 0

    for portion in parquet_reader.told(io.BytesIO(content), parquet.CHUNK_MAX, rows=True):
        count += len(portion[0][1]) if portion and isinstance(portion[0], list) else 0
        most = max(most, pyarrow.total_allocated_bytes() - before)

    assert count == 500_000
    assert most < 8 << 20
