"""Texts that no spreadsheet runs: how a file of ours guards them, and how they are read again."""

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


def guarded(text: str) -> str:
    """`text` with an apostrophe in front, and at each further place where it would begin a formula.

    So has one that looks as if it had been guarded: `unguarded` is the exact way back.
    """
    if _PLAIN.fullmatch(text):
        return text
    first, *others = _CELL_ENDS.split(text)
    others = [f"'{part}" if _calculates(part) else part for part in others]
    whole = first + "".join(others)
    if whole != text or _calculates(first) or text.lstrip("'").startswith(("\t", "\r", "\n")):
        return f"'{whole}"
    return text


def unguarded(text: str) -> str:
    """The text that `guarded` has made this of; any other as it is."""
    if not text.startswith("'"):
        return text
    first, *others = _CELL_ENDS.split(text[1:])
    others = [part[1:] if part.startswith("'") and _calculates(part) else part for part in others]
    found = first + "".join(others)
    return found if guarded(found) == text else text


def _calculates(part: str) -> bool:
    """Whether the first character that is seen, in its plain form, begins a formula, be it a guarded one."""
    for character in part.lstrip("'"):
        if unicodedata.category(character)[0] not in "CMZ" and character not in _BLANK:
            return unicodedata.normalize("NFKC", character)[0] in _FORMULA
    return False
