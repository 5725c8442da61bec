"""The sentence of a kind as a form: its words, and an input in each gap; and back, from what was typed.

What may stand in a gap is told by the gap itself, and judged as a file of rules is.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from decimal import Decimal
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from ... import money
from ...models import Status
from ...rules.kinds.gaps import (
    WINDOW_WORDS,
    Choice,
    Factor,
    Gap,
    Hours,
    ListName,
    Money,
    Statuses,
    Unfit,
    Whole,
    Window,
    Zone,
)
from ...rules.kinds.kind import FILTER_WORDINGS, Kind, RowFilter, gap_named
from ...rules.kinds.registry import KINDS, problems, read
from ...rules.kinds.wording import phrases
from ...rules.models import UserList
from ...timezones import zone_names

# Characters of one gap that are looked at; no fit one is as long.
TYPED_MAX = 200
# Marks that stand between groups of digits: a comma, an apostrophe, spaces of several widths.
_MARKS = "[,' \u00a0\u2009\u202f]"
_GROUPED = re.compile(rf"\d{{1,3}}({_MARKS}\d{{3}})+", re.ASCII)
_WHOLE = re.compile(r"-?\d+", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@dataclass(slots=True)
class Input:
    """One gap of the form. `options` are values and their words, of a gap with a few choices."""

    name: str
    label: str
    value: Any
    options: list[tuple[str, str]] = field(default_factory=list)
    several: bool = False
    numeric: bool = False
    decimal: bool = False
    zone: bool = False
    placeholder: str = ""
    required: bool = False
    error: str = ""
    width: int = 8

    @property
    def id(self) -> str:
        return f"gap-{self.name.replace('.', '-')}"


@dataclass(slots=True)
class FormPiece:
    """Words of the form's sentence, or an input."""

    words: str = ""
    input: Input | None = None


class TypedSentence:
    """What was typed into the form of a kind, and what is wrong with it, by gap."""

    def __init__(self, kind: str, given: dict[str, Any]) -> None:
        self.kind, self.given = kind, given
        self.errors: dict[str, str] = {}

    @classmethod
    def fresh(cls, kind: str) -> "TypedSentence":
        """A new one, with what is suggested for gaps that may be left open."""
        typed = cls.left_open(kind)
        for name, made in _gaps(KINDS[kind]):
            if (suggested := made.metadata["suggested"]) is not None:
                typed.given[name] = made.metadata["gap"].typed(suggested)
        return typed._in_zone_of_page()

    @classmethod
    def left_open(cls, kind: str) -> "TypedSentence":
        """With what gaps mean that are left open."""
        given = {
            name: made.metadata["gap"].typed(made.default)
            for name, made in _gaps(KINDS[kind])
            if made.default not in (MISSING, None, ())
        }
        return cls(kind, given)

    @classmethod
    def of(cls, kind: str, parameters: dict[str, Any]) -> "TypedSentence":
        """With what a version says, whether or not that can still be read."""
        flat = dict(parameters)
        flat |= {f"filter.{name}": value for name, value in flat.pop("filter", {}).items()}
        typed = cls.left_open(kind)
        for name, value in flat.items():
            typed.given[name] = value if isinstance(value, list) else _typed(kind, name, value)
        return typed if "filter.hours" in flat else typed._in_zone_of_page()

    def _in_zone_of_page(self) -> "TypedSentence":
        """Without hours yet; those that come are meant in the zone of whoever types them."""
        if "filter.zone" in self.given:
            self.given["filter.zone"] = timezone.get_current_timezone_name()
        return self

    @classmethod
    def posted(cls, kind: str, query: QueryDict) -> "TypedSentence":
        """With what a form sent."""
        given: dict[str, Any] = {}
        for name, made in _gaps(KINDS[kind]):
            if isinstance(made.metadata["gap"], Statuses):
                given[name] = [value[:TYPED_MAX] for value in query.getlist(name)[:9]]
            else:
                given[name] = query.get(name, "").strip()[:TYPED_MAX]
        return cls(kind, given)

    def parameters(self) -> dict[str, Any]:
        """As JSON has them. What makes no sense is handed on as it was typed."""
        said: dict[str, Any] = {}
        narrowed: dict[str, Any] = {}
        for name, made in _gaps(KINDS[self.kind]):
            value = _value(made.metadata["gap"], self.given.get(name, ""))
            if value not in ("", [], None):
                place = narrowed if name.startswith("filter.") else said
                place[name.removeprefix("filter.")] = value
        if "hours" not in narrowed and narrowed.get("zone") in zone_names():
            # It stands in the form before there are hours, and narrows nothing.
            del narrowed["zone"]
        return {**said, "filter": narrowed} if narrowed else said

    def read(self) -> Kind | None:
        """The rule, or None, and then `errors` say why."""
        parameters = self.parameters()
        for name, made in _gaps(KINDS[self.kind]):
            if isinstance(made.metadata["gap"], Money) and (told := _no_money(self.given.get(name, ""))):
                self.errors.setdefault(name, told)
        for unfit in problems(self.kind, parameters):
            self.refuse(unfit)
        return None if self.errors else read(self.kind, parameters)

    def refuse(self, unfit: Unfit) -> None:
        """Notes what is wrong with a gap, as a sentence."""
        self.errors.setdefault(unfit.gap, f"{unfit.message[:1].upper()}{unfit.message[1:]}.")

    @property
    def amounts(self) -> str:
        """How amounts are typed; "" where none of its gaps, or of those it may be narrowed by, is one."""
        if "amount_min" not in KINDS[self.kind].filters:
            return ""
        if (code := money.code()) is None:
            return "Amounts are in the smallest unit of the currency, as transactions have them."
        return f"Amounts are in {code}, as in {money.example()}."

    @property
    def pieces(self) -> list[FormPiece]:
        """The sentence of the kind."""
        return list(self._pieces(KINDS[self.kind].wording, ""))

    @property
    def filter_lines(self) -> list[list[FormPiece]]:
        """What it may be narrowed by, a line for each."""
        may = KINDS[self.kind].filters
        lines = (list(self._pieces(wording, "filter.")) for wording in FILTER_WORDINGS)
        return [
            line
            for line in lines
            if any(p.input and p.input.name.removeprefix("filter.") in may for p in line)
        ]

    def _pieces(self, wording: str, where: str) -> Iterator[FormPiece]:
        for _, parts in phrases(wording):
            for part in parts:
                if part.gap:
                    yield FormPiece(input=self._input(where + part.gap))
                else:
                    # A list that is chosen needs no marks around it.
                    yield FormPiece(words=part.text.replace("“", "").replace("”", ""))

    def _input(self, name: str) -> Input:
        kind = KINDS[self.kind]
        what = gap_named(kind, name)
        made = dict(_gaps(kind))[name]
        found = Input(name, what.label, self.given.get(name, ""), required=made.default is MISSING)
        found.error = self.errors.get(name, "")
        found.options = _options(what, required=found.required)
        found.several = isinstance(what, Statuses)
        found.numeric = isinstance(what, Whole)
        found.decimal = isinstance(what, Money) and bool(money.decimals())
        found.zone = isinstance(what, Zone)
        found.placeholder = "8-18, 22-6" if isinstance(what, Hours) else ""
        if isinstance(what, Window | Choice) and not found.value:
            found.options = [("", "choose"), *found.options]
        if found.options and not found.several and found.value not in dict(found.options):
            # What was sent by hand, or a list that is gone, is kept to be looked at.
            found.options = [*found.options, (found.value, found.value)]
        found.width = min(max(len(str(found.value)) + 2, 16 if found.zone else 10), 24)
        return found


def blank(kind: type[Kind]) -> list[tuple[str, bool]]:
    """The sentence of a kind to choose by, in pieces, and whether each stands for a gap."""
    return [
        (_short(gap_named(kind, part.gap)), True) if part.gap else (part.text, False)
        for _, parts in phrases(kind.wording)
        for part in parts
    ]


def _short(what: Gap) -> str:
    """Say "number" for "the number of minutes"."""
    if isinstance(what, Choice):
        return f" or {what.label} ".join(what.words)
    return what.label.removeprefix("the ").split(" of ")[0]


def zones() -> list[str]:
    return sorted(zone_names())


def _gaps(kind: type[Kind]) -> list[tuple[str, Any]]:
    own = [(made.name, made) for made in fields(kind) if made.name != "filter"]
    return own + [(f"filter.{made.name}", made) for made in fields(RowFilter)]


def _options(what: Gap, *, required: bool) -> list[tuple[str, str]]:
    match what:
        case Window():
            return list(WINDOW_WORDS.items())
        case Choice():
            return [(word, word) for word in what.words]
        case Statuses():
            return [(status.value, str(status.label)) for status in (Status.SUCCESS, Status.FAILED)]
        case ListName():
            return [("", "choose a list" if required else "any"), *_named(UserList.objects.order_by("name"))]
    return []


def _named(lists: Iterable[UserList]) -> list[tuple[str, str]]:
    return [(users.name, users.name) for users in lists]


def _value(what: Gap, typed: Any) -> Any:
    """What was typed as JSON has it; numbers may be written in groups, as the pages show them."""
    if not isinstance(what, Whole | Factor) or not isinstance(typed, str):
        return typed
    if isinstance(what, Money) and money.code() is not None:
        return typed if not typed or _no_money(typed) else money.parse(typed)
    if isinstance(what, Factor):
        return Decimal(typed) if _DECIMAL.fullmatch(typed) else typed
    digits = re.sub(_MARKS, "", typed) if _GROUPED.fullmatch(typed) else typed
    return int(digits) if _WHOLE.fullmatch(digits) else typed


def _typed(kind: str, name: str, value: Any) -> str:
    """A value that a version says as the form has it, whether or not it can still be read."""
    what = gap_named(KINDS[kind], name) if name in dict(_gaps(KINDS[kind])) else None
    return what.typed(value) if isinstance(what, Money) and type(value) is int else str(value)


def _no_money(typed: str) -> str:
    """Why what was typed is no amount; "" where it is one, or where amounts are plain numbers."""
    try:
        if typed and money.code() is not None:
            money.parse(typed)
    except money.NotMoneyError as error:
        return str(error)
    return ""
