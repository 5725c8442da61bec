"""How deep a JSON text is nested and how many items its array has, told before any of it is decoded.

What a text holds is the client's to choose, so this takes time in proportion to its length whatever it
is, JSON or not, and lets other threads run every few kilobytes. (A regular expression that fails at each
place of a string without an end would take its square, and hold the interpreter for all of it.)
"""

import re
from itertools import accumulate
from typing import NamedTuple

# A string is matched to its end, or to that of the text where it has none.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# As much as is looked at in one go; never ends within a string.
_PORTION = re.compile(rb'(?:"(?:[^"\\]++|\\.)*+"?|[^"]{1,4096}+){1,64}+', re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[]{},"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(","): 0}
_COMMA = ord(",")


class Shape(NamedTuple):
    """`depth` of the deepest place; `items` of the outermost array, of an empty one 1."""

    depth: int
    items: int


def shape(text: bytes, depth_max: int | None = None) -> Shape:
    """The shape of `text`, for one that is no JSON some numbers. Within a string nothing counts.

    Past `depth_max` no further is looked; the depth is then more than that.
    """
    depth = deepest = at = 0
    items = 1
    while found := _PORTION.match(text, at):
        at = found.end()
        marks = _STRING.sub(b"", found[0]).translate(None, _OTHERS)
        depths = list(accumulate(map(_STEP.__getitem__, marks), initial=depth))
        depth, deepest = depths[-1], max(deepest, max(depths))
        if depth_max is not None and deepest > depth_max:
            break
        if _COMMA in marks:
            items += sum(here == 1 for mark, here in zip(marks, depths, strict=False) if mark == _COMMA)
    return Shape(deepest, items)
