"""Amounts of files: what a column proves, what it leaves open, and what each cell is then."""

import time

import pytest

from transactions.importing.columns.money import MoneyForm, MoneyProof, form_of, taken_apart
from transactions.importing.columns.proofs import CellError, ColumnError, Settled
from transactions.importing.currencies import codes_of
from transactions.importing.mapping import Mapping
from transactions.importing.table import Number
from transactions.models import AMOUNT_MAX

CENTS = Mapping(decimals=2)


def settled(*cells: str, by: Mapping = CENTS) -> Settled:
    proof = MoneyProof("Amount")
    for line, cell in enumerate(cells, start=2):
        proof.see(line, cell)
    return proof.settled(by)


def amounts(*cells: str, by: Mapping = CENTS) -> list[int]:
    found = settled(*cells, by=by)
    assert found.open == []
    form = form_of(found.mapping)
    return [form.read(cell).smallest for cell in cells]


def open_keys(*cells: str, by: Mapping = CENTS) -> list[str]:
    return [question.key for question in settled(*cells, by=by).open]


# --- The decimal mark ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["12.50", "3"], [1250, 300]),
        (["12,50", "3"], [1250, 300]),
        (["1,234.56", "1,234"], [123456, 123400]),
        (["1.234,56", "1.234"], [123456, 123400]),
        (["1 234,56", "1\u202f234"], [123456, 123400]),
        (["1'234.50", "1’234"], [123450, 123400]),
        (["12,34,567.80"], [123456780]),
        (["1.234.567", "1,5"], [123456700, 150]),
        ([".5", "0.25"], [50, 25]),
        (["1234.5"], [123450]),
    ],
)
def test_the_whole_column_proves_its_decimal_mark(cells: list[str], right: list[int]) -> None:
    assert amounts(*cells) == right


@pytest.mark.parametrize(
    ("cells", "lines"),
    [
        (["12.50", "7", "12,50"], ("line 2 has “12.50”", "line 4 has “12,50”")),
        (["1.234,56", "1,234.56"], ("line 2 has “1.234,56”", "line 3 has “1,234.56”")),
        (["1,234,567", "3", "9,5"], ("line 2 has “1,234,567”", "line 4 has “9,5”")),
    ],
)
def test_a_column_that_mixes_decimal_marks_is_refused_by_two_lines(
    cells: list[str], lines: tuple[str, str]
) -> None:
    with pytest.raises(ColumnError, match="“Amount” mixes decimal marks") as refused:
        settled(*cells)
    assert all(line in str(refused.value) for line in lines)


def test_three_digits_behind_the_only_mark_are_asked_about() -> None:
    found = settled("1.234", "5", "12.500")
    assert [question.key for question in found.open] == ["mark"]
    assert "“1.234” on line 2" in found.open[0].why
    assert [value for value, _ in found.open[0].choices] == [".", ","]


def test_a_stated_mark_reads_what_would_be_asked_about() -> None:
    by = Mapping(decimals=3, mark=".")
    assert amounts("1.234", "12.5", by=by) == [1234, 12500]
    by = Mapping(decimals=2, mark=",", unit="whole")
    assert amounts("1.234", "5", by=by) == [123400, 500]


def test_a_stated_mark_that_the_column_contradicts_is_refused() -> None:
    with pytest.raises(
        ColumnError, match=r"comma is stated as the decimal mark, and line 3 has “12\.50”"
    ) as refused:
        settled("7", "12.50", by=Mapping(decimals=2, mark=","))
    assert refused.value.key == "mark"


def test_what_is_no_amount_proves_nothing() -> None:
    assert amounts("3,50") == amounts("3,50", by=settled("n/a", "", "3,50", "1.2.3").mapping) == [350]


# --- Unit and decimals --------------------------------------------------------------------------


def test_whole_numbers_beside_others_with_decimals_are_whole_units() -> None:
    assert amounts("12", "12.50", "0") == [1200, 1250, 0]


def test_a_column_of_whole_numbers_alone_is_asked_about() -> None:
    assert open_keys("12", "1200") == ["unit"]
    assert amounts("12", by=Mapping(decimals=2, unit="whole")) == [1200]
    assert amounts("12", by=Mapping(decimals=2, unit="smallest")) == [12]


def test_a_zero_that_a_program_wrote_behind_whole_numbers_proves_no_decimals() -> None:
    assert open_keys("12.0", "50530.0") == ["unit"]
    assert amounts("12.0", "50530.0", by=Mapping(decimals=2, unit="smallest")) == [12, 50530]


def test_of_a_currency_without_decimals_whole_numbers_are_what_they_are() -> None:
    assert amounts("12", "1,200", by=Mapping(decimals=0, mark=".")) == [12, 1200]


def test_decimals_are_those_of_the_currency_where_none_are_stated() -> None:
    proof = MoneyProof("Amount")
    proof.see(2, "12.5")
    assert proof.settled(Mapping(), "BHD", 3).mapping.decimals == 3
    assert proof.settled(CENTS, "BHD", 3).mapping.decimals == 2


@pytest.mark.parametrize(
    ("cell", "decimals", "unit", "of_currency", "right"),
    [
        ("12", 0, "whole", 2, 1200),
        ("1.50", 3, "whole", 2, 150),
        ("99.00", 2, "whole", 0, 99),
        ("1.25", 2, "whole", 3, 1250),
        ("1500", 3, "smallest", 2, 150),
        ("125", 2, "smallest", 3, 1250),
        ("125", 2, "smallest", None, 125),
        ("-1.50", 3, "whole", 2, -150),
    ],
)
def test_stated_decimals_are_the_files_and_an_amount_is_kept_in_those_of_the_currency(
    cell: str, decimals: int, unit: str, of_currency: int | None, right: int
) -> None:
    form = form_of(Mapping(decimals=decimals, unit=unit, mark="."), of_currency)
    assert form.read(cell).smallest == right


@pytest.mark.parametrize(
    ("cell", "decimals", "unit", "of_currency", "told"),
    [
        ("99.33", 2, "whole", 0, "a whole number is right"),
        ("12.005", 3, "whole", 2, "at most 2 decimals are right"),
        ("12.5", 0, "whole", 2, "a whole number is right"),
        ("12005", 3, "smallest", 2, "a multiple of 10 is right"),
        ("150", 2, "smallest", 0, "a multiple of 100 is right"),
    ],
)
def test_an_amount_that_does_not_fit_the_currency_is_refused_and_never_rounded(
    cell: str, decimals: int, unit: str, of_currency: int, told: str
) -> None:
    with pytest.raises(CellError, match=f"{told}, and nothing is rounded"):
        form_of(Mapping(decimals=decimals, unit=unit, mark="."), of_currency).read(cell)


def test_an_amount_that_only_the_currencys_decimals_make_too_large_is_refused() -> None:
    form = form_of(Mapping(decimals=0, unit="whole", mark="."), 2)
    assert form.read("92233720368547758").smallest == AMOUNT_MAX - 7
    with pytest.raises(CellError, match="too large"):
        form.read("92233720368547759")


def test_a_smallest_unit_without_decimals_is_refused_where_the_currency_has_some() -> None:
    """As a mapping says that was kept before there was a currency: 12 may be 12.00 or 0.12."""
    proof = MoneyProof("Amount")
    proof.see(2, "12")
    kept = Mapping(decimals=0, unit="smallest", mark=".")
    with pytest.raises(ColumnError, match=r"EUR has 2: state unit=whole where .*, or decimals=2") as refused:
        proof.settled(kept, "EUR", 2)
    assert refused.value.key == "decimals"
    assert proof.settled(kept, "JPY", 0).open == []


def test_without_a_currency_two_decimals_are_said_to_be_hundredths() -> None:
    found = settled("12.50", "3", by=Mapping())
    assert (found.mapping.decimals, found.mapping.unit) == (2, "whole")
    assert any("hundredth" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("cells", "by", "right"),
    [
        # What the cells say, what is stated.
        (["€230.50", "€230"], Mapping(), [23050, 23000]),
        (["230", "12"], Mapping(currency="EUR", unit="whole"), [23000, 1200]),
        (["649.00", "12"], Mapping(currency="JPY"), [649, 12]),
        (["JPY 649.00"], Mapping(), [649]),
        (["1.5", "2.250"], Mapping(currency="BHD"), [1500, 2250]),
        (["KWD 1.500", "KWD 2.2"], Mapping(), [1500, 2200]),
        # A dollar is of countries with decimals and without: those that are written tell.
        (["$10.50", "$3"], Mapping(), [1050, 300]),
        (["US$10", "US$3"], Mapping(unit="whole"), [1000, 300]),
        (["£12.00"], Mapping(), [1200]),
        (["230"], Mapping(currency="EUR", unit="smallest"), [230]),
    ],
)
def test_without_a_currency_of_the_deployment_decimals_are_those_of_the_files(
    cells: list[str], by: Mapping, right: list[int]
) -> None:
    assert amounts(*cells, by=by) == right


@pytest.mark.parametrize(
    ("cells", "by", "asked"),
    [
        (["€230"], Mapping(), ["unit"]),
        (["230"], Mapping(currency="EUR"), ["unit"]),
        # Of a yen 649.00 is 649, of a yuan it is 64900.
        (["¥649.00"], Mapping(), ["decimals"]),
        (["$230"], Mapping(), ["decimals"]),
        (["$230.00"], Mapping(), ["decimals"]),
    ],
)
def test_a_currency_of_the_file_that_does_not_tell_the_unit_is_asked_about(
    cells: list[str], by: Mapping, asked: list[str]
) -> None:
    assert open_keys(*cells, by=by) == asked


@pytest.mark.parametrize(
    "cell",
    [
        "1,50 Mio",
        "50.00 cts",
        "neg 5.00",
        "12 pcs",
        "abc 1",
        "ZZ$5",
        "1.50 Tsd",
        "9 XYZ",
        "₿ 0.5",
        "5 Stk",
        "¤5",
    ],
)
def test_what_stands_beside_an_amount_and_is_no_currency_makes_it_none(cell: str) -> None:
    with pytest.raises(CellError, match="is no amount"):
        taken_apart(cell)


def test_without_a_currency_other_decimals_are_asked_about() -> None:
    assert open_keys("12.5", "3.1", by=Mapping()) == ["decimals"]
    assert open_keys("12.12345", by=Mapping()) == ["decimals"]


def test_without_a_currency_whole_numbers_are_in_the_smallest_unit() -> None:
    assert amounts("12", "50530", by=Mapping()) == [12, 50530]


def test_amounts_in_the_smallest_unit_have_no_decimals() -> None:
    with pytest.raises(ColumnError, match=r"smallest unit, and line 3 has “12\.50”"):
        settled("12", "12.50", by=Mapping(decimals=2, unit="smallest"))


@pytest.mark.parametrize("cells", [("12.00",), ("35", "1,234.00")])
def test_decimals_that_are_written_are_no_smallest_unit_even_if_they_are_zeros(
    cells: tuple[str, ...],
) -> None:
    with pytest.raises(ColumnError, match=r"said to be in the smallest unit, and line \d has") as refused:
        settled(*cells, by=Mapping(decimals=2, unit="smallest", mark="."))
    assert refused.value.key == "unit"


@pytest.mark.parametrize("cell", ["12.345", "0.001", "12.5001"])
def test_an_amount_finer_than_the_smallest_unit_is_refused_and_never_rounded(cell: str) -> None:
    with pytest.raises(CellError, match="at most 2 decimals are right, and nothing is rounded"):
        MoneyForm(".", 2, "whole").read(cell)


def test_zeros_behind_the_last_decimal_change_nothing() -> None:
    assert MoneyForm(".", 2, "whole").read("12.3400").smallest == 1234


def test_an_amount_that_no_column_holds_is_refused() -> None:
    form = MoneyForm(".", 2, "whole")
    assert form.read("92233720368547758.07").smallest == AMOUNT_MAX
    with pytest.raises(CellError, match="too large"):
        form.read("92233720368547758.08")


# --- Signs, brackets, currencies ----------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "-12.50",
        "−12.50",
        "12.50-",
        "(12.50)",
        "- 12.50",
        "-$12.50",
        "$-12.50",
        "$(12.50)",
        "EUR -12.50",
        "($12.50)",
    ],
)
def test_a_negative_amount_may_be_written_in_many_ways(cell: str) -> None:
    assert MoneyForm(".", 2, "whole").read(cell).smallest == -1250


@pytest.mark.parametrize(
    "cell", ["€12.50", "12.50 €", "EUR 12.50", "12.50 eur", "US$12.50", "+12.50", " 12.50\u00a0"]
)
def test_a_currency_may_stand_on_either_side(cell: str) -> None:
    assert MoneyForm(".", 2, "whole").read(cell).smallest == 1250


@pytest.mark.parametrize(
    "cell",
    [
        "", "-", "abc", "5²", "１２.50", "٣", "1e3", "1.5E+03", "12..5", "1.2.3", "(12.50", "12.50)",
        "(-12.50)", "--5", "$12.50 EUR", "0x10", "12;50", "1,23,45.60", "12 50", "50¢", "9" * 80,
        "NaN", "Infinity", "12.",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused_with_what_would_be_right(cell: str) -> None:
    with pytest.raises(CellError, match="is no amount"):
        MoneyForm(".", 2, "whole").read(cell)


def test_negative_amounts_are_asked_about() -> None:
    found = settled("12.50", "(3.00)")
    assert [(each.key, [value for value, _ in each.choices]) for each in found.open] == [
        ("negative", ["refund", "failed", "refuse"])
    ]
    assert "line 3: “(3.00)”" in found.open[0].why
    assert open_keys("12.50", "-0.00") == []


def test_a_column_that_mixes_currencies_is_refused_unless_one_is_stated() -> None:
    with pytest.raises(ColumnError, match=r"in € on line 2 and in \$ on line 4") as refused:
        settled("€1.50", "€2.50", "$3.50")
    assert refused.value.key == "currency"
    assert settled("€1.50", "$3.50", by=Mapping(decimals=2, currency="EUR")).open == []


def test_of_several_currencies_with_codes_it_is_asked_which_is_taken() -> None:
    found = settled("1.50 USD", "€2.50", "3.50 usd")
    assert [(each.key, [value for value, _ in each.choices]) for each in found.open] == [
        ("currency", ["EUR", "USD"])
    ]


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("€", {"EUR"}),
        ("eur", {"EUR"}),
        ("US$", {"USD"}),
        ("CAD$", {"CAD"}),
        ("AU$", {"AUD"}),
        ("A$", {"AUD"}),
        ("R$", {"BRL"}),
        ("CN¥", {"CNY"}),
        ("¥", {"JPY", "CNY"}),
        ("￥", {"JPY", "CNY"}),
        ("kr", {"SEK", "NOK", "DKK", "ISK"}),
        ("zł", {"PLN"}),
        ("₴", {"UAH"}),
        ("US Dollar", set()),
        ("₠", set()),
        ("X$", set()),
    ],
)
def test_what_stands_beside_an_amount_may_mean_these_currencies(said: str, codes: set[str]) -> None:
    assert codes_of(said) == codes


def test_a_dollar_may_be_of_many_countries_and_is_never_a_euro() -> None:
    assert {"USD", "CAD", "AUD", "MXN"} <= codes_of("$")
    assert "EUR" not in codes_of("$")


def test_no_cell_takes_long_to_refuse() -> None:
    began = time.monotonic()
    for cell in ("(" + " " * 58 + "x", "1" + " " * 58 + "x", "1 " * 29 + "x", "1." * 29 + "x", "EUR " * 15):
        for _ in range(100):
            with pytest.raises(CellError):
                MoneyForm(".", 2, "whole").read(cell)
    assert time.monotonic() - began < 5


# --- What the file holds as numbers -------------------------------------------------------------


def test_a_number_of_the_file_has_a_point_whatever_texts_have() -> None:
    cells = [Number("1234.5"), "1.234,56", Number("-3"), Number("1.234")]
    found = settled(*cells, by=Mapping(decimals=3, negative="refuse"))
    form = form_of(found.mapping)
    assert found.mapping.mark == ","
    assert [form.read(cell).smallest for cell in cells] == [1234500, 1234560, -3000, 1234]
