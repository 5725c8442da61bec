"""Moments as files write them: ISO 8601, days first or months first, counted seconds, with a zone or without.

Which of them it is, the whole column tells; a moment without an offset needs a zone that is stated.
"""

import re
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from ...timezones import zone_names
from ..keys import DATES, lacks_year
from ..mapping import Mapping
from ..table import Moment
from ..wording import said
from .proofs import CellError, ColumnError, OpenQuestion, Proof, Settled, told

CHARACTERS_MAX = 60
# The largest offset that a zone has.
HOURS_MAX = 14
# What a column may prove; hours and days that are counted have to be stated.
PROVABLE = tuple(each for each in DATES if each not in ("hours", "days"))
NO_MOMENT = "“…” is no date and time"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What stands for zones in exports of payment services and in e-mails, in hours. Others mean several zones, as
# CST those of Chicago and of Shanghai.
_ABBREVIATIONS = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "CEST": 2,
    "EET": 2, "EEST": 3, "JST": 9,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
# As programs call them.
_CALLED = {
    "eastern time (us & canada)": "America/New_York", "central time (us & canada)": "America/Chicago",
    "mountain time (us & canada)": "America/Denver", "pacific time (us & canada)": "America/Los_Angeles",
}  # fmt: skip
_OFFSET = r"(?:UTC|GMT)?[+-][0-9]{2}(?::?[0-9]{2})?|[A-Z]{1,4}"
_CLOCK = (
    r"(?:(?:T|,? +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?"
    rf"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?(?P<offset>{_OFFSET}))?)?"
)
_YEAR = r"(?P<year>[0-9]{4}|[0-9]{2})"
# A year of two digits in front: where it has not come yet, those are a day or a month.
YEAR_FIRST = "year first"
_NAMED_DAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = (
    "(?P<name>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern + _CLOCK, re.ASCII | re.IGNORECASE) for pattern in patterns)


_BY_FORM = {
    "iso": _compiled(r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})"),
    "compact": (
        re.compile(
            r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
            r"(?:[T ]?(?P<hour>[0-9]{2}):?(?P<minute>[0-9]{2})"
            r"(?::?(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]{1,9}))?)?"
            rf"(?: ?(?P<offset>{_OFFSET}))?)?",
            re.ASCII,
        ),
    ),
    "day first": _compiled(rf"(?P<day>[0-9]{{1,2}})(?P<mark>[-/.])(?P<month>[0-9]{{1,2}})(?P=mark){_YEAR}"),
    "month first": _compiled(rf"(?P<month>[0-9]{{1,2}})(?P<mark>[-/.])(?P<day>[0-9]{{1,2}})(?P=mark){_YEAR}"),
    YEAR_FIRST: _compiled(
        r"(?P<year>[0-9]{2})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})",
        rf"(?P<year>[0-9]{{2}})[ -]+{_MONTH_NAME}[ -]+(?P<day>[0-9]{{2}})",
    ),
    "month by name": _compiled(
        rf"{_NAMED_DAY}(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?[ -]+{_MONTH_NAME},?[ -]+{_YEAR}",
        rf"{_NAMED_DAY}{_MONTH_NAME}[ -]+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,?[ -]+{_YEAR}",
    ),
}
# Digits of moments of 1973 and later, and how many of them make a second.
_COUNTED = {
    "seconds": (re.compile(r"([0-9]{9,10})(?:\.([0-9]{1,9}))?", re.ASCII), 0),
    "milliseconds": (re.compile(r"([0-9]{12,13})(?:\.([0-9]{1,6}))?", re.ASCII), 3),
    "microseconds": (re.compile(r"([0-9]{15,16})(?:\.([0-9]{1,3}))?", re.ASCII), 6),
}
_AMOUNT_OF_TIME = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?", re.ASCII)


def readings(cell: str, forms: Collection[str] = PROVABLE) -> dict[str, datetime]:
    """By form, the moment that a cell is in it, with the cell's offset if any; {} where none reads it."""
    text = cell.strip()
    if not text or len(text) > CHARACTERS_MAX or not text.isascii():
        return {}
    found = {form: _written(text, form) if form in _BY_FORM else _counted(text, form) for form in forms}
    this_year = datetime.now(UTC).year
    return {
        form: moment
        for form, moment in found.items()
        if moment and (form != YEAR_FIRST or moment.year <= this_year)
    }


def _written(text: str, form: str) -> datetime | None:
    for pattern in _BY_FORM[form]:
        if match := pattern.fullmatch(text):
            try:
                return _moment(match.groupdict())
            except (ValueError, OverflowError):
                return None
    return None


def _moment(parts: dict[str, str | None]) -> datetime:
    """Raises ValueError for a day or a time that there is not, and for a zone that nobody knows."""
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        # As POSIX has it.
        year += 1900 if year >= 69 else 2000
    name = parts.get("name")
    month = _MONTHS.index(name[:3].lower()) + 1 if name else int(parts["month"] or 0)
    hour = int(parts["hour"] or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    microsecond = int((parts["part"] or "0")[:6].ljust(6, "0"))
    zone = zone_of(parts["offset"]) if parts["offset"] else None
    second, minute = int(parts["second"] or 0), int(parts["minute"] or 0)
    return datetime(year, month, int(parts["day"] or 0), hour, minute, second, microsecond, zone)


def _counted(text: str, form: str) -> datetime | None:
    pattern, places = _COUNTED[form]
    match = pattern.fullmatch(text)
    if not match:
        return None
    digits = match[1] + (match[2] or "").ljust(6, "0")
    return _EPOCH + timedelta(microseconds=int(digits[: len(match[1]) + 6 - places]))


@lru_cache(maxsize=1024)
def zone_of(text: str) -> tzinfo:
    """The zone that a cell names: +01:00, UTC+0100, PST, Europe/Berlin. Raises ValueError for another."""
    name = text.strip()
    if name.casefold() in _CALLED:
        return ZoneInfo(_CALLED[name.casefold()])
    if name.upper() in _ABBREVIATIONS:
        return timezone(timedelta(hours=_ABBREVIATIONS[name.upper()]))
    match = re.fullmatch(r"(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?", name, re.ASCII | re.IGNORECASE)
    if match and int(match[2]) <= HOURS_MAX and int(match[3] or 0) < 60:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-offset if match[1] == "-" else offset)
    if name in zone_names():
        return ZoneInfo(name)
    raise ValueError(f"no zone is called {name[:CHARACTERS_MAX]}")


def is_zone(text: str) -> bool:
    """Whether a cell names a zone."""
    try:
        zone_of(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class MomentForm:
    """How a column's moments are read; `zone` of those without an offset, None where all have one."""

    dates: str
    zone: tzinfo | None
    since: datetime | None = None

    def read(self, cell: str, clock: str = "", zone: str = "") -> datetime:
        """The moment of a cell and of those of time and zone beside it, in UTC. Raises CellError."""
        text = _joined(cell, clock)
        moment = _written(text, "iso") if isinstance(cell, Moment) else self._local(text)
        if moment is None:
            raise CellError(NO_MOMENT, text)
        if moment.tzinfo is None:
            moment = _at(moment, self._zone(zone), cell)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise CellError(f"{NO_MOMENT} of this calendar", cell) from None

    def _zone(self, cell: str) -> tzinfo:
        if cell.strip():
            try:
                return zone_of(cell)
            except ValueError:
                raise CellError("“…” is no timezone: write Europe/Berlin, or +01:00", cell) from None
        if self.zone is None:
            raise CellError(f"the time has no offset, and no timezone is stated ({said('timezone')})")
        return self.zone

    def _local(self, text: str) -> datetime:
        if "%" in self.dates:
            try:
                return self._formatted(text[: CHARACTERS_MAX + 1])
            except ValueError:
                raise CellError(f"{NO_MOMENT} in the form {self.dates}", text) from None
        if self.since is not None:
            return self._since(text, self.since)
        read: Callable[[str, str], datetime | None] = _written if self.dates in _BY_FORM else _counted
        moment = read(text, self.dates) if len(text) <= CHARACTERS_MAX else None
        if moment is None:
            raise CellError(f"{NO_MOMENT} {EXAMPLES[self.dates]}", text)
        return moment

    def _formatted(self, text: str) -> datetime:
        """By a format; of days without a year the first at `since` or within a year after it.

        Raises ValueError.
        """
        # A spreadsheet takes zeros away in front: 101 is 0101, and 940 is 000940, which would be read as the
        # tenth, and as four minutes past nine, else.
        cells, forms = text.split(), self.dates.split()
        if len(cells) == len(forms):
            text = " ".join(map(_with_zeros, cells, forms))
        if self.since is None:
            return datetime.strptime(text, self.dates)
        first = self.since.replace(tzinfo=None)
        for year in (first.year, first.year + 1):
            # The 29th of February is in one of the years alone.
            with suppress(ValueError):
                moment = datetime.strptime(f"{year} {text}", f"%Y {self.dates}")
                if moment >= first:
                    return moment
        raise ValueError

    def _since(self, text: str, since: datetime) -> datetime:
        match = _AMOUNT_OF_TIME.fullmatch(text)
        if not match:
            raise CellError(f"“…” is no number of {self.dates}", text)
        try:
            return since + timedelta(**{self.dates: float(text)})
        except OverflowError:
            raise CellError(f"“…” {self.dates} are more than the calendar has", text) from None


def _with_zeros(cell: str, form: str) -> str:
    """Digits alone, as long as the form writes them; another cell as it is."""
    if not (cell.isascii() and cell.isdigit()):
        return cell
    return cell.zfill(len(_EPOCH.strftime(form)))


def _joined(cell: str, clock: str) -> str:
    """Day and time as one text; what a spreadsheet has as a day is the midnight at its beginning."""
    day, clock = cell.strip(), clock.strip()
    if clock and isinstance(cell, Moment):
        day = day.removesuffix("T00:00:00")
    return f"{day} {clock}".strip()


EXAMPLES = {
    "iso": "as in 2026-01-31 23:59:59",
    "compact": "as in 20260131 or 20260131235959",
    "day first": "with the day first, as in 31/01/2026 23:59",
    "month first": "with the month first, as in 01/31/2026 23:59",
    YEAR_FIRST: "with the year first, as in 26/01/31 23:59",
    "month by name": "as in 31 Jan 2026 23:59",
    "seconds": "in seconds since 1970, as in 1769903999",
    "milliseconds": "in milliseconds since 1970, as in 1769903999000",
    "microseconds": "in microseconds since 1970, as in 1769903999000000",
}


def _at(local: datetime, zone: tzinfo, cell: str) -> datetime:
    """The moment of a local time; of one that is there twice, when clocks go back, the first."""
    moment = local.replace(tzinfo=zone)
    try:
        there = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise CellError(f"{NO_MOMENT} of this calendar", cell) from None
    if there != local:
        raise CellError(f"“…” is no time in {zone}: clocks were put forward past it", cell)
    return moment


class MomentProof:
    """What a column of moments proves: see every cell, then ask for `settled`."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.forms = Proof(PROVABLE)
        # The first moment that has no offset and no zone beside it.
        self._naive: tuple[int, str] | None = None

    def see(self, line: int, cell: str, clock: str = "", zone: str = "") -> None:
        """A cell that is no moment at all proves nothing: its row will be refused."""
        text = _joined(cell, clock)
        # Forms that are ruled out are asked only where none of the others reads it.
        found = readings(text, self.forms.left) or readings(text)
        if not found:
            return
        # Of what the file itself holds as a moment nobody has to prove how it is written.
        if not isinstance(cell, Moment):
            self.forms.see(line, text, found)
        if self._naive is None and not zone.strip() and any(each.tzinfo is None for each in found.values()):
            self._naive = line, text

    def settled(self, mapping: Mapping, *, zoned: bool = False) -> Settled:
        """Form and zone, as stated, as proved, or open. `zoned`: a column has zones. Raises ColumnError."""
        result = Settled(mapping)
        # What counts from a moment of its own may look like anything.
        stated = "" if mapping.since else mapping.dates
        if not mapping.dates or stated in PROVABLE:
            self.forms.check(self.column, "forms of dates")
        if not mapping.dates:
            self._settle_form(result)
        elif stated in PROVABLE and stated not in self.forms.left:
            raise ColumnError(
                f"column “{self.column}”: dates are said to be {EXAMPLES[mapping.dates]}, and "
                f"{self.forms.against(mapping.dates)}",
                "dates",
            )
        self._settle_zone(result, zoned)
        return result

    def _settle_form(self, result: Settled) -> None:
        left = [form for form in PROVABLE if form in self.forms.left]
        if len(left) == len(PROVABLE):
            # Nothing but what the file itself holds as moments, or nothing at all.
            result.mapping = replace(result.mapping, dates="iso")
        elif len(left) == 1:
            result.mapping = replace(result.mapping, dates=left[0])
            example = EXAMPLES[left[0]]
            if left[0] in DAY_OR_MONTH:
                example += f": {self.forms.against(next(each for each in DAY_OR_MONTH if each != left[0]))}"
            result.reasons.append(f"Dates in “{self.column}” are {example}.")
        else:
            assert self.forms.example
            line, cell = self.forms.example
            why = f"Nothing in column “{self.column}” tells how {told(cell)} on line {line} is to be read."
            choices = tuple((form, EXAMPLES[form]) for form in left)
            result.open.append(OpenQuestion("dates", why, choices))

    def _settle_zone(self, result: Settled, zoned: bool) -> None:
        mapping = result.mapping
        if mapping.timezone or (mapping.since and not lacks_year(mapping.dates)):
            return
        if "%" in mapping.dates:
            if "%z" not in mapping.dates and not zoned:
                why = f"Times in column “{self.column}” have no offset in the form {mapping.dates}."
                result.open.append(OpenQuestion("timezone", why))
        elif self._naive:
            line, cell = self._naive
            why = f"Times in column “{self.column}” have no offset (line {line}: {told(cell)})."
            result.open.append(OpenQuestion("timezone", why))


DAY_OR_MONTH = ("day first", "month first")


def form_of(mapping: Mapping) -> MomentForm:
    """How moments are read by a mapping in which all of it is settled."""
    zone = ZoneInfo(mapping.timezone) if mapping.timezone else None
    return MomentForm(mapping.dates, zone, datetime.fromisoformat(mapping.since) if mapping.since else None)


def without_year(cells: Iterable[str]) -> str:
    """The format of cells that all are days without a year, as 3112 and 31.12.; "" where they are none."""
    filled = {each for cell in cells if (each := cell.strip())}
    for form in _WITHOUT_YEAR:
        # A leap year has all of the days.
        day = MomentForm(form, UTC, datetime(2024, 1, 1, tzinfo=UTC))
        with suppress(CellError):
            for cell in filled:
                day.read(cell)
            return form if filled else ""
    return ""


_WITHOUT_YEAR = ("%d%m", "%m%d", "%d.%m.", "%d.%m", "%d/%m", "%m/%d", "%d-%m", "%m-%d")


def readable_share(cells: Iterable[str]) -> float:
    """Which part of the cells that are not empty are moments in any form; 0 where all are empty."""
    found = [bool(readings(cell)) for cell in cells if cell.strip()]
    return sum(found) / len(found) if found else 0.0
