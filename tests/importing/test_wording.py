"""A message names what is to be stated as whoever reads it states it: an option, a field, a key of a file."""

from pathlib import Path

import pytest

from tests.importing.reading import table_of
from tests.importing.tables import EveryKey, table
from transactions.importing.agreement import NotAgreed, understood
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.keys import BESIDE, FIELDS, VALUES
from transactions.importing.mapping import Mapping, MappingError, read
from transactions.importing.options import option
from transactions.importing.plan import plan
from transactions.importing.table import FileError
from transactions.importing.wording import as_key, named_by, said
from transactions.uploads.labels import LABELS, as_field

NUMBERS = b"1,7,9.00\n2,7,8.00\n"


def test_a_first_row_that_may_be_one_names_the_option() -> None:
    with named_by(option), pytest.raises(FileError) as refused:
        table_of(NUMBERS)
    assert "State --header-line 0 if no row names the columns, --header-line 1 if this one does" in str(
        refused.value
    )


def test_on_a_page_it_names_the_field() -> None:
    with named_by(as_field), pytest.raises(FileError) as refused:
        table_of(NUMBERS)
    assert "State “Line of the header”: 0 if no row names the columns" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("dates", "never", "--dates: it is one of iso"),
        ("mark", "x", "--decimal: it is"),
        ("header", "x", "--header-line: it is the number of a line"),
        ("currency", "XXQ", "--set currency=…: it is a code of three letters"),
        ("status", "gone", "--status: it is one of"),
        ("statuses.Paid", "gone", "--status Paid=…: it is one of"),
        ("columns.amout", "Total", "--map amout=…: it is no field"),
    ],
)
def test_what_cannot_be_right_is_named_by_its_option(key: str, value: str, told: str) -> None:
    with named_by(option), pytest.raises(MappingError) as refused:
        Mapping().stating(key, value)
    assert str(refused.value).startswith(told)


def test_on_a_page_what_cannot_be_right_is_named_by_its_label() -> None:
    with named_by(as_field), pytest.raises(MappingError, match=r"^“How dates are written”: it is one of iso"):
        Mapping().stating("dates", "never")


def test_of_a_mappings_file_its_own_key_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "shop.toml"
    kept.write_text('dates = "never"\n')
    with named_by(option), pytest.raises(MappingError, match=r"shop\.toml: dates: it is one of iso"):
        read(kept)


def test_columns_that_do_not_go_together_are_named_by_their_options() -> None:
    with named_by(option), pytest.raises(MappingError) as refused:
        Mapping({"debit": "Out"}).checked(["Out"])
    assert (
        str(refused.value) == "--map debit=…: it goes with --map credit=…; one column alone is --map amount=…"
    )


def test_what_a_whole_file_leaves_open_is_stated_as_on_a_page() -> None:
    read = table(["id", "user", "amount"], ["1", "7", "-9.00"])
    meant = Mapping({"transaction_id": "id", "user": "user", "amount": "amount"}, status="SUCCESS")
    with named_by(as_field), pytest.raises(ColumnError) as refused:
        plan(read, meant, users=EveryKey())
    assert "State “A negative amount is”: refund or “A negative amount is”: failed" in str(refused.value)


def test_a_value_with_spaces_is_quoted_as_a_shell_wants_it() -> None:
    read = table(["id", "user", "amount", "date"], ["1", "7", "9.00", "01.02.2026"])
    given = Mapping(timezone="UTC", status="SUCCESS")
    with pytest.raises(NotAgreed, match="Give --dates 'day first' or --dates 'month first'"):
        understood(read, given, lambda line: None, None)


def test_without_a_reader_who_is_known_keys_are_those_of_a_mapping() -> None:
    assert (said("header", 0), said("dates")) == ("header=0", "dates")
    with named_by(option):
        assert said("mark", ",") == "--decimal ,"
        with named_by(as_key):
            assert said("mark") == "mark"
    assert said("mark") == "mark"


def test_every_key_has_a_label() -> None:
    """`optional` and what is passed over come with a mapping."""
    asked = {*VALUES, *(f"columns.{name}" for name in (*FIELDS, *BESIDE))} - {"optional"}
    assert asked == {*LABELS}
