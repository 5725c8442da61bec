"""The kinds of rules there are, by name, and the way from JSON to a rule."""

from typing import Any

from .clock import FailureRate, PendingTooLong, Silence
from .gaps import Unfit
from .kind import Kind, read_form, unfit_gaps
from .prefix import Deviation, FirstOrDormant
from .rows import Amount, ClockGap, Listed, RoundAmount
from .windowed import BelowLimit, FailureBurst, RapidRepeat, VelocityCount, VelocitySum

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


def read(kind: Any, parameters: Any) -> Kind:
    """The rule that a kind and parameters from JSON stand for.

    Raises Unfit, which names the first gap in which something makes no sense, and has the others.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise Unfit("kind", f"the kind must be one of {', '.join(NAMES)}")
    try:
        form: Kind = read_form(KINDS[kind], parameters)
    except Unfit:
        first, *others = unfit_gaps(KINDS[kind], parameters)
        first.others = tuple(others)
        raise first from None
    form.check()
    return form


def problems(kind: str, parameters: Any) -> list[Unfit]:
    """All that is wrong with the gaps of a known kind; [] for nothing."""
    try:
        read(kind, parameters)
    except Unfit as unfit:
        return [unfit, *unfit.others]
    return []
