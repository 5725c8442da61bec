"""Numbers as their digits: what a file holds as a number, without an exponent."""

from decimal import Decimal, InvalidOperation

from transactions.importing.table import Number

# An amount has 19 digits; what has more than these is none, and would only fill the memory.
DIGITS_MAX = 60


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


def number_of_float(value: float) -> Number:
    """A float as a spreadsheet shows it: 15 digits that count, so that 0.1 + 0.2 is 0.3."""
    text = format(Decimal(f"{value:.15g}"), "f")
    return Number("0" if text == "-0" else text)
