"""CSV: delimiters, headers, and rows that do not fit."""

import io

import pytest

from tests.importing.reading import cells_of, rows_of, table_of
from transactions.importing.forms import open_table
from transactions.importing.table import FileError


@pytest.mark.parametrize(
    ("delimiter", "words"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "pipes")]
)
def test_the_delimiter_is_told_by_the_rows(delimiter: str, words: str) -> None:
    content = "id;amount;text\n1;5.50;a\n2;6.00;b\n".replace(";", delimiter).encode()

    assert table_of(content).form == f"CSV, {words}, UTF-8"
    assert cells_of(content) == [["1", "5.50", "a"], ["2", "6.00", "b"]]


def test_a_decimal_comma_is_no_delimiter() -> None:
    assert cells_of(b"id;amount\n1;1,50\n2;2,50\n") == [["1", "1,50"], ["2", "2,50"]]


def test_a_delimiter_within_quotes_is_none() -> None:
    assert cells_of(b'id|"a;b;c;d"\n1|"2;3;4;5"\n') == [["1", "2;3;4;5"]]


def test_two_delimiters_that_would_both_do_are_asked_for() -> None:
    content = b"id,text;amount\n1,a;5\n"
    with pytest.raises(FileError, match=r"commas or semicolons, and both would do; say which"):
        table_of(content)
    assert cells_of(content, delimiter=";") == [["1,a", "5"]]


def test_a_stated_delimiter_is_taken_and_one_that_is_none_is_refused() -> None:
    assert cells_of(b"id~a\n1~2\n", delimiter="~") == [["1", "2"]]
    for wrong in ("", ";;", '"', "\n"):
        with pytest.raises(FileError, match="is no delimiter"):
            table_of(b"id;a\n1;2\n", delimiter=wrong)


def test_excels_own_word_on_the_delimiter_is_no_row() -> None:
    rows = rows_of(b"sep=|\r\nid|a,b\r\n1|2\r\n")
    assert [(row.line, row.cells) for row in rows] == [(3, {"id": "1", "a,b": "2"})]


def test_one_column_is_a_table_too() -> None:
    assert cells_of(b"id\n1\n2\n") == [["1"], ["2"]]


def test_a_name_that_repeats_is_numbered_as_an_empty_one_is() -> None:
    assert table_of(b" id ,,The\nname\n1,2,3\n".replace(b"\nn", b" n")).columns == (
        "id",
        "column 2",
        "The name",
    )
    assert table_of(b"id,a, id ,id (2)\n1,2,3,4\n").columns == ("id", "a", "id (2)", "id (2) (2)")


def test_what_is_no_header_is_refused() -> None:
    with pytest.raises(FileError, match="longer than 200 characters; is this line a header"):
        table_of(b"x" * 201 + b",b\n1,2\n")
    with pytest.raises(FileError, match="more than 1,000 columns"):
        table_of(",".join(f"c{number}" for number in range(1001)).encode() + b"\n")


def test_a_row_that_does_not_fit_has_a_fault_and_the_rest_goes_on() -> None:
    rows = rows_of(b"id,a\n1\n2,3,4\n5,6,\n7,\0\n8,9\n")

    assert [(row.line, row.fault) for row in rows] == [
        (2, "column 'a' is missing: 1 cells where 2 are expected"),
        (3, "cell 3 is too many, where 2 are expected: '4'"),
        (4, ""),
        (5, "column 'a' holds a NUL"),
        (6, ""),
    ]


def test_lines_are_counted_as_an_editor_does() -> None:
    rows = rows_of(b'\r\nid,a\r\n\r\n1,"x\r\ny"\r\n,\r\n2,z\r\n')
    assert [(row.line, row.cells["id"]) for row in rows] == [(4, "1"), (7, "2")]
    assert [row.line for row in rows_of(b"id,a\r1,2\r3,4\r")] == [2, 3]


def test_one_column_may_have_commas_in_its_cells() -> None:
    assert cells_of(b"name\nMiller, Anna\nMay; Bob\n") == [["Miller, Anna"], ["May; Bob"]]


def test_a_header_that_comes_again_is_a_fault() -> None:
    rows = rows_of(b"id,a\n1,2\nid,a\n3,4\n")
    assert [(row.line, row.fault) for row in rows] == [
        (2, ""),
        (3, "the header stands here once more"),
        (4, ""),
    ]


def test_a_header_alone_has_no_rows() -> None:
    assert cells_of(b"id,amount\n") == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'id,a\n1,"2\n3,4\n', r"line 2: unexpected end of data"),
        (b'id,a\n1,"2"x\n', r"line 2: .* expected after"),
        (b"id,a\n1," + b"x" * 140_000, r"line 2: field larger than field limit"),
        (b"id,a\n" + b"x" * 1_100_000, r"line 2 is longer than 1,048,576 characters"),
        (
            b"id,a\n" + b'"\n",' * 1_200_000,
            r"line 2: the row that begins there does not end; is a quote open\?",
        ),
    ],
)
def test_what_would_fill_the_memory_or_has_no_end_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(FileError, match=told):
        rows_of(content)


BANK = "Umsatzanzeige;Datei vom: 27.04.2026\n\nIBAN;DE12\nSaldo;1.000,00;EUR\n\nBuchung;Kunde;Betrag;Text\n"


def test_lines_above_the_header_are_no_part_of_the_table() -> None:
    read = open_table(io.BytesIO(f"{BANK}23.04.2026;7;1,00;x\n24.04.2026;8;2,00;y\n".encode()), "bank.csv")
    assert read.columns == ("Buchung", "Kunde", "Betrag", "Text")
    assert read.form == "CSV, semicolons, UTF-8, header on line 6"
    assert [(row.line, row.cells["Kunde"], row.fault) for row in read.rows()] == [(7, "7", ""), (8, "8", "")]


def test_rows_wider_than_the_header_are_no_header() -> None:
    read = open_table(io.BytesIO(b"a,b,c\nx,y,z,1\nx,y,z,2\n"), "wide.csv")
    assert (read.columns, [bool(row.fault) for row in read.rows()]) == (("a", "b", "c"), [True, True])


def test_the_headers_line_can_be_stated() -> None:
    text = b"made,for,you\na,b,c\n1,2,3\n"
    read = open_table(io.BytesIO(text), "stated.csv", header=2)
    assert (read.columns, [row.line for row in read.rows()]) == (("a", "b", "c"), [3])
    with pytest.raises(FileError, match="line 9 is no header that is looked at: state one of 1 to 3"):
        open_table(io.BytesIO(text), "stated.csv", header=9)
    with pytest.raises(
        FileError, match="header is stated, and that is of CSV and Excel files alone; this is JSON"
    ):
        open_table(io.BytesIO(b'[{"a": 1}]'), "list.json", header=2)


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        ("T1,1,100.50,SUCCESS,2026-01-01T10:00:00Z", "1"),
        ("a;31.01.2026;x", "31.01.2026"),
        ("T1,Bob,€5", "€5"),
        ("T1,Bob,(5.00)", "(5.00)"),
        ("7,Bob,x", "7"),
        ("x,2026-01-01T10:00:00Z,y", "2026-01-01T10:00:00Z"),
        ("x,5.00 EUR,y", "5.00 EUR"),
        ("T1,1,1,x", "1"),
        ("Bob;12.50 zł;x", "12.50 zł"),
        ("Bob;12,50 kr;x", "12,50 kr"),
        ("Bob;US$5;x", "US$5"),
        ("Bob;Kč 5;x", "Kč 5"),
        ("Bob;5 Jan 2026;x", "5 Jan 2026"),
        ("Bob;Jan 5th 2026;x", "Jan 5th 2026"),
        ("Bob;5. Januar 2026;x", "5. Januar 2026"),
        ("Bob;3. März 2026 10:00 Uhr;x", "3. März 2026 10:00 Uhr"),
        ("Bob;5 février 2026;x", "5 février 2026"),
        ("Bob;Mon, 5 Jan 2026 10:00:00 CET;x", "Mon, 5 Jan 2026 10:00:00 CET"),
        ("Bob;05/Jan/2026:10:00:00 +0100;x", "05/Jan/2026:10:00:00 +0100"),
    ],
)
def test_a_first_row_that_may_be_no_header_is_asked_about(row: str, cell: str) -> None:
    content = f"{row}\n{row}\n".encode()
    with pytest.raises(FileError) as asked:
        table_of(content)
    assert f"line 1 may be a row: {cell!r} is no name of a column" in str(asked.value)
    assert "header=0" in str(asked.value)
    assert "header=1" in str(asked.value)


def test_a_file_may_have_no_header() -> None:
    content = b"T1,1,100.50\n\nT2,1,3\nT3,1\n"
    table = table_of(content, header=0)
    assert table.form == "CSV, commas, UTF-8, no header"
    assert table.columns == ("column 1", "column 2", "column 3")
    found = rows_of(content, header=0)
    assert [(row.line, *row.cells.values(), bool(row.fault)) for row in found] == [
        (1, "T1", "1", "100.50", False), (3, "T2", "1", "3", False), (4, "T3", "1", True),
    ]  # fmt: skip
    assert cells_of(b"sep=;\na;1\n", header=0) == [["a", "1"]]


def test_a_header_with_digits_can_be_stated() -> None:
    assert cells_of(b"id,2026\na,1\n", header=1) == [["a", "1"]]
    assert table_of(b"id,Jan 2026,May\na,1,2\n").columns == ("id", "Jan 2026", "May")
    assert table_of(b"id,card4,3DS,Q1 2026,V1\na,1,2,3,4\n").columns == (
        "id",
        "card4",
        "3DS",
        "Q1 2026",
        "V1",
    )
