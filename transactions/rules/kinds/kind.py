"""What all kinds of rules have in common: a form, a filter, and the way to SQL."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from decimal import Decimal
from typing import Any, ClassVar

from ... import money, names
from ...models import AMOUNT_MAX, Transaction
from .gaps import WINDOWS_S, Gap, Hours, ListName, Money, Statuses, Unfit, Zone, in_full
from .wording import Part, filled

TABLE = Transaction._meta.db_table
# By name, for the models know the kinds.
LISTS, ENTRIES = "rules_userlist", "rules_listentry"

# Begins what a rule is narrowed by, in its sentence.
LOOKING_AT = ", looking at transactions "
# Why a filter that lets through no amount that a kind looks for is refused.
NO_HIT = "no transaction would be a hit"


def gap(what: Gap, *, suggested: Any = None, **default: Any) -> Any:
    """A field of a form: a gap that may be left open if it has a `default`.

    What is `suggested` for a new rule is another value than what the gap means when it is left open.
    """
    return field(metadata={"gap": what, "suggested": suggested}, kw_only=True, **default)


class Bound:
    """Parameters bound to one text. Names bear a prefix, so that texts can be put together."""

    def __init__(self, prefix: str = "") -> None:
        self.values: dict[str, Any] = {}
        self._prefix = prefix

    def __call__(self, name: str, value: Any) -> str:
        """The place of a value in the text. Raises ValueError where another value has the name already."""
        known = self.values.setdefault(f"{self._prefix}{name}", value)
        if known != value:
            raise ValueError(f"{name} is bound to {known!r}, and cannot be {value!r} too")
        return f"%({self._prefix}{name})s"

    def interval(self, name: str, seconds: int) -> str:
        return f"make_interval(secs => {self(name, seconds)})"


@dataclass(frozen=True)
class RowFilter:
    """Which transactions a rule looks at. A field that is left open lets all through."""

    amount_min: int | None = gap(Money("the least amount", 0), default=None)
    amount_max: int | None = gap(Money("the largest amount", 0), default=None)
    statuses: tuple[str, ...] = gap(Statuses("the statuses"), default=())
    in_list: str | None = gap(ListName("the list that customers stand on"), default=None)
    not_in_list: str | None = gap(ListName("the list that customers do not stand on"), default=None)
    hours: str | None = gap(Hours("the hours"), default=None)
    zone: str = gap(Zone("the timezone"), default="UTC")

    def conditions(self, row: str, bound: Bound) -> list[str]:
        """What must hold of `row`, the alias of a row of transactions."""
        made = [make(self, row, bound) for make in FIELDS.values()]
        return [condition for condition in made if condition]

    def cheap_conditions(self, row: str, bound: Bound) -> list[str]:
        """Those of them that cost next to nothing, for the gate."""
        made = [FIELDS[name](self, row, bound) for name in ("amount_min", "amount_max", "statuses")]
        if self.in_list is not None:
            made.append(ever_listed(row, "in_list", self.in_list, bound))
        return [condition for condition in made if condition]

    def parts(self) -> Iterator[Part]:
        """The end of a sentence."""
        joint = LOOKING_AT
        for wording in FILTER_WORDINGS:
            said = list(_filled(f"[{wording}]", self, "filter."))
            if said:
                yield Part(joint)
                yield from said
                joint = " and "


def listed(row: str, name: str, value: str, bound: Bound) -> str:
    """Whether the row's user stood on a list when it happened: asked for each row, along the index of both.

    OFFSET 0 keeps it so. As a join it read lists whole while the planner knew nothing of them yet.
    """
    return (
        f"EXISTS (SELECT FROM {ENTRIES} e WHERE e.list_id = (SELECT id FROM {LISTS}"
        f" WHERE name = {bound(name, value)}) AND e.user_id = {row}.user_id"
        f" AND e.starts_at <= {row}.created_at AND (e.ends_at IS NULL OR {row}.created_at < e.ends_at)"
        " OFFSET 0)"
    )


def ever_listed(row: str, name: str, value: str, bound: Bound) -> str:
    """Whether the row's user ever stood on a list, of a gate: see `Kind.gate`.

    "IS TRUE" keeps PostgreSQL from making a join of it, which it might carry out row by row: how many users
    stand there it cannot guess.
    """
    return (
        f"({row}.user_id IN (SELECT s.user_id FROM standing s WHERE s.name = {bound(name, value)})) IS TRUE"
    )


def within_hours(moment: str, hours: str, zone: str, bound: Bound) -> str:
    """Whether a moment lies in hours of the day."""
    start, end = map(int, hours.split("-"))
    hour = f"extract(hour FROM {moment} AT TIME ZONE {bound('zone', in_full(zone))})"
    joined = "AND" if start < end else "OR"
    return f"({hour} >= {bound('hour', start)} {joined} {hour} < {bound('hour_end', end)})"


# How each field of the filter is said.
FILTER_WORDINGS = (
    "of {amount_min} or more",
    "of {amount_max} or less",
    "with the status {statuses}",
    "of customers on the list “{in_list}”",
    "of customers not on the list “{not_in_list}”",
    "in the hours {hours} of {zone}",
)
# The fields of the filter: how each becomes a condition on a row, "" where it is left open. A field
# that joins is a line here and above, and a gap of RowFilter.
FIELDS: dict[str, Any] = {
    "amount_min": lambda f, row, bound: (
        "" if f.amount_min is None else f"{row}.amount >= {bound('amount_min', f.amount_min)}"
    ),
    "amount_max": lambda f, row, bound: (
        "" if f.amount_max is None else f"{row}.amount <= {bound('amount_max', f.amount_max)}"
    ),
    "statuses": lambda f, row, bound: (
        "" if not f.statuses else f"{row}.status = ANY({bound('statuses', list(f.statuses))})"
    ),
    "in_list": lambda f, row, bound: "" if f.in_list is None else listed(row, "in_list", f.in_list, bound),
    "not_in_list": lambda f, row, bound: (
        "" if f.not_in_list is None else "NOT " + listed(row, "not_in_list", f.not_in_list, bound)
    ),
    "hours": lambda f, row, bound: (
        "" if f.hours is None else within_hours(f"{row}.created_at", f.hours, f.zone, bound)
    ),
}


@dataclass(frozen=True)
class Kind:
    """A sentence with gaps. A kind's fields are its gaps; from them come a sentence and one SQL text.

    The text looks at the users of the relation "scope" (user_id, lo, hi): the rows that happened from
    lo to hi, and those that these may have made a hit. It gives id, user_id, created_at, amount
    and figures (jsonb) of each hit that happened from %(begin)s until before %(end)s.

    Where it reads a span of a user's rows both bounds are rows that begin with the user, and nothing
    else there speaks of user or time: PostgreSQL begins an index scan at `user_id = …` where it has that
    too, and reads all of a user's rows up to the span; and of bounds in time alone it may take the index
    by time.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    # See `rules.kinds.wording`.
    wording: ClassVar[str]
    # "set", "prefix" or "clock": see the contract in `rules.evaluation`.
    group: ClassVar[str] = "set"
    # What it may be narrowed by.
    filters: ClassVar[tuple[str, ...]] = tuple(made.name for made in fields(RowFilter))
    filter: RowFilter = field(default_factory=RowFilter, kw_only=True)

    @property
    def window_s(self) -> int:
        """For how long a row can make later ones a hit; 0 where each is judged by itself."""
        return 0

    @property
    def memory_s(self) -> int:
        """How far back of a row the rule looks."""
        return self.window_s

    @property
    def is_gated(self) -> bool:
        """Whether users' states spare it looking."""
        return self.window_s > 0

    def check(self) -> None:
        """Whether the gaps fit each other. Raises Unfit."""
        low, high = self.filter.amount_min, self.filter.amount_max
        if low is not None and high is not None and low > high:
            raise Unfit("filter.amount_max", "the largest amount must not be below the least amount")
        if self.filter.not_in_list is not None and self.filter.not_in_list in self.lists_of_gate():
            raise Unfit(
                "filter.not_in_list", "nobody stands on a list and not on it: name another list, or none"
            )

        if self.filter.hours is None and self.filter.zone != RowFilter.zone:
            raise Unfit("filter.zone", "the timezone is that of hours: give these too, or leave it out")
        least, most = self.amounts()
        if high is not None and high < least:
            raise Unfit(
                "filter.amount_max", f"the largest amount must not be below {money.text(least)}: {NO_HIT}"
            )
        if low is not None and low > most:
            raise Unfit(
                "filter.amount_min", f"the least amount must not be above {money.text(most)}: {NO_HIT}"
            )

    def amounts(self) -> tuple[int, int]:
        """The least and the largest amount of the transactions that can make a hit, by all gaps but those
        of the filter.
        """
        return 0, AMOUNT_MAX

    def lists(self) -> list[tuple[str, str]]:
        """The lists that it names, by gap."""
        named = [("filter.in_list", self.filter.in_list), ("filter.not_in_list", self.filter.not_in_list)]
        return [(gap, name) for gap, name in named if name is not None]

    def parts(self) -> list[Part]:
        """Its sentence: words, and what stands in the gaps."""
        return [*_filled(self.wording, self), *self.filter.parts(), Part(".")]

    def sentence(self) -> str:
        return "".join(part.text for part in self.parts())

    def explain(self, figures: dict[str, Any]) -> str:
        """Why something was a hit, by its figures, for a person; "" where the sentence says all."""
        return ""

    def lists_of_gate(self) -> list[str]:
        """The lists that its gate asks for, by name."""
        return [] if self.filter.in_list is None else [self.filter.in_list]

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        """What matters of a hit in a few words, which may stand alone; "" where there is nothing to say.

        `amount` is that of its transaction, None where it is about the whole system.
        """
        told = self.explain(figures) or ("" if amount is None else money.text(amount))
        return told[:1].upper() + told[1:]

    def gate(self, bound: Bound) -> str:
        """A condition on a touched row, r, and bounds of its user, b: where it fails there is no hit.

        What is cheap; it may let through too much. "standing" (name, user_id) is who of the touched users
        ever stood on a list of `lists_of_gate`: a list may be long, and is not read through.
        """
        return " AND ".join(self.filter.cheap_conditions("r", bound)) or "true"

    def sql(self, bound: Bound) -> str:
        raise NotImplementedError


WINDOW_OF_GATE = {"10m": "hour", "1h": "hour", "6h": "day", "24h": "day", "7d": "week", "30d": "month"}


def gap_named(form: type[Any], name: str) -> Gap:
    """A gap of a form, or of its filter, by its name in JSON ("filter.hours")."""
    owner, name = (RowFilter, name.removeprefix("filter.")) if name.startswith("filter.") else (form, name)
    found: Gap = next(made for made in fields(owner) if made.name == name).metadata["gap"]
    return found


def _filled(wording: str, form: Any, where: str = "") -> Iterator[Part]:
    return filled(
        wording,
        lambda name: getattr(form, name),
        lambda name, value: gap_named(type(form), name).shown(value),
        where,
    )


def window_seconds(window: str) -> int:
    return WINDOWS_S[window]


def read_form(form: type[Any], given: Any, where: str = "") -> Any:
    """A form filled in from JSON. Raises Unfit, which names the first gap of `unfit_gaps`."""
    for unfit in _misplaced(form, given, where):
        raise unfit
    values: dict[str, Any] = {}
    for made in fields(form):
        value = given.get(made.name)
        if made.name == "filter":
            narrowed = given.get(made.name, {})
            values[made.name] = read_form(RowFilter, narrowed, "filter.")
            for unfit in _not_narrowed(form, narrowed):
                raise unfit
        elif value is not None or made.default is MISSING:
            values[made.name] = _read_gap(made, value, where)
    return form(**values)


def unfit_gaps(form: type[Any], given: Any, where: str = "") -> Iterator[Unfit]:
    """All that makes no sense by itself, gap by gap."""
    yield from _misplaced(form, given, where)
    for made in fields(form) if isinstance(given, dict) else ():
        value = given.get(made.name)
        if made.name == "filter":
            narrowed = given.get(made.name, {})
            yield from unfit_gaps(RowFilter, narrowed, "filter.")
            yield from _not_narrowed(form, narrowed)
        elif value is not None or made.default is MISSING:
            try:
                _read_gap(made, value, where)
            except Unfit as unfit:
                yield unfit


def _not_narrowed(form: type[Any], given: Any) -> Iterator[Unfit]:
    """Fields of the filter that a kind does not have."""
    for made in fields(RowFilter) if isinstance(given, dict) else ():
        if made.name in given and made.name not in form.filters:
            yield Unfit(f"filter.{made.name}", "this kind of rule cannot be narrowed so")


def _misplaced(form: type[Any], given: Any, where: str) -> Iterator[Unfit]:
    """What is no object, or stands in a gap that there is not."""
    if not isinstance(given, dict):
        yield Unfit(where.rstrip("."), f"the {where.rstrip('.') or 'parameters'} must be an object")
        return
    known = {made.name: made for made in fields(form)}
    for name in [name for name in given if name not in known][: names.TOLD_MAX]:
        told = names.suggestion(name, known)
        yield Unfit(f"{where}{names.shortened(name)}", f"there is no such gap{told}")


def _read_gap(made: Field[Any], value: Any, where: str) -> Any:
    what: Gap = made.metadata["gap"]
    if value is None:
        raise Unfit(f"{where}{made.name}", f"{what.label} is missing")
    try:
        return what.read(value)
    except ValueError as error:
        raise Unfit(f"{where}{made.name}", f"{what.label} {error}") from None


def as_json(form: Any) -> dict[str, Any]:
    """A form as JSON, without the gaps that are left open."""
    found: dict[str, Any] = {}
    for made in fields(form):
        value = getattr(form, made.name)
        if made.name == "filter":
            value = as_json(value)
            if value:
                found["filter"] = value
        elif value is not None and value != made.default:
            found[made.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return list(value) if isinstance(value, tuple) else value
