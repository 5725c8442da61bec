"""The lines of a text of JSON at which things stand, for those who have to mend it."""

import json
import re
from bisect import bisect_left
from json.decoder import scanstring  # type: ignore[attr-defined]

# A place: the names and numbers that lead to it, ("rules", 2, "parameters", "window").
Place = tuple[str | int, ...]

# As deep as a gap of a filter stands in a document of rules.
DEPTH = 5
# Numbers are not looked at: of very many digits Python makes none.
_DECODER = json.JSONDecoder(parse_int=str)
_BETWEEN = re.compile(r"[\s,:]*")


class Lines:
    """Of a text that is known to be an object of JSON."""

    def __init__(self, text: str) -> None:
        self._found: dict[Place, int] = {}
        self._ends = [found.start() for found in re.finditer("\n", text)]
        _walk(text, text.index("{"), (), self._found)

    def of(self, place: Place) -> int:
        """The line, from 1 on, at which something begins; of what is missing, that of what lacks it."""
        while place not in self._found:
            place = place[:-1]
        return bisect_left(self._ends, self._found[place]) + 1


def _walk(text: str, at: int, place: Place, found: dict[Place, int]) -> int:
    """Notes where a value and all in it begin, with their names; says where it ends."""
    found.setdefault(place, at)
    opening = text[at]
    if len(place) == DEPTH or opening not in "{[":
        end: int = _DECODER.raw_decode(text, at)[1]
        return end
    at = _next(text, at + 1)
    number = 0
    while text[at] not in "}]":
        if opening == "{":
            begin = at
            name, at = scanstring(text, at + 1)
            found[*place, name] = begin
            at = _walk(text, _next(text, at), (*place, name), found)
        else:
            at = _walk(text, at, (*place, number), found)
            number += 1
        at = _next(text, at)
    return at + 1


def _next(text: str, at: int) -> int:
    """Where what comes next begins."""
    found = _BETWEEN.match(text, at)
    assert found is not None
    return found.end()
