"""However long a file is, reading it takes the same memory."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import openpyxl
import pytest

from tests.importing.test_bank_statements import ENTRY, MT940, camt
from transactions.importing.forms import open_table

ROWS = 20_000


class Repeated(io.RawIOBase):
    """A file that is made while it is read, so that it takes no memory itself."""

    def __init__(self, parts: Callable[[], Iterator[bytes]]) -> None:
        self._parts = parts
        self._left, self._rest = parts(), b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        assert (offset, whence) == (0, 0)
        self._left, self._rest = self._parts(), b""
        return 0

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (part := next(self._left, b"")):
            self._rest += part
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def csv(count: int) -> Iterator[bytes]:
    yield "id;amount;name\n".encode("latin-1")
    for _ in range(count // 100):
        yield "4711;12,50;Jürgen Müller\n".encode("latin-1") * 100


def json_lines(count: int) -> Iterator[bytes]:
    for _ in range(count // 100):
        yield b'{"id": "4711", "amount": 12.50, "payer": {"name": "Anna"}}\n' * 100


def json_list(count: int) -> Iterator[bytes]:
    yield b'{"next": null, "results": ['
    for _ in range(count // 100):
        yield b'{"id": "4711", "amount": 12.50, "payer": {"name": "Anna"}},' * 100
    yield json.dumps({"id": "last"}).encode() + b"]}"


def statement(count: int) -> Iterator[bytes]:
    head, _, tail = camt(ENTRY).partition(ENTRY.encode())
    yield head
    for _ in range(count // 200):
        yield ENTRY.encode() * 10
    yield tail


def statements(count: int) -> Iterator[bytes]:
    for _ in range(count // 100):
        yield MT940.encode()


def peak(parts: Callable[[int], Iterator[bytes]], count: int) -> tuple[int, int]:
    """How many rows there are, and the most bytes that reading them takes."""
    file = cast(BinaryIO, Repeated(lambda: parts(count)))
    tracemalloc.start()
    try:
        rows = sum(1 for _ in open_table(file, "long").rows())
        return rows, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "parts", [csv, json_lines, json_list, statement, statements], ids=lambda each: each.__name__
)
def test_ten_times_the_rows_take_no_more_memory(parts: Callable[[int], Iterator[bytes]]) -> None:
    few, little = peak(parts, ROWS // 10)
    many, much = peak(parts, ROWS)

    assert many >= 9 * few > 0
    # What a file of that length is, several times over, would be beyond this.
    assert much < little + (2 << 20)
    assert much < 4 << 20


def test_gzip_of_a_long_file_takes_no_more_memory_than_that() -> None:
    packed = gzip.compress(b"".join(csv(40_000)))
    tracemalloc.start()
    try:
        rows = sum(1 for _ in open_table(io.BytesIO(packed), "long").rows())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 40_000
    assert most < 4 << 20


def test_a_long_sheet_takes_no_more_memory_than_a_short_one() -> None:
    most = []
    for count in (500, 5_000):
        written = openpyxl.Workbook(write_only=True)
        sheet = written.create_sheet("Payments")
        sheet.append(["id", "amount"])
        for number in range(count):
            sheet.append([number, number / 4])
        file = io.BytesIO()
        written.save(file)
        tracemalloc.start()
        try:
            assert sum(1 for _ in open_table(file, "long.xlsx").rows()) == count
            most.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert most[1] < most[0] + (1 << 20)
