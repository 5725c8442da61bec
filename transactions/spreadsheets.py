"""Texts in a CSV file that a spreadsheet may open: none of them is run as a formula, and each is read back.

A text that could be one has an apostrophe in front, as spreadsheets themselves write a text. So has one that
would look as if it had been guarded already: it would come back without an apostrophe of its own.
"""

import re
import unicodedata

# With one of these in front a spreadsheet takes a text for a formula and runs it; the last is a minus.
_FORMULA = frozenset("=+-@\N{MINUS SIGN}")
# Most texts: nothing in them could be taken for one, or begin another cell.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,:/+@=-]*")
# Where a spreadsheet may begin a cell: much of Europe separates by semicolons, whatever we quote.
_CELL_ENDS = re.compile("([;\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\uff1b]+)")
# Letters and marks that show nothing, beside the categories of such characters; a quote may be taken off.
_BLANK = frozenset('"\u115f\u1160\u2800\u3164\uffa0')
_GUARD = "'"


def guarded(text: str) -> str:
    """`text` with an apostrophe in front, and at each further place where it would begin a formula."""
    if _PLAIN.fullmatch(text) or not _needs_guard(text):
        return text
    first, *others = _CELL_ENDS.split(text)
    return _GUARD + first + "".join(f"{_GUARD}{part}" if _begins(part) else part for part in others)


def unguarded(text: str) -> str:
    """The text of which `guarded` made this one."""
    if not text.startswith(_GUARD) or not _needs_guard(text):
        return text
    first, *others = _CELL_ENDS.split(text[1:])
    return first + "".join(part[1:] if part[:1] == _GUARD and _begins(part) else part for part in others)


def _needs_guard(text: str) -> bool:
    return text.lstrip(_GUARD).startswith(("\t", "\r", "\n")) or any(map(_begins, _CELL_ENDS.split(text)))


def _begins(part: str) -> bool:
    """Whether it would begin a formula; with apostrophes in front too, or the guard would not be known."""
    return _calculates(part.lstrip(_GUARD))


def _calculates(part: str) -> bool:
    """Whether the first character that is seen, in its plain form, begins a formula."""
    for character in part:
        if unicodedata.category(character)[0] not in "CMZ" and character not in _BLANK:
            return unicodedata.normalize("NFKC", character)[0] in _FORMULA
    return False
