"""xlsx: values as the program shows them, and sheets that are meant to hold somebody up."""

import datetime as dt
import gzip
import io
import time
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet._reader import WorkSheetParser

from tests.importing.reading import cells_of, rows_of, table_of
from transactions.importing.forms import spreadsheet
from transactions.importing.table import FileError, Moment, Number, Row

SHEET = "xl/worksheets/sheet1.xml"
HEAD = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = "</sheetData></worksheet>"
HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c></row>'
MONTH = dt.datetime(2026, 1, 31, 23, 59, 59)


def book(*rows: Sequence[Any], title: str = "Payments", more: Sequence[str] = ()) -> bytes:
    written = openpyxl.Workbook()
    sheet = written.active
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    for each in more:
        written.create_sheet(each)
    file = io.BytesIO()
    written.save(file)
    return file.getvalue()


def with_part(content: str, part: str = SHEET) -> bytes:
    """A book whose part is replaced by what no program would write."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book(["id"], [1]))) as old, zipfile.ZipFile(file, "w", 8) as new:
        assert part in old.namelist()
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return file.getvalue()


def test_values_are_those_that_the_program_shows() -> None:
    content = book(["id", "amount", "at", "day", "paid"], ["a", 0.1 + 0.2, MONTH, dt.date(2026, 1, 2), True])
    (row,) = rows_of(content)

    assert table_of(content).form == "Excel, sheet 'Payments'"
    assert row == Row(
        2,
        {
            "id": "a",
            "amount": "0.3",
            "at": "2026-01-31T23:59:59",
            "day": "2026-01-02T00:00:00",
            "paid": "true",
        },
    )
    kinds = [type(cell) for cell in row.cells.values()]
    assert kinds == [str, Number, Moment, Moment, str]


def test_numbers_have_no_exponent() -> None:
    content = book(["n"], [1.5e14], [-1e-7], [12], [1.10])
    assert cells_of(content) == [["150000000000000"], ["-0.0000001"], ["12"], ["1.1"]]


def numbers(*texts: str) -> bytes:
    """A sheet of these, as a program has written them."""
    rows = (f'<row r="{at}"><c r="A{at}"><v>{text}</v></c></row>' for at, text in enumerate(texts, start=2))
    return with_part(f"{HEAD}{HEADER}{''.join(rows)}{TAIL}")


@pytest.mark.parametrize(
    "number",
    [
        "1e20", "1.234567890123456E+15", "1234567890123450", "-1234567890123450000", "1.2345678901234568E+18",
        "123456789012345.67", "-12345678901234.56", "1234567890123.456",
    ],
)  # fmt: skip
def test_a_number_of_more_digits_than_a_spreadsheet_keeps_refuses_its_row(number: str) -> None:
    first, second = rows_of(numbers(number, "1"))
    assert "column 'id' has a number of more than 15 digits" in first.fault
    assert "write it as a text" in first.fault
    # As it stands in the file, to be corrected.
    assert float(first.cells["id"]) == float(number)
    assert second.fault == ""


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        ("999999999999999", "999999999999999"), ("9223372036854775807", "9223372036854775807"),
        ("1234567890123.45", "1234567890123.45"), ("1000000000.8000001", "1000000000.8"),
        ("1000000000000.3001", "1000000000000.3"), ("0.30000000000000004", "0.3"), ("-0", "0"),
    ],
)  # fmt: skip
def test_a_number_keeps_the_digits_that_somebody_wrote(number: str, digits: str) -> None:
    assert cells_of(numbers(number)) == [[digits]]


def test_blank_rows_and_columns_are_no_records_and_rows_have_their_numbers() -> None:
    content = book([], [None, "id", "amount"], [None, "a", 1], [], [" "], [None, "b"])

    table = table_of(content)
    assert table.columns == ("column 1", "id", "amount")
    assert [(row.line, *row.cells.values()) for row in table.rows()] == [(3, "", "a", "1"), (6, "", "b", "")]


def several(**sheets: Sequence[Sequence[Any]]) -> bytes:
    """A book of several sheets."""
    written = openpyxl.Workbook()
    written.remove(written.active)
    for title, rows in sheets.items():
        sheet = written.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    file = io.BytesIO()
    written.save(file)
    return file.getvalue()


def test_the_only_sheet_with_values_is_read_of_those_that_are_shown() -> None:
    assert table_of(book(["id"], [1], more=["Notes"])).form == "Excel, sheet 'Payments'"

    file = io.BytesIO(book(["id"], [1], more=["Notes"]))
    hidden = openpyxl.load_workbook(file)
    hidden["Payments"].sheet_state = "hidden"
    hidden["Notes"].append(["of Notes"])
    hidden.save(file)
    assert table_of(file.getvalue()).columns == ("of Notes",)


def test_of_several_sheets_with_values_one_is_to_be_stated() -> None:
    content = several(May=[["id"], [5]], June=[["id"], [6]], Notes=[])
    with pytest.raises(FileError, match=r"2 sheets have values \('May', 'June'\); state .* \(sheet\)"):
        table_of(content)
    assert cells_of(content, sheet="June") == [["6"]]
    with pytest.raises(FileError, match="no sheet is called 'Juni'; it has 'May', 'June', 'Notes'"):
        table_of(content, sheet="Juni")


ABOVE = [["Statement"], [], ["Account", "DE12"], ["id", "customer", "amount", "text"]]


def test_rows_above_the_header_of_a_sheet_are_no_part_of_the_table() -> None:
    table = table_of(book(*ABOVE, ["a", 7, 1.5, "x"], ["b", 8, 2]))
    assert (table.columns, table.form) == (
        ("id", "customer", "amount", "text"),
        "Excel, sheet 'Payments', header in row 4",
    )
    assert [(row.line, *row.cells.values()) for row in table.rows()] == [
        (5, "a", "7", "1.5", "x"),
        (6, "b", "8", "2", ""),
    ]


def test_a_row_wider_than_the_header_of_a_sheet_is_no_header() -> None:
    table = table_of(book(["id", "amount"], ["a", 1], ["b", "c", "d", "e"], ["f", 2]))
    assert table.columns == ("id", "amount")
    assert [bool(row.fault) for row in table.rows()] == [False, True, False]


def test_the_row_of_a_sheets_header_can_be_stated() -> None:
    content = book(["id", "made"], ["id", "amount"], ["a", 1])
    assert table_of(content).columns == ("id", "made")
    table = table_of(content, header=2)
    assert (table.columns, [row.line for row in table.rows()]) == (("id", "amount"), [3])
    with pytest.raises(FileError, match="row 9 is no header: rows 1 to 3 have values"):
        table_of(content, header=9)


def test_a_sheet_may_have_no_header_and_is_asked_about_it() -> None:
    content = book(["T1", 100.5, MONTH], ["T2", 3, MONTH])
    with pytest.raises(FileError, match=r"row 1 may be a row: '100.5' is no name of a column.* header=0"):
        table_of(content)
    table = table_of(content, header=0)
    assert table.form == "Excel, sheet 'Payments', no header"
    assert table.columns == ("column 1", "column 2", "column 3")
    found = rows_of(content, header=0)
    assert [(row.line, row.cells["column 2"], type(row.cells["column 2"])) for row in found] == [
        (1, "100.5", Number), (2, "3", Number),
    ]  # fmt: skip


@pytest.mark.parametrize("stated", [{"encoding": "latin-1"}, {"delimiter": ";"}])
def test_what_is_stated_of_text_is_refused_of_a_sheet(stated: dict[str, str]) -> None:
    (key,) = stated
    with pytest.raises(FileError, match=f"{key} is stated, .* alone; this is an Excel file"):
        table_of(book(["id"], [1]), **stated)


def test_an_error_of_the_program_is_a_fault_of_the_row() -> None:
    rows = rows_of(book(["id", "amount"], ["a", "#N/A"], ["b", 5], ["c", 1, "beyond"]))
    assert [row.fault for row in rows] == [
        "column 'amount' holds '#N/A', which is no value",
        "",
        "cell 3 is too many, where 2 are expected: 'beyond'",
    ]


def test_a_formula_has_the_value_that_was_reckoned_and_one_without_is_refused() -> None:
    formula = '<row r="2"><c r="A2"><f>1+1</f>{}</c></row>'
    assert cells_of(with_part(HEAD + HEADER + formula.format("<v>2</v>") + TAIL)) == [["2"]]
    for none in ("", "<v/>", "<v />"):
        with pytest.raises(FileError, match="a formula has no value yet; open the file"):
            table_of(with_part(HEAD + HEADER + formula.format(none) + TAIL))
    with pytest.raises(FileError, match="a formula has no value yet"):
        table_of(book(["id"], ["=1+1"]))


def test_it_is_read_out_of_gzip_too() -> None:
    assert table_of(gzip.compress(book(["id"], [1]))).form == "Excel, sheet 'Payments', gzip"


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_cut_off_file_is_refused_when_it_is_opened(keep: float) -> None:
    content = book(["id"], [1])
    with pytest.raises(FileError, match="cut off or damaged"):
        table_of(content[: int(len(content) * keep)])


@pytest.mark.parametrize("blank", ["<row/>", '<row ht="20"><c s="1"/><c s="1"/></row>'])
def test_blank_rows_at_the_end_are_not_read(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two million, twice as many as a sheet can have, are looked at as bytes alone."""
    many = (blank * 200_000).encode()
    raw = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(with_part("")), "r") as old,
        zipfile.ZipFile(raw, "w", 8, compresslevel=1) as new,
    ):
        for name in old.namelist():
            if name != SHEET:
                new.writestr(name, old.read(name))
        with new.open(SHEET, "w", force_zip64=True) as sheet:
            sheet.write((HEAD + HEADER + '<row r="2"><c r="A2"><v>5</v></c></row>').encode())
            for _ in range(10):
                sheet.write(many)
            sheet.write(TAIL.encode())
    read = 0
    parse_row = WorkSheetParser.parse_row

    def counted(self: Any, row: Any) -> Any:
        nonlocal read
        read += 1
        return parse_row(self, row)

    monkeypatch.setattr(WorkSheetParser, "parse_row", counted)
    began = time.process_time()
    assert cells_of(raw.getvalue()) == [["5"]]
    assert read < 200_000
    assert time.process_time() - began < 12


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            HEAD + HEADER + '<row r="99999999"><c><v>1</v></c></row>' + TAIL,
            "row 99,999,999: a sheet has 1,048,576",
        ),
        (HEAD + HEADER + HEADER + TAIL, "row 1: a sheet has 1,048,576 rows, one after the other"),
        (HEAD + '<row r="1"><c r="XFD1"><v>1</v></c></row>' + TAIL, r"damaged \(ValueError\)"),
        (HEAD + HEADER + '<row r="2"><c r="A2" t="s"><v>99</v></c></row>' + TAIL, r"damaged \(IndexError\)"),
        (HEAD + HEADER + '<row r="2"><c r="A2"><v>x</v></c></row>' + TAIL, r"damaged \(ValueError\)"),
        (HEAD + HEADER + '<row r="2"><c r="A2"><v>1</v>', r"damaged \(ParseError\)"),
        ('<!DOCTYPE a [<!ENTITY b "cc">]>' + HEAD + HEADER + TAIL, "a document type"),
        ("", r"damaged \(ParseError\)"),
    ],
)
def test_a_sheet_that_no_program_writes_is_refused(content: str, told: str) -> None:
    with pytest.raises(FileError, match=told):
        list(table_of(with_part(content)).rows())


def test_entities_in_another_part_are_not_expanded() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><workbook>&d;</workbook>'
    with pytest.raises(FileError, match=r"damaged \(EntitiesForbidden\)"):
        table_of(with_part(bomb, "xl/workbook.xml"))


def test_parts_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "TEXTS_MAX", 15_000)
    with pytest.raises(FileError, match=r"styles\.xml has 0 MiB once unpacked; save the sheet as CSV"):
        table_of(with_part("<styleSheet>" + " " * 20_000 + "</styleSheet>", "xl/styles.xml"))
    monkeypatch.setattr(spreadsheet, "SHEETS_MAX", 10_000)
    with pytest.raises(FileError, match="the sheets have 0 MiB once unpacked; save the one to import as CSV"):
        table_of(with_part(HEAD + " " * 20_000 + TAIL))
    monkeypatch.setattr(spreadsheet, "SHEETS_MAX", 1 << 32)
    monkeypatch.setattr(spreadsheet, "SHEET_MAX", 10_000)
    with pytest.raises(FileError, match=r"sheet1\.xml has 0 MiB"):
        table_of(with_part(HEAD + " " * 20_000 + TAIL))


def test_a_file_without_a_workbook_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(FileError, match="the Excel file is cut off or damaged"):
        table_of(file.getvalue())
