"""Moments of files: what a column proves, what it leaves open, and what each cell is then."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from transactions.importing.columns.moments import MomentForm, MomentProof, form_of, is_zone, without_year
from transactions.importing.columns.proofs import CellError, ColumnError, Settled
from transactions.importing.mapping import Mapping
from transactions.importing.table import Moment

IN_BERLIN = Mapping(timezone="Europe/Berlin")


def settled(*cells: str, by: Mapping = IN_BERLIN) -> Settled:
    proof = MomentProof("Date")
    for line, cell in enumerate(cells, start=2):
        proof.see(line, cell)
    return proof.settled(by)


def read(*cells: str, by: Mapping = IN_BERLIN) -> list[str]:
    found = settled(*cells, by=by)
    assert found.open == []
    form = form_of(found.mapping)
    return [form.read(cell).isoformat() for cell in cells]


@pytest.mark.parametrize(
    ("cell", "right"),
    [
        ("2026-01-31T22:59:59Z", "2026-01-31T22:59:59+00:00"),
        ("2026-01-31 23:59:59", "2026-01-31T22:59:59+00:00"),
        ("2026-01-31", "2026-01-30T23:00:00+00:00"),
        ("2026/1/31 23:59", "2026-01-31T22:59:00+00:00"),
        ("2026-01-31 23:59:59.123456789+03:30", "2026-01-31T20:29:59.123456+00:00"),
        ("2026-01-31 23:59:59 UTC", "2026-01-31T23:59:59+00:00"),
        ("2026-01-31 23:59:59+00", "2026-01-31T23:59:59+00:00"),
        ("31/01/2026 23:59", "2026-01-31T22:59:00+00:00"),
        ("31.01.26", "2026-01-30T23:00:00+00:00"),
        ("01/31/2026 11:59 PM", "2026-01-31T22:59:00+00:00"),
        ("01/31/2026 12:00 am", "2026-01-30T23:00:00+00:00"),
        ("31 Jan 2026 23:59", "2026-01-31T22:59:00+00:00"),
        ("Jan 31, 2026, 11:59 PM", "2026-01-31T22:59:00+00:00"),
        ("31-Jan-26", "2026-01-30T23:00:00+00:00"),
        ("Sat, 31 Jan 2026 23:59:59 +0100", "2026-01-31T22:59:59+00:00"),
        ("20260131", "2026-01-30T23:00:00+00:00"),
        ("20260131235959", "2026-01-31T22:59:59+00:00"),
        ("1769900399", "2026-01-31T22:59:59+00:00"),
        ("1769900399.5", "2026-01-31T22:59:59.500000+00:00"),
        ("1769900399123", "2026-01-31T22:59:59.123000+00:00"),
        ("1769900399123456", "2026-01-31T22:59:59.123456+00:00"),
    ],
)
def test_a_moment_may_be_written_in_many_ways(cell: str, right: str) -> None:
    assert read(cell) == [right]


def test_a_day_over_twelve_proves_which_number_is_the_day() -> None:
    assert read("01/02/2026", "13/02/2026")[0] == "2026-01-31T23:00:00+00:00"
    assert read("01/02/2026", "02/13/2026")[0] == "2026-01-01T23:00:00+00:00"
    assert "line 3 has “13/02/2026”" in settled("01/02/2026", "13/02/2026").reasons[0]


def test_where_no_day_is_over_twelve_it_is_asked() -> None:
    found = settled("01/02/2026", "12/11/2026")
    assert [(each.key, [value for value, _ in each.choices]) for each in found.open] == [
        ("dates", ["day first", "month first"])
    ]
    assert "“01/02/2026” on line 2" in found.open[0].why
    stated = Mapping(timezone="UTC", dates="month first")
    assert read("01/02/2026", by=stated) == ["2026-01-02T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("cells", "choices"),
    [
        (["25/01/02", "26/01/03"], ["day first", "year first"]),
        (["01/02/03"], ["day first", "month first", "year first"]),
        (["25.01.02 10:00"], ["day first", "year first"]),
        (["25 Jan 02", "26 Jan 03"], ["year first", "month by name"]),
        (["25-Jan-02 10:00"], ["year first", "month by name"]),
    ],
)
def test_a_year_of_two_digits_may_stand_first(cells: list[str], choices: list[str]) -> None:
    (question,) = settled(*cells, by=Mapping(timezone="UTC")).open
    assert (question.key, [value for value, _ in question.choices]) == ("dates", choices)


def test_two_digits_are_no_year_that_has_not_come() -> None:
    assert settled("05/01/26", "31/01/26").mapping.dates == "day first"
    assert settled("05/01/26", "98/01/31").mapping.dates == "year first"
    assert settled("05 Jan 26", "31 Jan 26").mapping.dates == "month by name"
    assert settled("05 Jan 26", "98 Jan 31").mapping.dates == "year first"


def test_a_year_of_two_digits_is_read_as_it_is_stated() -> None:
    by = Mapping(dates="year first", timezone="UTC")
    assert read("25/01/02", "26-11-03 10:30", by=by) == [
        "2025-01-02T00:00:00+00:00",
        "2026-11-03T10:30:00+00:00",
    ]
    with pytest.raises(CellError, match="with the year first, as in 26/01/31 23:59"):
        form_of(by).read("2025/01/02")


@pytest.mark.parametrize(
    ("cells", "lines"),
    [
        (["13/02/2026", "01/02/2026", "02/13/2026"], ("line 2 has “13/02/2026”", "line 4 has “02/13/2026”")),
        (["2026-02-01", "01/02/2026"], ("line 2 has “2026-02-01”", "line 3 has “01/02/2026”")),
        (["1769900399", "1769900399000"], ("line 2 has “1769900399”", "line 3 has “1769900399000”")),
    ],
)
@pytest.mark.parametrize("stated", ["", "day first"])
def test_a_column_that_mixes_forms_is_refused_by_two_lines(
    cells: list[str], lines: tuple[str, str], stated: str
) -> None:
    with pytest.raises(ColumnError, match="“Date” mixes forms of dates") as refused:
        settled(*cells, by=Mapping(timezone="UTC", dates=stated))
    assert all(line in str(refused.value) for line in lines)


def test_a_stated_form_that_the_column_contradicts_is_refused() -> None:
    with pytest.raises(ColumnError, match=r"day first.* line 2 has “02/13/2026”") as refused:
        settled("02/13/2026", by=Mapping(timezone="UTC", dates="day first"))
    assert refused.value.key == "dates"


def test_a_zone_is_asked_for_where_times_have_no_offset() -> None:
    assert [each.key for each in settled("2026-01-31 10:00", by=Mapping()).open] == ["timezone"]
    assert settled("2026-01-31T10:00Z", "2026-01-31T10:00+02:00", by=Mapping()).open == []
    assert settled("1769900399", by=Mapping()).open == []


def test_a_time_that_the_clocks_skipped_is_refused_and_one_that_is_there_twice_is_the_first() -> None:
    form = form_of(Mapping(dates="iso", timezone="Europe/Berlin"))
    with pytest.raises(CellError, match="“2026-03-29 02:30” is no time in Europe/Berlin"):
        form.read("2026-03-29 02:30")
    assert form.read("2026-10-25 02:30") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_time_and_zone_may_stand_in_columns_of_their_own() -> None:
    form = MomentForm("month first", None)
    assert form.read("1/31/2026", "23:59:59", "PST") == datetime(2026, 2, 1, 7, 59, 59, tzinfo=UTC)
    assert form.read("1/31/2026", "23:59:59", "Europe/Berlin") == datetime(
        2026, 1, 31, 22, 59, 59, tzinfo=UTC
    )
    with pytest.raises(CellError, match="“Moon” is no timezone"):
        form.read("1/31/2026", "23:59:59", "Moon")


def test_a_day_of_a_spreadsheet_has_the_time_of_the_column_beside_it() -> None:
    """A spreadsheet's day is the midnight at its beginning."""
    cells = [
        (Moment("2026-01-31T00:00:00"), Moment("10:30:00")),
        (Moment("2026-01-31T00:00:00"), "9:15 PM"),
        (Moment("2026-01-31T00:00:00"), ""),
        (Moment("2026-01-31"), Moment("10:30:00.500000")),
    ]
    proof = MomentProof("Date")
    for line, (day, clock) in enumerate(cells, start=2):
        proof.see(line, day, clock)
    found = proof.settled(IN_BERLIN)
    assert found.open == []
    form = form_of(found.mapping)
    assert [form.read(day, clock).isoformat() for day, clock in cells] == [
        "2026-01-31T09:30:00+00:00",
        "2026-01-31T20:15:00+00:00",
        "2026-01-30T23:00:00+00:00",
        "2026-01-31T09:30:00.500000+00:00",
    ]
    with pytest.raises(CellError, match="is no date and time"):
        form.read(Moment("2026-01-31T08:00:00"), Moment("10:30:00"))


def test_a_format_may_be_stated() -> None:
    by = Mapping(dates="%d|%m|%Y %H.%M", timezone="UTC")
    assert read("31|01|2026 23.59", by=by) == ["2026-01-31T23:59:00+00:00"]
    with pytest.raises(CellError, match=r"is no date and time in the form %d\|%m\|%Y"):
        form_of(by).read("2026-01-31")
    assert [each.key for each in settled("x", by=Mapping(dates="%d|%m|%Y")).open] == ["timezone"]


def test_a_format_may_have_an_offset_and_then_no_zone_is_asked_for() -> None:
    by = Mapping().stating("dates", "%d.%m.%Y %H:%M %z")
    assert read("31.01.2026 12:00 +0200", by=by) == ["2026-01-31T10:00:00+00:00"]
    assert settled("31.01.2026 12:00 +0200", by=by).open == []


def test_hours_since_a_moment_may_be_stated() -> None:
    by = Mapping(dates="hours", since="2026-01-01T00:00:00Z")
    assert read("0", "25", by=by) == ["2026-01-01T00:00:00+00:00", "2026-01-02T01:00:00+00:00"]
    with pytest.raises(CellError, match="more than the calendar has"):
        form_of(by).read("999999999")


def test_days_without_a_year_are_the_first_such_days_since_a_stated_one() -> None:
    """Zeros in front that a spreadsheet took away are no other day."""
    by = Mapping(dates="%d%m", since="2025-07-01T00:00:00+02:00", timezone="Europe/Berlin")
    days = ["2025-07-01", "2025-12-31", "2026-01-01", "2026-01-11", "2026-06-30"]
    assert [
        each[:10] for each in read("0107", "3112", "101", "1101", "3006", by=replace(by, timezone="UTC"))
    ] == days
    assert read("0107", by=by) == ["2025-06-30T22:00:00+00:00"]
    assert settled("0107", by=by).open == []
    assert [each.key for each in settled("0107", by=replace(by, timezone="")).open] == ["timezone"]
    for wrong in ("3102", "2902", "1", "soon", ""):
        with pytest.raises(CellError, match=r"is no date and time in the form %d%m"):
            form_of(by).read(wrong)
    leap = replace(by, since="2027-07-01T00:00:00Z", timezone="UTC")
    assert read("2902", by=leap) == ["2028-02-29T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["0101", "3112"], "%d%m"), (["0101", "1231"], "%m%d"), (["1.2.", "31.12."], "%d.%m."),
        (["1/2", "12/31"], "%m/%d"), (["12", "13"], ""), (["", ""], ""), (["3112", "soon"], ""),
    ],
)  # fmt: skip
def test_days_without_a_year_are_known_as_such(cells: list[str], form: str) -> None:
    assert without_year(cells) == form


@pytest.mark.parametrize(
    "cell", ["2026-02-30", "31/02/2026", "2026-01-31 25:00", "soon", "２０２６-01-31", "", "12"]
)
def test_what_is_no_moment_proves_nothing_and_is_refused(cell: str) -> None:
    assert settled("2026-01-31", cell).mapping.dates == "iso"
    with pytest.raises(CellError, match="is no date and time"):
        MomentForm("iso", UTC).read(cell)


def test_a_moment_of_the_file_is_what_it_is_whatever_texts_have() -> None:
    found = settled(Moment("2026-01-31T10:00:00"), "31/01/2026")
    assert found.mapping.dates == "day first"
    assert form_of(found.mapping).read(Moment("2026-01-31T10:00:00")) == datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["+01:99", "+25:00", "-15", "+0160", "UTC+19", "CST", "IST"])
def test_what_is_no_offset_or_of_several_zones_is_no_zone(zone: str) -> None:
    assert not is_zone(zone)
    with pytest.raises(CellError):
        MomentForm("iso", UTC).read("2026-01-31 10:00", "", zone)
    with pytest.raises(CellError, match="is no date and time"):
        MomentForm("iso", UTC).read(f"2026-01-31 10:00 {zone}")


@pytest.mark.parametrize("zone", ["+14:00", "-12", "+0545", "PST", "CET"])
def test_offsets_there_are_and_common_words_are_zones(zone: str) -> None:
    assert is_zone(zone)
