"""A rule's sentence as a page shows it, and what one version says otherwise than another."""

from dataclasses import fields
from typing import Any, NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ...rules.kinds.gaps import Choice, Unfit
from ...rules.kinds.kind import Kind, RowFilter
from ...rules.kinds.registry import KINDS, read, read_kept
from ...rules.models import Version
from ...severity import Severity


class Difference(NamedTuple):
    """What stands in a gap of an older and of a newer version; "" for a gap that is left open, or is none."""

    label: str
    old: str
    new: str


def pieces(kind: Kind) -> list[tuple[str, bool]]:
    """The sentence in pieces, and whether each is what stands in a gap."""
    return [(part.text, bool(part.gap)) for part in kind.parts()]


def sentence(kind: Kind) -> SafeString:
    """The sentence, with what stands in its gaps in bold; a word that is chosen is one of its words."""
    words = {made.name for made in fields(kind) if isinstance(made.metadata.get("gap"), Choice)}
    made = (
        format_html("<strong>{}</strong>", part.text) if part.gap and part.gap not in words else part.text
        for part in kind.parts()
    )
    return format_html_join("", "{}", ((each,) for each in made))


def of_version(version: Version) -> SafeString:
    """The sentence of a version; one that this release cannot read says so."""
    return sentence(read_kept(version.kind, version.parameters))


def title_of(kind: str) -> str:
    return KINDS[kind].title


def differences(old: Version, new: Version) -> list[Difference]:
    """What the newer version says otherwise, gap by gap; none where both say the same."""
    found = []
    if old.kind != new.kind:
        found.append(Difference("kind", title_of(old.kind), title_of(new.kind)))
    before, after = _said(old), _said(new)
    for label in [*after, *(label for label in before if label not in after)]:
        if before.get(label, "") != after.get(label, ""):
            found.append(Difference(label, before.get(label, ""), after.get(label, "")))
    return found


def _said(version: Version) -> dict[str, str]:
    """What stands in each gap, by its label."""
    told = {"severity": Severity(version.severity).label, "what to do": version.description}
    try:
        form = read(version.kind, version.parameters)
    except Unfit:
        return {**{name: str(value) for name, value in version.parameters.items()}, **told}
    own = _values(form, [made for made in fields(form) if made.name != "filter"])
    narrowed = _values(form.filter, list(fields(RowFilter)))
    if form.filter.hours is None:
        narrowed.pop("timezone", None)
    return {**own, **narrowed, **told}


def _values(form: Any, made: list[Any]) -> dict[str, str]:
    said = {}
    for each in made:
        what, value = each.metadata["gap"], getattr(form, each.name)
        if value not in (None, ()):
            said[what.label.removeprefix("the ")] = what.shown(value)
    return said
