"""Mappings: kept as TOML, stated key by key, and refused by the key that is wrong."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transactions.importing import mapping as mappings
from transactions.importing.keys import DATES, TABLES, VALUES
from transactions.importing.mapping import Mapping, MappingError, parse, read, write

FULL = Mapping(
    columns={
        "transaction_id": "Order",
        "amount": "Amount (EUR)",
        "user": "from",
        "time": "",
        "currency": 'a"\\b',
    },
    statuses={"Completed": "SUCCESS", "zurück gebucht": "FAILED"},
    skip={"Type": ("Hold", "Fee, and more")},
    ids="column",
    id_parts=("sequence",),
    users="name",
    user="guest",
    decimals=0,
    unit="whole",
    mark=",",
    negative="refund",
    currency="EUR",
    status="PENDING",
    dates="hours",
    since="2026-01-01T00:00:00Z",
    timezone="Europe/Berlin",
    guarded=True,
    encoding="latin-1",
    delimiter="\t",
    header=5,
    sheet="May",
    member="in/may.csv",
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    assert parse(write(FULL)) == FULL
    assert parse(write(Mapping())) == Mapping()
    file = tmp_path / "bank.toml"
    file.write_text(write(FULL))
    assert read(file) == FULL


@given(st.builds(Mapping, columns=st.fixed_dictionaries({"amount": TEXTS}), statuses=st.dictionaries(
    TEXTS, st.sampled_from(["SUCCESS", "FAILED"])), skip=st.dictionaries(TEXTS, st.tuples(TEXTS)), user=TEXTS,
    decimals=st.none() | st.integers(0, 18)))  # fmt: skip
def test_any_names_and_words_come_back(mapping: Mapping) -> None:
    assert parse(write(mapping)) == mapping


def test_a_key_is_stated_as_an_option_has_it() -> None:
    stated = Mapping()
    for key, text in [
        ("columns.amount", "Amount"),
        ("statuses.Completed", "success"),
        ("skip.Type", "Hold, Fee"),
        ("decimals", "2"),
        ("mark", "comma"),
        ("id_parts", "a,b"),
        ("currency", "eur"),
        ("dates", "%d.%m.%Y"),
        ("guarded", "true"),
        ("encoding", "latin-1"),
        ("delimiter", "tab"),
        ("header", "5"),
        ("sheet", "May"),
        ("member", "in/may.csv"),
    ]:
        stated = stated.stating(key, text)
    assert stated == Mapping(
        columns={"amount": "Amount"},
        statuses={"Completed": "SUCCESS"},
        skip={"Type": ("Hold", "Fee")},
        decimals=2,
        mark=",",
        id_parts=("a", "b"),
        currency="EUR",
        dates="%d.%m.%Y",
        guarded=True,
        encoding="latin-1",
        delimiter="\t",
        header=5,
        sheet="May",
        member="in/may.csv",
    )


def test_each_question_takes_each_of_its_choices() -> None:
    for dates in DATES:
        assert Mapping().stating("dates", dates).dates == dates


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("decimal", "2", "decimal: it is unknown; did you mean “decimals”?"),
        ("decimals", "two", "decimals: it is a whole number from 0 to 18"),
        ("decimals", "-1", "decimals: it is a whole number from 0 to 18"),
        ("decimals", "²", "decimals: it is a whole number from 0 to 18"),
        ("decimals", "19", "decimals: it is a whole number from 0 to 18"),
        ("mark", ";", 'mark: it is "." or ","'),
        ("negative", "drop", "negative: it is one of refund, failed, refuse"),
        (
            "timezone",
            "Europe/Berlim",
            "timezone: it is the name of a timezone, as Europe/Berlin; Europe/Berlin?",
        ),
        ("currency", "euro", "currency: it is a code of three letters, as EUR"),
        ("currency", "abc", "currency: it is a code of three letters, as EUR"),
        ("status", "DONE", "status: it is one of PENDING, SUCCESS, FAILED"),
        ("statuses.Paid", "DONE", "statuses.Paid: it is one of PENDING, SUCCESS, FAILED"),
        ("dates", "%H:%M", "a format of a day"),
        ("dates", "%Q", "a format of a day"),
        ("dates", "yesterday", "a format of a day"),
        ("since", "2026-01-01", "since: it is a moment with its offset"),
        ("columns.amout", "A", "columns.amout: it is no field; did you mean “amount”?"),
        ("columns", "A", "columns: it is a table"),
        ("user", "x" * 301, "user: it is a text of at most 300 characters"),
        ("header", "-1", "header: it is the number of a line, from 1 to 200, or 0 where there is none"),
        ("header", "201", "header: it is the number of a line, from 1 to 200, or 0 where there is none"),
        ("header", "five", "header: it is the number of a line, from 1 to 200"),
        ("delimiter", "ab", "delimiter: it is one character, or tab, comma, semicolon or pipe"),
        ("guarded", "perhaps", "guarded: it is true or false"),
        ("guarded", "", "guarded: it is true or false"),
        ("statuses.", "SUCCESS", "statuses: it has a word in front; what an empty status means"),
        ("skip.", "Fee", "skip: it has a name of a column behind the point"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_by_its_key(key: str, text: str, told: str) -> None:
    with pytest.raises(MappingError) as refused:
        Mapping().stating(key, text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("decimals = 2.5", "decimals: "),
        ("decimals = true", "decimals: "),
        ('decimals = "2"', "decimals: "),
        ("guarded = 1", "guarded: it is true or false"),
        ("users = 7", "users: it is one of key, name"),
        ("colums = {}", "colums: it is unknown; did you mean “columns”?"),
        ('columns = "amount"', "columns: it is a table, [columns]"),
        ("[columns]\namount = 3", "columns.amount: it is a text"),
        ('[skip]\nType = "Hold"', "skip.Type: it is a list of texts"),
        ("[[skip]]", "skip: it is a table, [skip]"),
        ("a = ", "this is no TOML: "),
        ("ids = []", "ids: it is one of"),
        ("timezone = 2026-01-01", "timezone: "),
        ("dates = [1]", "dates: "),
        ("mark = {}", "mark: "),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_by_its_key(toml: str, told: str) -> None:
    with pytest.raises(MappingError) as refused:
        parse(toml)
    assert told in str(refused.value)


ODD = (
    "[]", "[1]", "[[]]", "{}", "{a = 1}", "true", "-1", "0", "9223372036854775807", "1.5", "nan", "inf", '""',
    "'\\u0000'", '"\\u0000"', "'%'", "'%d.%d.%m.%Y'", "'%(d'", "'%Y-%m-%d %z%z'", "2026-01-01", "10:00:00",
    "2026-01-01T10:00:00", "2026-01-01T10:00:00Z",
)  # fmt: skip


@pytest.mark.parametrize("key", [*VALUES, *(f"{table}.Name" for table in TABLES), "columns.amount"])
def test_no_value_of_any_type_is_more_than_refused_by_its_key(key: str) -> None:
    table, _, name = key.rpartition(".")
    for value in ODD:
        toml = f"[{table}]\n{name} = {value}" if table else f"{key} = {value}"
        said = ""
        with suppress(MappingError):
            mapping = parse(toml)
            said = write(mapping)
            assert parse(said) == mapping
        if not said:
            with pytest.raises(MappingError, match=key):
                parse(toml)


@given(format=st.text(st.sampled_from("%dmYyHMSjzZBbAapIfUWGuVcxX.:-/ (["), min_size=2, max_size=14))
def test_no_format_of_dates_is_more_than_refused(format: str) -> None:
    with suppress(MappingError):
        Mapping().stating("dates", format)


def test_a_format_that_names_a_part_twice_is_refused() -> None:
    with pytest.raises(MappingError, match=r"dates: it is one of .* or a format of a day"):
        Mapping().stating("dates", "%d.%d.%m.%Y")


def test_a_file_that_is_none_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no mapping is called “paypall”"):
        read("paypall")
    with pytest.raises(MappingError, match=r"none\.toml: No such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'user = "\xe9"')
    with pytest.raises(MappingError, match=r"latin\.toml: this is not UTF-8"):
        read(tmp_path / "latin.toml")
    with pytest.raises(MappingError, match="Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("typed", "flag"),
    [("true", True), ("Yes", True), ("1", True), ("false", False), ("NO", False), ("0", False)],
)
def test_true_and_false_are_words_and_false_goes_over_true(typed: str, flag: bool) -> None:
    stated = Mapping().stating("guarded", typed)
    assert stated.over(Mapping(guarded=True)).guarded is flag
    assert parse(write(stated)).guarded is flag


def test_what_is_stated_goes_over_what_lies_below() -> None:
    base = Mapping({"amount": "A", "user": "U"}, {"Paid": "FAILED"}, decimals=2, guarded=True, mark=".")
    over = Mapping({"amount": "B"}, {"Paid": "SUCCESS"}, decimals=0).over(base)
    assert over == Mapping(
        {"amount": "B", "user": "U"}, {"Paid": "SUCCESS"}, decimals=0, guarded=True, mark="."
    )


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        (
            Mapping({"amount": "Amout"}),
            "columns.amount: the file has no column “Amout”; did you mean “Amount”?",
        ),
        (Mapping(id_parts=("Line",)), "id_parts: the file has no column “Line”"),
        (Mapping(skip={"Kind": ("x",)}), "skip.Kind: the file has no column “Kind”"),
        (Mapping({"amount": "Amount"}, ids="column"), "ids: columns.transaction_id has to name"),
        (Mapping(dates="hours"), "since: dates that count hours need the moment from which they do"),
        (Mapping(since="2026-01-01T00:00:00Z"), "since: it belongs to dates"),
        (Mapping(dates="%d%m"), "since: dates as %d%m say no year; state the first that they may be"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_is_refused(mapping: Mapping, told: str) -> None:
    with pytest.raises(MappingError) as refused:
        mapping.checked(["Amount", "Name"])
    assert told in str(refused.value)


def test_every_mapping_that_comes_with_the_system_can_be_read() -> None:
    for name in mappings.shipped():
        assert isinstance(read(name), Mapping)
