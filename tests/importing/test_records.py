"""JSON: lines, lists and answers of APIs."""

import json

import pytest

from tests.importing.reading import cells_of, rows_of, table_of
from transactions.importing.table import FileError, Number

RECORD = {"id": "a", "amount": 5, "payer": {"name": "Anna", "bank": {"iban": "DE1"}}, "tags": ["x", "y"]}


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (json.dumps(RECORD) + "\n\n" + json.dumps(RECORD), "JSON lines"),
        (json.dumps([RECORD, RECORD], indent=2), "JSON list"),
        (json.dumps({"next": None, "results": [RECORD, RECORD], "previous": None}), "JSON list"),
        (
            json.dumps({"object": "list", "data": [RECORD, RECORD], "has_more": True}),
            "JSON list, one page of several",
        ),
        (json.dumps({"next": "…", "results": [RECORD, RECORD]}), "JSON list, one page of several"),
    ],
)
def test_each_way_to_write_records_is_read(content: str, form: str) -> None:
    table = table_of(content.encode(), "payments.json")

    assert table.form == form
    assert table.columns == ("id", "amount", "payer.name", "payer.bank.iban", "tags")
    assert cells_of(content.encode()) == [["a", "5", "Anna", "DE1", '["x","y"]']] * 2


def test_other_encodings_than_utf_8_are_read_too() -> None:
    content = json.dumps([{"id": "Müller"}], ensure_ascii=False)
    assert table_of(content.encode("utf-16")).form == "JSON list, UTF-16"
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        assert cells_of(content.encode(encoding)) == [["Müller"]]


def test_numbers_keep_their_digits_and_lose_their_exponents() -> None:
    (row,) = rows_of(b'{"a": 12345678901234567890.10, "b": 1e3, "c": -2.50E-2, "d": "5", "e": 0}')

    assert list(row.cells.values()) == ["12345678901234567890.10", "1000", "-0.0250", "5", "0"]
    assert [isinstance(cell, Number) for cell in row.cells.values()] == [True, True, True, False, True]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1E-99999999999999999999", "1e999", "9" * 80])
def test_a_number_beyond_all_amounts_is_a_fault_of_its_row(number: str) -> None:
    for content in (
        f'{{"a": 1}}\n{{"a": {number}}}\n{{"a": 2}}\n',
        f'[{{"a": 1}}, {{"a": {number}}}, {{"a": 2}}]',
    ):
        first, wrong, last = rows_of(content.encode(), "a.json")
        assert (first.cells, last.cells) == ({"a": "1"}, {"a": "2"})
        assert wrong.fault == f"{number[:20]}… is too long for a number"


def test_half_a_character_is_a_fault_and_the_cell_can_be_written_to_a_file() -> None:
    _, wrong = rows_of(b'{"id": "a"}\n{"id": "x\\ud83d\\udc80\\udc80y"}\n')
    assert wrong.fault == "column 'id' holds a NUL, or half a character"
    assert wrong.cells == {"id": "x💀\\udc80y"}
    (_, wrong) = rows_of(b'{"id": "a"}\n{"id": "b", "\\ud83d": 1}\n')
    assert wrong.cells == {"id": "b"}


def test_what_is_neither_text_nor_number() -> None:
    assert cells_of(b'{"a": true, "b": false, "c": null, "d": {}, "e": []}') == [
        ["true", "false", "", "{}", "[]"]
    ]


def test_the_columns_are_those_of_all_records() -> None:
    rows = rows_of(b'{"a": 1}\n{"b": 2}\n')
    assert [row.cells for row in rows] == [{"a": "1", "b": ""}, {"a": "", "b": "2"}]


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ('{"a": {"b": 1}, "a.b": 2}', "'a.b' is there twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999999999}', "1e999999999… is too long for a number"),
        ('{"a": ' + "9" * 5000 + "}", "99999999999999999999… is too long for a number"),
        (r'{"a": "\u0000"}', "column 'a' holds a NUL, or half a character"),
        (r'{"a": "\ud800"}', "column 'a' holds a NUL, or half a character"),
        ('{"' + "a" * 300 + '": 1}', f"{'a' * 30!r} is no name of a column: too long, or no text"),
        ("[1]", "no JSON object: fields with names are expected"),
        ('"a"', "no JSON object: fields with names are expected"),
    ],
)
def test_a_record_that_no_row_can_be_has_a_fault_and_the_rest_goes_on(record: str, fault: str) -> None:
    for content in (f'{{"a": "1"}}\n{record}\n{{"a": "2"}}', f'[{{"a": "1"}}, {record}, {{"a": "2"}}]'):
        rows = rows_of(content.encode())
        assert [(row.line, row.fault) for row in rows] == [(1, ""), (2, fault), (3, "")]


@pytest.mark.parametrize(
    "records",
    [
        ['{"id": "a", "amount": 5, "data": [1, 2]}'],
        ['{"id": "a", "amount": 5, "data": [{"k": 1}]}'],
        ['{"who": "a", "data": []}', '{"who": "b", "data": [{"k": 1}]}'],
        ['{"who": "a", "results": [{"k": 1}]}', '{"who": "b", "results": []}', ""],
    ],
)
def test_a_record_may_have_a_list_of_its_own(records: list[str]) -> None:
    content = "\n".join(records).encode()
    assert table_of(content).form == "JSON lines"
    assert len(rows_of(content)) == len([*filter(None, records)])


def test_a_line_that_is_no_json_has_a_fault() -> None:
    rows = rows_of(b'{"a": 1}\n{"a": \n' + b'{"a":' * 5000 + b"\n")
    assert [row.fault for row in rows] == [
        "",
        "no JSON object: Expecting value",
        "no JSON object: nested too deep",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'[{"a": 1}, {"a": 2}', "entry 2 is no JSON: the file is cut off"),
        (b'[{"a": 1}, {"a": 2', "entry 2 is no JSON: "),
        (b'[{"a": 1} {"a": 2}]', "entry 1 is no JSON: , or ] is expected"),
        (b'[{"a": 1}] x', "something follows the list"),
        (b'{"results": [{"a": 1}]', "is no JSON: the file is cut off"),
        (b'{"results": [{"a": 1}]} {}', "one is expected on each line"),
        (b"{\n", "line 1 is no JSON object"),
        (b"[]", "no object with a name"),
        (b"[" * 100_000, "nested too deep"),
        (b'[{"a": "' + b"x," * 1_500_000, "entry 1 is no JSON: "),
        (b'{"a": "' + b"x" * 3_000_000, "line 1 is longer than"),
        (
            b"[" + b",".join(b'{"c%d": 1}' % number for number in range(1001)) + b"]",
            "more than 1,000 columns",
        ),
    ],
)
def test_a_file_that_is_broken_is_refused_when_it_is_opened(content: bytes, told: str) -> None:
    with pytest.raises(FileError, match=told):
        table_of(content, "payments.json")


def test_a_record_larger_than_a_portion_is_read() -> None:
    content = json.dumps([{"a": "x" * 200_000, "b": number} for number in range(5)]).encode()
    assert [cells[1] for cells in cells_of(content)] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_list_may_be_one_line_of_any_length(encoding: str) -> None:
    content = json.dumps([{"id": f"Müller {number}"} for number in range(60_000)], ensure_ascii=False)
    assert cells_of(content.encode(encoding))[-1] == ["Müller 59999"]


def test_a_stated_encoding_is_taken_and_a_sheet_refused() -> None:
    content = '[{"name": "Zoë"}]'.encode("cp437")
    assert cells_of(content, encoding="cp437") == [["Zoë"]]
    with pytest.raises(FileError, match="sheet is stated, and that is of Excel files alone; this is JSON"):
        cells_of(content, encoding="cp437", sheet="May")
