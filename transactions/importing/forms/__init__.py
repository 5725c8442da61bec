"""The forms that a file may have, told by what it begins with."""

import re
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from transactions.importing.forms import delimited, ofx, records
from transactions.importing.forms.charset import by_head
from transactions.importing.forms.source import Source, source_of
from transactions.importing.table import FileError, Table
from transactions.importing.wording import said

# What no text has, soon after letters with which a form begins: a column may be called by them.
_BINARY = rb".{0,15}[\0-\x08\x0e-\x1f]"
# Signs that texts have none of: of several kinds of these it is no text in any encoding that is told here.
_NO_TEXT = frozenset(range(0x01, 0x1B)) - frozenset(b"\t\n\v\f\r\x1a")
_NO_TEXT_KINDS = 3
# What is no table, by its first bytes, and what to do.
_NO_TABLES = (
    (rb"\xd0\xcf\x11\xe0", "an old or an encrypted Excel file; save it as .xlsx without a password"),
    (rb"%PDF-", "a PDF; ask for the same as CSV"),
    (rb"BZh[1-9]1AY&SY", "packed by bzip2; unpack it first"),
    (rb"\xfd7zXZ", "packed by xz; unpack it first"),
    (rb"\x28\xb5\x2f\xfd", "packed by zstd; unpack it first"),
    (rb"7z\xbc\xaf", "packed by 7-Zip; unpack it first"),
    (rb"Rar!\x1a\x07", "packed by RAR; unpack it first"),
    (rb"SQLite format 3\0", "a database of SQLite; export the table as CSV"),
    (rb"\{\\rtf", "a text document; save the table as CSV"),
    (rb"ORC" + _BINARY, "an ORC file; save it as parquet"),
    (rb"ARROW1\0\0", "an Arrow file; save it as parquet"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture and no table; ask for the same as CSV"),
)
_PARQUET = re.compile(b"PAR1" + _BINARY, re.DOTALL)
# A list or an object; [id] is the name of a column.
_JSON = re.compile(rb"""\[\s*[\[{"\]\d-]|\{\s*["}]""")
# Modules by form, imported when such a file comes: each needs a package of requirements-files.txt.
_EXTRAS = {
    "xlsx": ("spreadsheet", "an Excel file"),
    "parquet": ("parquet", "a parquet file"),
    "camt": ("camt", "a camt statement"),
    "mt940": ("swift", "an MT940 statement"),
}
_WORDS = {"csv": "CSV", "json": "JSON", "ofx": "OFX", **{form: what for form, (_, what) in _EXTRAS.items()}}
# Of which forms something can be stated.
_STATED_OF = {
    "encoding": ("csv", "json"), "delimiter": ("csv",), "header": ("csv", "xlsx"), "sheet": ("xlsx",),
}  # fmt: skip
_OF = {
    "encoding": "CSV and JSON", "delimiter": "CSV", "header": "CSV and Excel files", "sheet": "Excel files",
}  # fmt: skip


def open_table(
    file: Path | BinaryIO,
    name: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: int | None = None,
    sheet: str | None = None,
    member: str | None = None,
) -> Table:
    """The table that a file holds. Its form is told by its content first, then by its name.

    A file object has to stay open as long as the table is used, and is never closed here. What is stated is
    taken instead of what the file tells: `encoding` (a name that Python knows), `delimiter` (one character),
    `header` (a line of CSV or a row of a sheet, from 1), the `sheet`, and the `member` of a zip. Raises
    FileError, also for a form whose library is not installed, and for what is stated and is not of its form.
    """
    source = source_of(file, name, member)
    head = source.head()
    if not head.strip():
        raise FileError(f"{name}: the file is empty")
    form = _by_content(head, name)
    if form == "csv" and encoding is None:
        _check_text(head, name)
    if form == "json" and delimiter is not None:
        form = "csv"
    stated = {"encoding": encoding, "delimiter": delimiter, "header": header, "sheet": sheet}
    for key, value in stated.items():
        if value is not None and form not in _STATED_OF[key]:
            raise FileError(
                f"{name}: {said(key)} is stated, and that is of {_OF[key]} alone; this is {_WORDS[form]}"
            )
    if form in _EXTRAS:
        more = (sheet, header) if form == "xlsx" else ()
        table: Table = _by_extra(form, source).read(source, *more)
        return table
    if form == "ofx":
        return ofx.read(source)
    if form == "json":
        return records.read(source, encoding)
    return delimited.read(source, encoding, delimiter, header)


def _check_text(head: bytes, name: str) -> None:
    """Raises FileError for what is no text in any encoding that is known by its first bytes."""
    if len(_NO_TEXT.intersection(head)) >= _NO_TEXT_KINDS and by_head(head) is None:
        raise FileError(
            f"{name}: no text, and in no form that is known here: is it a picture or a program? Send CSV, "
            "NDJSON, xlsx, parquet or a bank's statement; of a text in a rare encoding state it "
            f"({said('encoding')})"
        )


def _by_content(head: bytes, name: str) -> str:
    """The form by a file's first bytes; what they leave open is JSON if its name says so, else CSV."""
    for magic, what in _NO_TABLES:
        if re.match(magic, head, re.DOTALL):
            raise FileError(f"{name}: {what}")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "xlsx"
    if _PARQUET.match(head):
        return "parquet"
    # ASCII of whatever encoding, as far as this looks.
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe").lstrip()
    if text[:9].upper() == b"OFXHEADER" or b"<OFX>" in text[:2048].upper():
        return "ofx"
    if text.startswith(b"<"):
        return _by_markup(text, name)
    if text.startswith((b"{1:", b":20:")) or (b"\n:20:" in text and b":60" in text):
        return "mt940"
    said = PurePath(name).suffix.lower() in (".json", ".jsonl", ".ndjson")
    return "json" if said or _JSON.match(text) else "csv"


def _by_markup(text: bytes, name: str) -> str:
    if b":camt.05" in text:
        return "camt"
    if b"<html" in text.lower() or b"<!doctype html" in text.lower():
        raise FileError(f"{name}: a web page and no table; was it saved while nobody was logged in?")
    raise FileError(f"{name}: XML, and no camt or OFX statement; ask for the same as CSV")


def _by_extra(form: str, source: Source) -> Any:
    """The module that reads such a file. Raises FileError where its library is not there."""
    module, what = _EXTRAS[form]
    try:
        return import_module(f"{__name__}.{module}")
    except ImportError as error:
        install = "pip install -r requirements-files.lock"
        package = (error.name or "").partition(".")[0]
        raise FileError(f"{source.name}: {what}, which needs the package {package}: {install}") from None
