"""The sentence of a kind, in parts: words, and gaps, to be filled in or to be read.

In a wording a gap stands in braces, and in brackets stands what is left out where its gap is open:
"At least {count} transactions of a customer fail within {window}[, each of at most {most}]".
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_PIECE = re.compile(r"\{(\w+)\}|([^{}]+)")


class Part(NamedTuple):
    """Words, or what stands in a gap as it is shown, with its name as JSON has it ("filter.hours")."""

    text: str
    gap: str = ""


def counted(number: int, what: str) -> str:
    """Say "1 customer", "2 customers", "1,000 customers"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def minutes_in_words(minutes: int) -> str:
    """Say "90 minutes", and of whole hours "24 hours"."""
    return counted(minutes // 60, "hour") if minutes % 60 == 0 else counted(minutes, "minute")


def phrases(wording: str) -> Iterator[tuple[bool, list[Part]]]:
    """What a wording consists of, and whether each may be left out; gaps have no text yet."""
    for number, phrase in enumerate(re.split(r"[\[\]]", wording)):
        parts = [Part(words, gap) for gap, words in _PIECE.findall(phrase)]
        if parts:
            yield number % 2 == 1, parts


def filled(
    wording: str, value_of: Callable[[str], Any], shown: Callable[[str, Any], str], where: str = ""
) -> Iterator[Part]:
    """A wording with the values of its gaps as they are shown; the names of gaps come after `where`."""
    for may_be_left_out, parts in phrases(wording):
        if may_be_left_out and any(value_of(part.gap) in (None, ()) for part in parts if part.gap):
            continue
        for part in parts:
            yield Part(shown(part.gap, value_of(part.gap)), where + part.gap) if part.gap else part
