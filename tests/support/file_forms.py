"""One file of transactions in many forms: as other systems would have written it."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, str]
Cells = Callable[[Row], list[Any]]

COLUMNS = ("transaction_id", "user", "amount", "status", "created_at")
RENAMED = ("Rechnungs-Nr", "Kunde", "Betrag", "Zustand", "Datum")
# The zone in which times are written that have none.
ZONE = "Europe/Berlin"
_WORDS = {"SUCCESS": "Completed", "FAILED": "Refunded", "PENDING": "Pending"}
# Refunded is a word of which a system may mean either.
WORDS = ("--status", "Refunded=FAILED")


@dataclass(frozen=True)
class FileForm:
    """A form: what it is called, its file's ending, how it is written, and what nobody could guess of it."""

    name: str
    ending: str
    write: Callable[[Path, list[Row]], None]
    options: tuple[str, ...] = ()


def rows_of(file: Path) -> list[Row]:
    """The rows of a file in the form of `manage.py replay`."""
    with file.open(newline="") as source:
        return list(csv.DictReader(source))


def _plain(row: Row) -> list[Any]:
    return [row[name] for name in COLUMNS]


def _decimals(row: Row, text: Callable[[int], str]) -> list[Any]:
    id, user, amount, status, created = _plain(row)
    return [id, user, text(int(amount)), status, created]


def _point(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


def _comma(amount: int) -> str:
    return f"{amount // 100:,}".replace(",", ".") + f",{amount % 100:02}"


def _local(created: str) -> datetime:
    return datetime.fromisoformat(created).astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)


def _with_point(row: Row) -> list[Any]:
    return _decimals(row, _point)


def _with_comma(row: Row) -> list[Any]:
    return _decimals(row, _comma)


def _without_zone(row: Row) -> list[Any]:
    *cells, created = _plain(row)
    return [*cells, _local(created).strftime("%d/%m/%Y %H:%M")]


def _all(row: Row) -> list[Any]:
    id, user, amount, status, created = _with_comma(row)
    return [id, user, amount, _WORDS[status], _local(created).strftime("%d.%m.%Y %H:%M:%S")]


def _typed(row: Row) -> list[Any]:
    id, user, amount, status, created = _plain(row)
    key = int(user) if user else None
    return [id, key, Decimal(int(amount)).scaleb(-2), status, _local(created)]


def _text(header: Sequence[str], rows: list[Row], cells: Cells, delimiter: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(map(cells, rows))
    return out.getvalue()


def _separated(
    cells: Cells = _plain,
    *,
    header: Sequence[str] = COLUMNS,
    delimiter: str = ",",
    encoding: str = "utf-8",
    pack: Callable[[bytes], bytes] = bytes,
) -> Callable[[Path, list[Row]], None]:
    def write(file: Path, rows: list[Row]) -> None:
        file.write_bytes(pack(_text(header, rows, cells, delimiter).encode(encoding)))

    return write


def _latin(row: Row) -> list[Any]:
    return [*_plain(row), "Müller & Söhne, Café"]


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("invoices.csv", content)
    return out.getvalue()


def _gzipped(content: bytes) -> bytes:
    return gzip.compress(content, 1)


def _lines(file: Path, rows: list[Row]) -> None:
    def line(row: Row) -> str:
        id, user, amount, status, created = _plain(row)
        found = {"id": id, "customer": int(user) if user else None, "amount": int(amount)}
        return json.dumps({**found, "status": status, "created": created})

    file.write_text("".join(f"{line(row)}\n" for row in rows))


def _xlsx(file: Path, rows: list[Row]) -> None:
    # Only tests that write a workbook need the package.
    from openpyxl import Workbook  # noqa: PLC0415

    book = Workbook(write_only=True)
    sheet = book.create_sheet("invoices")
    sheet.append(list(COLUMNS))
    for row in rows:
        sheet.append(_typed(row))
    book.save(file)


def _parquet(file: Path, rows: list[Row]) -> None:
    import pyarrow  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    columns = zip(*map(_typed, rows), strict=True)
    types = (pyarrow.string(), pyarrow.int64(), pyarrow.decimal128(18, 2), pyarrow.string(), None)
    arrays = [pyarrow.array(list(cells), type) for cells, type in zip(columns, types, strict=True)]
    parquet.write_table(pyarrow.table(dict(zip(COLUMNS, arrays, strict=True))), file)


FORMS = (
    FileForm("plain", "csv", _separated()),
    FileForm("renamed columns", "csv", _separated(header=RENAMED)),
    FileForm("decimals with a point", "csv", _separated(_with_point)),
    FileForm("decimal comma, semicolons", "csv", _separated(_with_comma, delimiter=";")),
    FileForm("days first, no zone", "csv", _separated(_without_zone), ("--timezone", ZONE)),
    FileForm("UTF-16", "csv", _separated(encoding="utf-16")),
    FileForm("Latin-1", "csv", _separated(_latin, header=(*COLUMNS, "Händler"), encoding="latin-1")),
    FileForm("gzip", "csv.gz", _separated(pack=_gzipped)),
    FileForm("zip", "zip", _separated(pack=_zipped)),
    FileForm("tab", "tsv", _separated(delimiter="\t")),
    FileForm("pipe", "txt", _separated(delimiter="|")),
    FileForm("NDJSON", "ndjson", _lines),
    FileForm("xlsx", "xlsx", _xlsx, ("--timezone", ZONE)),
    FileForm("parquet", "parquet", _parquet, ("--timezone", ZONE)),
    FileForm(
        "all at once",
        "csv.gz",
        _separated(_all, header=RENAMED, delimiter=";", encoding="utf-16", pack=_gzipped),
        ("--timezone", ZONE, *WORDS),
    ),
)


def in_forms(rows: list[Row], directory: Path) -> Iterator[tuple[FileForm, Path]]:
    """Each form with a file in it."""
    for form in FORMS:
        file = directory / f"invoices.{form.ending}"
        form.write(file, rows)
        yield form, file
        file.unlink()
