"""Refused rows, corrected and alone in their file: they mean what the whole file has proved."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest

from tests.importing.tables import Users
from transactions.importing import errors_file
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.forms import open_table
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping
from transactions.importing.plan import Plan, plan
from transactions.importing.table import FileError, Table

STATED = Mapping(status="SUCCESS", timezone="UTC", negative="refund")
ANYBODY = {str(key): key for key in range(1, 10)} | {"Bob": 11, "Eve": 12}


def opened(text: str) -> Table:
    return errors_file.opened(io.BytesIO(text.encode()), "payments.csv", {})


def planned(table: Table, given: Mapping = STATED) -> Plan:
    found = guess(table, given)
    assert found.open == ()
    return plan(table, found.mapping, users=Users(ANYBODY))


def refused_of(found: Plan) -> str:
    """The file of its refused rows."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(errors_file.header(found.table.columns, found.summary.meant))
    writer.writerows(errors_file.written(row, row.code, row.reason) for row in found.refused())
    return out.getvalue()


def records(found: Plan) -> list[dict[str, Any]]:
    return [row.record for row in found.planned() if row.record]


@pytest.mark.parametrize(
    ("lines", "wrong", "right"),
    [
        # Decimals, and the unit of whole numbers.
        (["id,user,amount", "e1,1,10.50", "e2,777,12", "e3,1,20.25"], ",777,", ",1,"),
        (["id,user,amount", "e1,1,10", "e2,777,12"], ",777,", ",1,"),
        # The decimal mark.
        (["id;user;amount", "e1;1;10,50", "e2;777;1.200"], ";777;", ";1;"),
        (["id,user,amount", 'e1,1,"1,000.50"', 'e2,777,"1,200"'], ",777,", ",1,"),
        # Whether the day or the month is first.
        (["id,user,amount,date", "e1,1,1.50,31/01/2026", "e2,777,2.50,02/01/2026"], ",777,", ",1,"),
        (["id,user,amount,date", "e1,1,1.50,31/01/26", "e2,777,2.50,02/01/25"], ",777,", ",1,"),
        # Keys or names.
        (["id,user,amount", "e1,Bob,1.50", "e2,Eva,2.50"], ",Eva,", ",Eve,"),
        # Which column is the amount, the user, the id.
        (["id,user,amount,total", "e1,1,1.50,9.00", "e2,1,,7.00"], ",1,,7.00", ",1,3.50,7.00"),
        (["ref,user,amount", ",1,1.50", ",1,1.50", ",1,1.50", "R4,777,1.50"], ",777,", ",1,"),
        # A column of words that say what the signs of the amounts say.
        (["id,user,amount,type", "e1,1,-1.50,debit", "e2,777,2.50,credit"], ",777,", ",1,"),
    ],
)
def test_a_corrected_row_is_read_as_in_its_file(lines: Sequence[str], wrong: str, right: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    first = planned(opened(text))
    kept = refused_of(first)
    assert kept.count(wrong.replace(";", ",")) == 1
    corrected = kept.replace(wrong.replace(";", ","), right.replace(";", ","))

    whole = records(planned(opened(text.replace(wrong, right))))
    alone = records(planned(opened(corrected)))

    assert len(alone) == 1
    if "ref," not in text:
        assert alone[0] in whole
    else:
        assert alone[0]["transaction_id"].startswith("row-")


def test_it_is_told_and_what_is_stated_goes_over_it() -> None:
    kept = refused_of(planned(opened("id,user,amount\ne1,1,10.50\ne2,777,12\n")))
    found = guess(opened(kept.replace(",777,", ",1,")), STATED)
    assert (found.mapping.decimals, found.mapping.unit) == (2, "whole")
    assert any("what its file proved" in reason for reason in found.reasons)
    over = guess(opened(kept), STATED.holding("decimals", 3).holding("unit", "smallest"))
    assert (over.mapping.decimals, over.mapping.unit) == (3, "smallest")


def test_rows_that_are_refused_twice_still_mean_it() -> None:
    kept = refused_of(planned(opened("id,user,amount\ne1,1,10.50\ne2,777,12\n")))
    kept = refused_of(planned(opened(kept.replace(",777,", ",778,"))))
    assert [each["amount"] for each in records(planned(opened(kept.replace(",778,", ",1,"))))] == [1200]


def test_a_row_that_is_corrected_into_another_form_is_refused() -> None:
    text = "".join(["id;user;amount\n", *(f"e{n};1;10,50\n" for n in range(5)), "e9;1;x\n"])
    kept = refused_of(planned(opened(text)))
    with pytest.raises(ColumnError, match=r"the comma is stated as the decimal mark, and line 2 has “12.50”"):
        guess(opened(kept.replace(",x\r", ",12.50\r")), STATED)


def test_what_was_written_over_is_refused_with_what_would_be_right() -> None:
    kept = refused_of(planned(opened("id,user,amount\ne1,1,10.50\ne2,777,12\n")))
    for before, after in (("decimals", "decimal"), (": 2,", ': ""two"",'), ("{", "{[")):
        assert before in kept
        with pytest.raises(FileError, match="column 5: leave the name as it was"):
            opened(kept.replace(before, after, 1))


def test_a_file_that_has_such_columns_itself_comes_back() -> None:
    text = "kinds,code,user,amount,ids\nn,c,1,10.50,e1\nn,c,777,12,e2\n"
    stated = STATED.holding("columns.transaction_id", "ids")
    kept = refused_of(planned(opened(text), stated))
    table = opened(kept)
    assert table.columns == ("kinds", "code", "user", "amount", "ids")
    assert open_table(io.BytesIO(kept.encode()), "x.csv").columns[4].startswith("kinds (of the import) {")
    assert [each["amount"] for each in records(planned(opened(kept.replace(",777,", ",1,")), stated))] == [
        1200
    ]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "a;b", "a\tb", "2026", "=1+1"])
def test_what_separates_cells_elsewhere_may_stand_in_a_name(name: str) -> None:
    text = f'id,user,amount,"{name}"\na,1,1.50,x\nb,1,2\n'
    for stated in (STATED, STATED.holding("columns.user", "user")):
        first = errors_file.opened(io.BytesIO(text.encode()), "payments.csv", {"header": 1})
        kept = refused_of(planned(first, stated))
        assert opened(kept).columns == first.columns
        assert records(planned(opened(kept.replace(",b,1,2", ",b,1,2,y")), STATED)) == [
            {"transaction_id": "b", "user": 1, "status": "SUCCESS", "amount": 200}
        ]
