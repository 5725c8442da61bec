"""The keys of a mapping: what the value of each may be, in TOML and where somebody types it."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from .. import names
from ..models import Status
from ..timezones import zone_names
from .currencies import CODES

# What a record is made of, in the order in which the API tells them.
FIELDS = ("transaction_id", "user", "amount", "status", "created_at")
# What else a column may tell: the time of the day beside created_at, the zone of both, the currency; of
# amounts debits and credits where they stand apart, or which of them an amount is; and whose a negative
# amount is, where the user's column has who pays and another one who is paid.
BESIDE = ("time", "timezone", "currency", "debit", "credit", "direction", "refund_user")
NEGATIVE = ("refund", "failed", "refuse")
UNITS = ("whole", "smallest")
MARKS = (".", ",")
USERS = ("key", "name")
IDS = ("column", "content")
# How dates are written; a format of strptime is the other way to say it. Of hours and days that are counted
# `since` says from when.
DATES = (
    "iso", "compact", "day first", "month first", "year first", "month by name",
    "seconds", "milliseconds", "microseconds", "hours", "days",
)  # fmt: skip
# Of these `since` says from when; of the others here it may, where they do not count from 1970.
COUNTED = ("hours", "days")
COUNTED_FROM = (*COUNTED, "seconds", "milliseconds", "microseconds")
_YEAR = re.compile("%[YyGgcxsD]")
# No currency has more than four; a few chains count eighteen.
DECIMALS_MAX = 18
# Delimiters by their names, where the character itself is hard to type.
DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
# Tables from a column to words in it.
OF_WORDS = ("skip", "refunds")
# What is typed where no word of a column is meant.
NONE_PASSED_OVER = "none"
# How a file is read, before anything is known of what it means.
READING = ("encoding", "delimiter", "header", "sheet", "member")
# The line of a header that can be stated: how many are looked at.
HEADER_MAX = 200
# Characters of a text: no person writes more.
CHARACTERS_MAX = 300
# What people type for true and for false.
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def typed(key: str, text: str) -> object:
    """The value of a key as TOML has it, from what somebody typed; what cannot be right stays a text."""
    value = text.strip()
    is_of_words = key.partition(".")[0] in OF_WORDS
    if is_of_words and value == NONE_PASSED_OVER:
        return []
    if key in ("id_parts", "optional") or is_of_words:
        return [each.strip() for each in text.split(",") if each.strip()]
    if key == "guarded":
        return _FLAGS.get(value.lower(), value)
    if key == "delimiter":
        return text if text in DELIMITERS.values() else value
    if key in ("decimals", "header") and value.isascii() and value.isdigit() and len(value) <= CHARACTERS_MAX:
        return int(value)
    return value


# --- What a value may be: each gives it as the mapping keeps it, or raises ValueError ------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > CHARACTERS_MAX:
        raise ValueError(f"it is a text of at most {CHARACTERS_MAX} characters")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("it is a list of texts")
    return tuple(map(_text, value))


def _words(value: object) -> tuple[str, ...]:
    """With which a row is passed over, or is a refund; none where somebody says that no row is."""
    return () if value == [] else _texts(value)


def _one_of(choices: Iterable[str]) -> Callable[[object], str]:
    known = tuple(choices)

    def check(value: object) -> str:
        if value not in known:
            raise ValueError(f"it is one of {', '.join(known)}")
        return str(value)

    return check


def _status(value: object) -> str:
    word = str(value).upper()
    if word not in Status.values:
        raise ValueError(f"it is one of {', '.join(Status.values)}")
    return word


def _mark(value: object) -> str:
    mark = {"point": ".", "comma": ","}.get(str(value), value)
    if mark not in MARKS:
        raise ValueError('it is "." or ","')
    return str(mark)


def _decimals(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= DECIMALS_MAX:
        raise ValueError(f"it is a whole number from 0 to {DECIMALS_MAX}")
    return value


def _delimiter(value: object) -> str:
    found = DELIMITERS.get(value, value) if isinstance(value, str) else ""
    if len(found) != 1 or found in '"\r\n\0':
        raise ValueError("it is one character, or tab, comma, semicolon or pipe")
    return found


def _header(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= HEADER_MAX:
        raise ValueError(f"it is the number of a line, from 1 to {HEADER_MAX}, or 0 where there is none")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or value.upper() not in CODES:
        raise ValueError("it is a code of three letters, as EUR, that ISO 4217 has")
    return value.upper()


def lacks_year(dates: str) -> bool:
    """Whether days are written by a format that says no year, as %d.%m."""
    return "%" in dates and not _YEAR.search(dates)


def _dates(value: object) -> str:
    """One of DATES, or a format that reads the day which it writes, be it without the year."""
    if value in DATES:
        return str(value)
    day = datetime(2026, 1, 31, tzinfo=UTC)
    try:
        if not isinstance(value, str):
            raise ValueError
        whole = f"%Y {value}" if lacks_year(value) else value
        if datetime.strptime(day.strftime(whole), whole).date() != day.date():
            raise ValueError
    # A part that is named twice is a fault of the expression that Python makes of it.
    except (ValueError, OverflowError, re.error):
        known = ", ".join(DATES)
        raise ValueError(f"it is one of {known}, or a format of a day as %d.%m.%Y %H:%M") from None
    return value


def _since(value: object) -> str:
    moment = value.isoformat() if isinstance(value, datetime) else value
    try:
        if not isinstance(moment, str) or datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError
    except ValueError:
        raise ValueError("it is a moment with its offset, as 2026-01-31T00:00:00Z") from None
    return moment


def _timezone(value: object) -> str:
    if not isinstance(value, str) or value not in zone_names():
        meant = names.meant(str(value), zone_names())
        raise ValueError("it is the name of a timezone, as Europe/Berlin" + (f"; {meant}?" if meant else ""))
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is true or false")
    return value


VALUES: dict[str, Callable[[object], Any]] = {
    "ids": _one_of(IDS),
    "id_parts": _texts,
    "optional": _texts,
    "users": _one_of(USERS),
    "user": _text,
    "decimals": _decimals,
    "unit": _one_of(UNITS),
    "mark": _mark,
    "negative": _one_of(NEGATIVE),
    "currency": _currency,
    "status": _status,
    "dates": _dates,
    "since": _since,
    "timezone": _timezone,
    "guarded": _flag,
    "encoding": _text,
    "delimiter": _delimiter,
    "header": _header,
    "sheet": _text,
    "member": _text,
}
TABLES: dict[str, Callable[[object], Any]] = {
    "columns": _text,
    "statuses": _status,
    "skip": _words,
    "refunds": _words,
}
