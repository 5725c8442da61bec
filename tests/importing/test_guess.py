"""What is guessed of a file, said, and asked."""

import pytest
from pytest_django import Settings

from tests.importing.tables import table
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping, MappingError, parse, write
from transactions.importing.table import Number

NOTHING = Mapping()


def keys(found: Guess) -> list[str]:
    return [question.key for question in found.open]


@pytest.mark.parametrize(
    ("header", "row", "columns"),
    [
        (
            ["Invoice", "Customer", "Total", "State", "When"],
            ["536365", "17850", "139.12", "Paid", "2010-12-01T08:26:00Z"],
            {
                "transaction_id": "Invoice",
                "user": "Customer",
                "amount": "Total",
                "status": "State",
                "created_at": "When",
            },
        ),
        (
            ["id", "Created date (UTC)", "Amount", "Fee", "Currency", "Status", "Customer ID"],
            ["ch_1", "2026-01-05 12:30", "20.00", "0.88", "eur", "Paid", "cus_1"],
            {
                "transaction_id": "id",
                "created_at": "Created date (UTC)",
                "amount": "Amount",
                "currency": "Currency",
                "status": "Status",
                "user": "Customer ID",
            },
        ),
        (
            [
                "Date", "Time", "TimeZone", "Name", "Status", "Currency", "Gross", "Fee", "Net",
                "From Email Address", "Transaction ID",
            ],
            [
                "01/31/2026", "10:00:00", "PST", "Ann", "Completed", "USD", "1,250.00", "-1.00", "9",
                "a@example.org", "8AB",
            ],
            {
                "created_at": "Date",
                "time": "Time",
                "timezone": "TimeZone",
                "status": "Status",
                "currency": "Currency",
                "amount": "Gross",
                "user": "From Email Address",
                "transaction_id": "Transaction ID",
            },
        ),
        (
            ["Buchungstag", "Betrag", "Kundennummer", "Status"],
            ["31.01.2026", "1.250,00", "7", "gebucht"],
            {"created_at": "Buchungstag", "amount": "Betrag", "user": "Kundennummer", "status": "Status"},
        ),
    ],
)  # fmt: skip
def test_columns_are_recognised_by_their_names(
    header: list[str], row: list[str], columns: dict[str, str]
) -> None:
    found = guess(table(header, row), NOTHING)
    assert found.mapping.columns == columns
    for field, column in columns.items():
        assert any(f"“{column}”" in reason for reason in found.reasons), field


def test_columns_are_recognised_by_what_is_in_them_where_no_name_tells() -> None:
    header = ["A", "B", "C", "D"]
    rows = [["2026-01-31 10:00", "12.50", "Completed", "x"], ["2026-01-31 11:00", "3.00", "Failed", "y"]]
    found = guess(table(header, *rows), NOTHING)
    assert found.mapping.columns == {"created_at": "A", "amount": "B", "status": "C"}
    assert [(each.key, each.choices) for each in found.open if each.key == "columns.user"] == [
        ("columns.user", (("D", "column “D”"),))
    ]


def test_of_several_columns_of_amounts_without_a_name_it_is_asked() -> None:
    found = guess(table(["A", "B", "user"], ["12.50", "3.00", "7"]), NOTHING)
    assert keys(found) == ["columns.amount", "status"]
    assert [value for value, _ in found.open[0].choices] == ["A", "B"]


def test_what_has_a_fields_name_and_cannot_be_read_is_asked_about_and_never_replaced() -> None:
    found = guess(table(["amount", "total", "user", "status"], ["lots", "12.50", "7", "paid"]), NOTHING)
    assert keys(found) == ["columns.amount"]
    assert "“amount” is the amount by its name" in found.open[0].why
    assert "line 2: “lots”" in found.open[0].why
    assert [value for value, _ in found.open[0].choices] == ["amount", "total"]


def test_what_is_given_stands_however_the_file_looks() -> None:
    given = Mapping(
        columns={"amount": "Fee", "user": "Net", "time": ""}, decimals=3, users="name", ids="content"
    )
    found = guess(table(["id", "Amount", "Fee", "Net", "Status"], ["1", "9.00", "1.00", "8", "ok"]), given)
    assert (found.mapping.columns["amount"], found.mapping.columns["user"]) == ("Fee", "Net")
    assert (found.mapping.decimals, found.mapping.users, found.mapping.ids) == (3, "name", "content")
    assert "transaction_id" not in found.mapping.columns


def test_a_column_that_is_said_to_be_none_is_not_looked_for() -> None:
    given = Mapping(status="SUCCESS").stating("columns.status", "")
    found = guess(table(["id", "amount", "user", "status"], ["1", "9.00", "7", "?"]), given)
    assert found.mapping.named == {"transaction_id": "id", "amount": "amount", "user": "user"}
    assert found.open == ()


def test_what_is_given_and_not_in_the_file_is_refused() -> None:
    with pytest.raises(
        MappingError, match=r"columns\.amount: the file has no column “Amnt”; did you mean “Amount”"
    ):
        guess(table(["id", "Amount"], ["1", "9.00"]), Mapping(columns={"amount": "Amnt"}))


def test_a_column_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ColumnError, match=r"line 2 has “9,50” and line 3 has “9\.50”"):
        guess(table(["amount"], ["9,50"], ["9.50"]), NOTHING)


def test_without_a_column_of_ids_it_is_said_what_they_are_made_of() -> None:
    found = guess(table(["amount", "user", "status"], ["9.00", "7", "ok"]), NOTHING)
    assert found.mapping.ids == "content"
    assert any("two transactions" in reason for reason in found.reasons)


def test_ids_that_repeat_in_over_a_third_of_the_rows_are_asked_about() -> None:
    rows = [[id, "9.00", "7", "ok"] for id in ("a", "a", "a", "b", "c")]
    found = guess(table(["id", "amount", "user", "status"], *rows), NOTHING)
    assert keys(found) == ["ids"]
    assert "2 of 5 rows repeat an id in column “id”" in found.open[0].why
    assert [value for value, _ in found.open[0].choices] == ["column", "content"]
    stated = guess(table(["id", "amount", "user", "status"], *rows), Mapping(ids="column"))
    assert (stated.mapping.ids, stated.open) == ("column", ())


def test_ids_that_repeat_now_and_then_are_told_of() -> None:
    rows = [[id, "9.00", "7", "ok"] for id in ("a", "a", "b", "c", "d")]
    found = guess(table(["id", "amount", "user", "status"], *rows), NOTHING)
    assert (found.mapping.ids, found.open) == ("column", ())
    assert any("1 of 5 rows repeat an id in “id”" in reason for reason in found.reasons)


def test_parts_of_an_id_are_looked_at_together() -> None:
    rows = [["a", str(at), "9.00", "7", "ok"] for at in range(4)]
    given = Mapping(id_parts=("sequence",))
    found = guess(table(["order_id", "sequence", "value", "user", "status"], *rows), given)
    assert (found.mapping.ids, found.open) == ("column", ())


def test_users_are_keys_or_names_and_of_both_it_is_asked() -> None:
    header = ["amount", "user", "status"]
    assert guess(table(header, ["9.00", "7.0", "ok"]), NOTHING).mapping.users == "key"
    assert guess(table(header, ["9.00", "ann", "ok"]), NOTHING).mapping.users == "name"
    found = guess(table(header, ["9.00", "7", "ok"], ["9.00", "ann", "ok"]), NOTHING)
    assert keys(found) == ["users"]
    assert "key on line 2 (“7”) and a name on line 3 (“ann”)" in found.open[0].why


def test_a_status_is_asked_for_where_no_column_tells() -> None:
    found = guess(table(["amount", "user"], ["9.00", "7"]), NOTHING)
    assert keys(found) == ["status"]
    answered = guess(table(["amount", "user"], ["9.00", "7"]), found.mapping.stating("status", "SUCCESS"))
    assert answered.open == ()


def test_times_are_in_utc_where_the_header_says_so() -> None:
    found = guess(
        table(["Created (UTC)", "amount", "user", "status"], ["2026-01-31 10:00", "1.00", "7", "ok"]), NOTHING
    )
    assert (found.mapping.timezone, found.open) == ("UTC", ())


def test_with_a_currency_whole_numbers_alone_are_asked_about(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    found = guess(table(["amount", "user", "status"], ["1250", "7", "ok"]), NOTHING)
    assert (found.mapping.decimals, keys(found)) == (2, ["unit"])


def test_the_answers_to_all_questions_close_them() -> None:
    read = table(["amount", "user", "when"], ["-1.234", "7", "01/02/2026"], ["5", "ann", "02/03/2026"])
    found = guess(read, NOTHING)
    assert keys(found) == ["status", "mark", "negative", "dates", "timezone", "users"]
    mapping = found.mapping
    for question in found.open:
        mapping = mapping.stating(question.key, question.choices[0][0] if question.choices else "UTC")
    mapping = mapping.stating("decimals", "3")
    closed = guess(read, mapping)
    assert closed.open == ()
    assert parse(write(closed.mapping)) == closed.mapping


def test_a_form_is_proved_by_all_rows_not_by_the_first() -> None:
    rows = [["9.00", "7", "ok"]] * 2000 + [["9,00", "7", "ok"]]
    read = table(["amount", "user", "status"], *rows)
    with pytest.raises(ColumnError, match="line 2002"):
        guess(read, NOTHING)


def test_rows_that_are_passed_over_prove_nothing() -> None:
    rows = [["9.00", "7", "ok"], ["-9,00", "?", "Hold"]]
    found = guess(table(["amount", "user", "status"], *rows), Mapping(skip={"status": ("Hold",)}))
    assert (found.mapping.mark, found.mapping.users, found.open) == (".", "key", ())


def test_an_empty_table_leaves_everything_open() -> None:
    found = guess(table(["amount", "user", "status"]), NOTHING)
    assert keys(found) == ["columns.amount", "columns.user", "status"]


def test_numbers_of_the_file_are_read_by_their_point() -> None:
    rows = [[Number("12.5"), Number("7"), "ok"], [Number("1.25"), Number("8"), "ok"]]
    found = guess(table(["amount", "user", "status"], *rows), NOTHING)
    assert (found.mapping.decimals, found.mapping.unit, found.open) == (2, "whole", ())
