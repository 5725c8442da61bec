"""Which form a file has is told by its content, and by its name only where that leaves it open."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.importing.reading import cells_of, table_of
from transactions.importing.forms import open_table
from transactions.importing.table import FileError


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        (b"id,amount\n1,2\n", "a.json.txt", "CSV, commas, UTF-8"),
        (b"id,amount\n1,2\n", "a", "CSV, commas, UTF-8"),
        (b'{"id": 1}\n', "a.csv", "JSON lines"),
        (b' [{"id": 1}]', "a.txt", "JSON list"),
        (b"[id],[amount]\n1,2\n", "a.csv", "CSV, commas, UTF-8"),
    ],
)
def test_the_content_tells_the_form(content: bytes, name: str, form: str) -> None:
    assert table_of(content, name).form == form


@pytest.mark.parametrize("name", ["PK", "ORC", "ORCID", "BZh", "BZh9", "Rar!", "PAR1", "%PDF", "ARROW1"])
def test_a_columns_name_that_begins_as_another_form_does_is_a_name(name: str) -> None:
    table = table_of(f"{name},user,amount\n1,2,3\n".encode())
    assert (table.form, table.columns) == ("CSV, commas, UTF-8", (name, "user", "amount"))


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_file_is_no_table(content: bytes) -> None:
    with pytest.raises(FileError, match=r"^payments\.csv: the file is empty$"):
        table_of(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"save it as \.xlsx"),
        (b"<!DOCTYPE html><html><body>Log in", "a web page"),
        (b"<?xml version='1.0'?><orders/>", "XML, and no camt or OFX"),
        (b"BZh91AY&SY\0", "bzip2"),
        (b"Rar!\x1a\x07\x01\0", "RAR"),
        (b"ORC\x06\x0b\0\x12", "an ORC file"),
        (b"ARROW1\0\0", "an Arrow file"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"{\\rtf1", "a text document"),
        (b"SQLite format 3\0", "a database"),
        (b"\0\0\0\0\0\0", "NUL"),
    ],
)
def test_what_is_no_table_is_named_with_what_to_do(content: bytes, told: str) -> None:
    with pytest.raises(FileError, match=told):
        table_of(content)


def test_a_path_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "payments.csv"
    file.write_bytes(b"id\n1\n")
    table = open_table(file, "payments.csv")

    first, second = table.rows(), table.rows()
    assert next(first).cells == next(second).cells == {"id": "1"}
    with pytest.raises(FileError, match=r"gone\.csv: no such file"):
        open_table(tmp_path / "gone.csv", "gone.csv")


def test_a_file_object_is_left_open_and_one_that_cannot_be_rewound_is_kept() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, offset: int, whence: int = 0) -> int:
            raise io.UnsupportedOperation("seek")

    for file in (io.BytesIO(b"id\n1\n"), Pipe(b"id\n1\n")):
        table = open_table(file, "payments.csv")
        assert [list(row.cells.values()) for _ in range(2) for row in table.rows()] == [["1"], ["1"]]
        assert not file.closed


@pytest.mark.parametrize(
    ("content", "package"),
    [
        (b"PAR1\x15...", "pyarrow"),
        (b"{1:F01BANK}{4:\n:20:A", "mt940"),
        (b'<D xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>', "defusedxml"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_how_to_install_it(
    content: bytes, package: str
) -> None:
    script = f"""
import io, sys
sys.modules[{package!r}] = None
from transactions.importing.forms import open_table
try:
    open_table(io.BytesIO({content!r}), "a")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("FileError a: ")
    assert done.stdout.rstrip().endswith(
        f"needs the package {package}: pip install -r requirements-files.lock"
    )


def test_reading_csv_loads_none_of_those_packages() -> None:
    script = """
import io, sys
from transactions.importing.forms import open_table
list(open_table(io.BytesIO(b"id\\n1\\n"), "a").rows())
print([name for name in ("openpyxl", "pyarrow", "mt940", "defusedxml") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_cells_are_as_the_file_has_them() -> None:
    assert cells_of(b'id,text\n" 1 ","a ""b"",\nc"\n') == [[" 1 ", 'a "b",\nc']]


def test_what_is_no_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="a directory; name a file in it"):
        open_table(tmp_path, "shop")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="a pipe or a device"):
        open_table(tmp_path / "pipe", "pipe")


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)) * 50, b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00\x01\x04\x05\x06" * 9],
)
def test_what_is_no_text_at_all_is_told_as_that(content: bytes) -> None:
    with pytest.raises(FileError, match="no text, and in no form that is known here: is it a picture"):
        table_of(content)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xd8\xff\xe0\0\x10JFIF", b"GIF89a\0"])
def test_a_picture_is_told_as_one(content: bytes) -> None:
    with pytest.raises(FileError, match="a picture and no table"):
        table_of(content)


def test_text_of_two_bytes_a_letter_is_text_whatever_bytes_it_has() -> None:
    words = "".join(map(chr, range(0x4E01, 0x4E1F)))
    content = f"id,{words}\na,b\n".encode("utf-16")
    assert cells_of(content) == [["a", "b"]]
