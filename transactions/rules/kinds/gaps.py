"""The gaps in a rule's sentence: what may stand in each, and what is said when something else does."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from ... import money
from ...encodings import UNSEEN_RANGES, composed
from ...models import AMOUNT_MAX, Status
from ...timezones import zone_names

# Windows by name, in seconds; and the bucket of the gate whose bound holds for each.
WINDOWS_S = {"10m": 600, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
# A year, the longest time that is told in minutes.
MINUTES_MAX = 60 * 24 * 365

WINDOW_WORDS = {
    "10m": "10 minutes",
    "1h": "1 hour",
    "6h": "6 hours",
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
}


class Unfit(ValueError):
    """What stands in a gap makes no sense: the gap, by its name in JSON, and a sentence that says why.

    `others` are the other gaps of the same rule of which that is so.
    """

    def __init__(self, gap: str, message: str) -> None:
        super().__init__(message)
        self.gap, self.message = gap, message
        self.others: tuple[Unfit, ...] = ()

    @property
    def place(self) -> str:
        """Where that stands in a rule: "kind", or "parameters.filter.hours"."""
        return self.gap if self.gap == "kind" else f"parameters.{self.gap}".rstrip(".")


@dataclass(frozen=True)
class Gap:
    """What may stand in one gap. `label` is its name in a sentence: "the window"."""

    label: str

    def read(self, value: Any) -> Any:
        """The value as the rule takes it. Raises ValueError, whose text goes on after the label."""
        raise NotImplementedError

    def shown(self, value: Any) -> str:
        """A value as a person reads it."""
        return str(value)

    def typed(self, value: Any) -> str:
        """A value as the form has it, for a person to change."""
        return str(value)

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        raise NotImplementedError


@dataclass(frozen=True)
class Whole(Gap):
    """A whole number from `least` to `most`."""

    least: int = 1
    most: int = AMOUNT_MAX

    def read(self, value: Any) -> int:
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValueError(f"must be a whole number from {self.least:,} to {self.most:,}")
        return value

    def shown(self, value: Any) -> str:
        return f"{value:,}"

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Money(Whole):
    """An amount: a whole number of the smallest unit, which people read in the currency."""

    def read(self, value: Any) -> int:
        try:
            return super().read(value)
        except ValueError:
            if money.code() is None:
                raise
            bounds = f"from {money.text(self.least)} to {money.text(self.most)}"
            raise ValueError(f"must be {bounds}, as a whole number of the smallest unit") from None

    def shown(self, value: Any) -> str:
        return money.text(value)

    def typed(self, value: Any) -> str:
        return money.typed(value)


@dataclass(frozen=True)
class Factor(Gap):
    """A number with up to two decimals."""

    least: Decimal = Decimal("0.01")
    most: Decimal = Decimal(1_000)

    def read(self, value: Any) -> Decimal:
        try:
            if type(value) not in (int, float, Decimal):
                raise ValueError
            number = Decimal(str(value))
            if not self.least <= number <= self.most or number != round(number, 2):
                raise ValueError
        except (ValueError, InvalidOperation):
            raise ValueError(
                f"must be a number from {self.least:,} to {self.most:,}, with up to two decimals"
            ) from None
        return number

    def schema(self) -> dict[str, Any]:
        # A step of 0.01 would refuse 2.3: among binary fractions, which most validators reckon in, it is no
        # multiple of a hundredth.
        bounds = {"minimum": float(self.least), "maximum": float(self.most)}
        return {"type": "number", **bounds, "description": "With up to two decimals."}


@dataclass(frozen=True)
class Window(Gap):
    """The name of a window."""

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in WINDOWS_S:
            raise ValueError(f"must be one of {', '.join(WINDOWS_S)}")
        return value

    def shown(self, value: Any) -> str:
        return WINDOW_WORDS[value]

    def schema(self) -> dict[str, Any]:
        return {"enum": list(WINDOWS_S)}


@dataclass(frozen=True)
class Choice(Gap):
    """One of a few words."""

    words: tuple[str, ...] = ()

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Statuses(Gap):
    """Those that a transaction keeps. PENDING changes, and may not be named."""

    def read(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(status, str) for status in value):
            raise ValueError("must be a list of SUCCESS, FAILED")
        if Status.PENDING in value:
            raise ValueError("may not name PENDING, which changes")
        if set(value) - {Status.SUCCESS, Status.FAILED}:
            raise ValueError("must be a list of SUCCESS, FAILED")
        return tuple(sorted(set(map(str, value))))

    def shown(self, value: Any) -> str:
        return " or ".join(Status(status).label.lower() for status in value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"enum": ["SUCCESS", "FAILED"]}}


# Two hours of the day that are not the same; some take `$` for before a line break too.
HOURS = r"^(?!0?([0-9]+)-0?\1$)([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-4])$(?!\n)"


@dataclass(frozen=True)
class Hours(Gap):
    """Hours of the day as "8-18", from the first until before the second; "22-6" goes over midnight."""

    def read(self, value: Any) -> str:
        found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", value, re.ASCII) if isinstance(value, str) else None
        if found is None or not (
            int(found[1]) < 24 and int(found[2]) <= 24 and int(found[1]) != int(found[2])
        ):
            raise ValueError('must be two hours of the day like "8-18" or "22-6"')
        return f"{int(found[1])}-{int(found[2])}"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": HOURS}


# Names that PostgreSQL would take for abbreviations first, and so without summer time: what the list of
# timezones itself says each stands for.
IN_FULL = {
    "CET": "Europe/Brussels",
    "EET": "Europe/Athens",
    "EST": "America/Panama",
    "HST": "Pacific/Honolulu",
    "MET": "Europe/Brussels",
    "MST": "America/Phoenix",
    "WET": "Europe/Lisbon",
}


def in_full(zone: str) -> str:
    """The name by which PostgreSQL means the same timezone."""
    return IN_FULL.get(zone, zone)


@dataclass(frozen=True)
class Zone(Gap):
    """A timezone of the IANA database."""

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in zone_names():
            raise ValueError("must be a timezone like UTC or Europe/Berlin")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


# Characters of the name of a rule or a list.
NAME_MAX = 100
# Something visible. Of what cannot be printed the controls, the line breaks, all spaces but the plain one.
UNPRINTABLE = r"\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
PRINTABLE = rf"^(?= *[^ ])[^{UNPRINTABLE}]*$(?!\n)"
# The same of a name that is given: all of it is seen. Signs beyond U+FFFF not every validator can have here.
UNSEEN = "".join(rf"\u{first:04x}-\u{last:04x}" for first, last in UNSEEN_RANGES if last <= 0xFFFF)
SEEN = rf"^(?= *[^ ])[^{UNPRINTABLE}{UNSEEN}]*$(?!\n)"


@dataclass(frozen=True)
class ListName(Gap):
    """The name of a list of users. Whether there is one is looked at when a version is made."""

    def read(self, value: Any) -> str:
        name = composed(value.strip()) if isinstance(value, str) and value.isprintable() else ""
        if not name or len(value) > NAME_MAX:
            raise ValueError("must be the name of a list of customers")
        return name

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": PRINTABLE}
