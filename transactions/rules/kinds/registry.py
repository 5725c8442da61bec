"""The kinds of rules there are, by name, and the way from JSON to a rule."""

from dataclasses import dataclass
from typing import Any

from .clock import FailureRate, PendingTooLong, Silence
from .gaps import WINDOWS_S, Unfit
from .kind import Kind, read_form, unfit_gaps
from .prefix import Deviation, FirstOrDormant
from .rows import Amount, ClockGap, Listed, RoundAmount
from .windowed import BelowLimit, FailureBurst, RapidRepeat, VelocityCount, VelocitySum
from .wording import Part

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        Amount,
        BelowLimit,
        RoundAmount,
        VelocityCount,
        VelocitySum,
        FailureBurst,
        RapidRepeat,
        Listed,
        ClockGap,
        Deviation,
        FirstOrDormant,
        PendingTooLong,
        FailureRate,
        Silence,
    )
}
NAMES = list(KINDS)
# The kinds that are looked at after a flush.
CLOCK_NAMES = tuple(name for name, kind in KINDS.items() if kind.group == "clock")
# Seconds that a rule may look back at the most, of any kind: a year.
LONGEST_MEMORY_S = 365 * 86_400


def read(kind: Any, parameters: Any) -> Kind:
    """The rule that a kind and parameters from JSON stand for.

    Raises Unfit, which names the first gap in which something makes no sense, and has the others.
    """
    form = _filled_in(kind, parameters)
    form.check()
    return form


def _filled_in(kind: Any, parameters: Any) -> Kind:
    """The same, whether or not its gaps fit each other."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise Unfit("kind", f"the kind must be one of {', '.join(NAMES)}")
    try:
        form: Kind = read_form(KINDS[kind], parameters)
    except Unfit:
        first, *others = unfit_gaps(KINDS[kind], parameters)
        first.others = tuple(others)
        raise first from None
    return form


@dataclass(frozen=True)
class UnreadableKind(Kind):
    """Stands for a wording that cannot be read any more: judged by nothing, and so all in its time is owed.

    A timezone that a newer list of them has no more, say. Its reach is the longest of any kind's.
    """

    reason: str = ""

    @property
    def window_s(self) -> int:
        return max(WINDOWS_S.values())

    @property
    def memory_s(self) -> int:
        return LONGEST_MEMORY_S

    @property
    def is_gated(self) -> bool:
        return False

    def parts(self) -> list[Part]:
        return [Part(f"This cannot be read: {self.reason}.")]


def read_kept(kind: str, parameters: Any) -> Kind:
    """What a version says. `UnreadableKind` where it made sense when it was written, and makes none now.

    Gaps that would not be let stand beside each other today can be read all the same.
    """
    try:
        return _filled_in(kind, parameters)
    except Unfit as unfit:
        return UnreadableKind(reason=f"{unfit.gap}: {unfit.message}")


def explained(kind: Kind, figures: Any) -> str:
    """Why something was a hit of a kept version, by its figures as of raising; "" where these say nothing."""
    try:
        return kind.explain(figures)
    except KeyError:
        return ""


def headline(kind: Kind, amount: int | None, figures: Any) -> str:
    """What matters of such a hit of an `amount`, in a few words; "" where its figures say nothing."""
    try:
        return kind.headline(amount, figures)
    except KeyError:
        return ""


def problems(kind: str, parameters: Any) -> list[Unfit]:
    """All that is wrong with the gaps of a known kind; [] for nothing."""
    try:
        read(kind, parameters)
    except Unfit as unfit:
        return [unfit, *unfit.others]
    return []
