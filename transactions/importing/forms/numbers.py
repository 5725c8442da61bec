"""Numbers as their digits: what a file holds as a number, without an exponent."""

from decimal import Decimal, InvalidOperation

from transactions.importing.table import Number

# An amount has 19 digits; what has more than these is none, and would only fill the memory.
DIGITS_MAX = 60
# From here on a number has more digits than a spreadsheet keeps.
WHOLE_MAX = 10**15
# What reckoning with floats adds to a number; a digit that somebody wrote is more.
NOISE_MAX = Decimal("0.001")


def number_of(text: str) -> Number | None:
    """A number by its text, as 1.50 or -1.2e3, with its own digits; None for one of more than 60 places."""
    if "e" in text or "E" in text:
        try:
            value = Decimal(text)
        except InvalidOperation:
            # Its exponent has more digits than Decimal takes.
            return None
        if abs(value.adjusted()) > DIGITS_MAX or len(text) > DIGITS_MAX:
            return None
        text = format(value, "f")
    return Number(text) if len(text) <= DIGITS_MAX + 2 else None


def number_of_spreadsheet(value: float) -> Number | None:
    """A number as a spreadsheet shows it: 15 digits that count, so that 0.1 + 0.2 is 0.3.

    None for one that had more of them: the program has written noughts for the rest, or they would be rounded
    here. Whole numbers that end otherwise were written by another program, with all their digits.
    """
    shown = Decimal(f"{value:.15g}")
    if isinstance(value, int):
        cut = abs(value) >= WHOLE_MAX and shown == value
        return None if cut else number_of(str(value))
    if abs(value) >= WHOLE_MAX or abs(shown - Decimal(value)) > NOISE_MAX:
        return None
    return Number("0" if not shown else format(shown, "f"))
