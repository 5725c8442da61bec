"""Money as people read and write it: 1,234.56 with its currency, in the way of their locale.

Amounts are whole numbers of the smallest unit everywhere else, in the API and in what is stored. A deployment
has one currency, settings.CURRENCY, with as many decimals as ISO 4217 gives it: JPY 0, EUR 2, BHD 3. (CLDR
has others for a few, as for IQD: it tells how cash is counted.) Without one, amounts are plain numbers of the
smallest unit.

A locale is active as a timezone is: of a page its viewer's, else DEFAULT_LOCALE, as for the API's sentences,
for messages, for commands, and for what is kept and read by many.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from decimal import Decimal, localcontext
from functools import cache, lru_cache

from babel import Locale, negotiate_locale
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
)
from django.conf import settings
from django.utils.translation.trans_real import parse_accept_lang_header
from iso4217 import Currency

from .models import AMOUNT_MAX

# Every locale in which money is shown; of another one the language's, else the next that a browser names. All
# are written from left to right with the digits 0 to 9, as the rest of a page is, and known to every browser,
# whose scripts write amounts alike. Each that was ever asked for takes a third of a megabyte of the process,
# so the list has an end.
LOCALES = re.findall(
    r"\S+",
    """
    en en-AU en-CA en-GB en-IE en-IN en-NZ en-ZA bg ca cs da de de-AT de-CH el es es-419 es-AR es-CL
    es-CO es-MX es-US et fi fr fr-BE fr-CA hi hr hu id it it-CH ja ko lt lv ms nb nl nl-BE no pl
    pt pt-PT ro ru sk sl sr sv sw th tr uk vi zh
    """,
)
DEFAULT_LOCALE = Locale("en")

# Spaces that group digits in some locales, and the one that people type; likewise apostrophes.
NO_BREAK = "\xa0"
SPACES, APOSTROPHES = " \xa0\u2009\u202f", "'’"
# As many of an Accept-Language header Django looks at; what is longer it cuts at a comma before.
HEADER_CHARACTERS_MAX = 500
# More than any amount has, grouped and with its currency.
CHARACTERS_MAX = 60
# Less than that is not shortened, in units of the currency.
ABOUT_FROM = 1000
# What looks like a group of them, where it is read as decimals.
GROUP_DIGITS = 3
# Enough for the sum of all amounts that there may be.
DIGITS_MAX = 60

_locale: ContextVar[Locale] = ContextVar("locale", default=DEFAULT_LOCALE)


class NotMoneyError(ValueError):
    """A text that is no amount; its message is for who typed it, and says what would be right."""


# --- The currency -----------------------------------------------------------------------------


def code() -> str | None:
    """The deployment's currency, as EUR; None where amounts are plain numbers."""
    return settings.CURRENCY or None


def decimals() -> int | None:
    """How many decimals it has: its unit is 10 to this power of the smallest. None without a currency."""
    return _decimals(settings.CURRENCY) if settings.CURRENCY else None


def unit() -> str:
    """What stands at a column of amounts: the currency, else that they are in the smallest unit."""
    return code() or "smallest unit"


def unit_note() -> str:
    """What follows an amount, or its name, that is shown without a currency; "" where there is one."""
    return "" if code() else " (smallest unit)"


@cache
def _decimals(currency: str) -> int:
    exponent = Currency(currency).exponent
    assert exponent is not None, "settings.py lets no currency through that has no smallest unit"
    return exponent


# --- The locale -------------------------------------------------------------------------------


def locale_for(accept_language: str) -> Locale:
    """The first of LOCALES that an Accept-Language header names, by its weights; else DEFAULT_LOCALE.

    A header that is none names nothing; what comes after 500 characters is not looked at.
    """
    return _negotiated(accept_language[: HEADER_CHARACTERS_MAX + 1])


@lru_cache(maxsize=256)
def _negotiated(accept_language: str) -> Locale:
    asked = parse_accept_lang_header(accept_language)
    found = negotiate_locale([name for name, _ in asked], LOCALES, sep="-")
    return Locale.parse(found, sep="-") if found else DEFAULT_LOCALE


def active_locale() -> Locale:
    """The one in which money is shown here."""
    return _locale.get()


def tag(locale: Locale) -> str:
    """A locale's name for browsers, as de-CH."""
    return str(locale).replace("_", "-")


@contextmanager
def in_locale(locale: Locale) -> Iterator[None]:
    """Within, money is shown in this locale, and sentences that tell of it too."""
    before = _locale.set(locale)
    try:
        yield
    finally:
        _locale.reset(before)


# --- Shown ------------------------------------------------------------------------------------


def text(smallest: int | Decimal, locale: Locale | str | None = None) -> str:
    """An amount of the smallest unit for people: 123456 is €1,234.56 in en, 1.234,56 € in de.

    Without a currency 123,456 in every locale, as other numbers are. Parts of the smallest unit, as an
    average has, are rounded away; without a currency two decimals of them stay.
    """
    locale = _named(locale)
    currency, places = code(), decimals()
    with localcontext(prec=DIGITS_MAX):
        if currency is None or places is None:
            return f"{Decimal(round(Decimal(smallest), 2)).normalize():,f}"
        pattern = copy(locale.currency_formats["standard"])
        pattern.frac_prec = (places, places)
        # Babel takes two apostrophes within a number for quotes, and drops them.
        by_hand = get_group_symbol(locale) in APOSTROPHES
        shown = format_currency(
            Decimal(smallest).scaleb(-places),
            currency,
            format=pattern,
            locale=locale,
            currency_digits=False,
            group_separator=not by_hand,
        )
    # As CLDR says, and browsers do: BHD 1.234, but €1.23.
    shown = re.sub(r"(?<=[^\W\d_])(?=\d)", NO_BREAK, shown)
    return _grouped(shown, get_group_symbol(locale)) if by_hand else shown


def about(smallest: int, locale: Locale | str | None = None) -> str:
    """About so much, as short as people say it: 1280000000 is €12.8M in en, in de 12,8 Mio. €.

    Three digits of it, as more would say that it was counted; none of them parts of a unit from a thousand
    on. In locales that have no word for thousands, or for so many, the number is as long as it is.
    """
    locale = _named(locale)
    currency, places = code(), decimals() or 0
    with localcontext(prec=DIGITS_MAX):
        value = Decimal(smallest).scaleb(-places)
        if abs(value) < ABOUT_FROM:
            return text(smallest, locale)
        value = Decimal(round(int(value), 3 - len(str(abs(int(value))))))
        for fraction in (2, 1, 0):
            if currency is None:
                shown = format_compact_decimal(value, locale=locale, fraction_digits=fraction)
            else:
                shown = format_compact_currency(value, currency, locale=locale, fraction_digits=fraction)
            if sum(sign.isdigit() for sign in shown) <= 3:
                break
    return _grouped(shown, get_group_symbol(locale))


def _grouped(shown: str, mark: str) -> str:
    """A number as it is shown, the digits before its decimals grouped by three."""
    return re.sub(r"\d+", lambda whole: f"{int(whole[0]):,}".replace(",", mark), shown, count=1)


def plain(smallest: int | Decimal) -> str:
    """An amount for files that programs read: 1234.56, with all decimals of the currency and nothing else.

    Without a currency as it is. Parts of the smallest unit are rounded away.
    """
    places = decimals()
    with localcontext(prec=DIGITS_MAX):
        if places is None:
            return f"{Decimal(smallest):f}"
        return f"{Decimal(smallest).scaleb(-places):.{places}f}"


def typed(smallest: int | Decimal, locale: Locale | str | None = None) -> str:
    """An amount as a form shows it, which `parse` takes: 1234.56 in en, 1234,56 in de."""
    return plain(smallest).replace(".", get_decimal_symbol(_named(locale)))


# --- Typed ------------------------------------------------------------------------------------


def parse(text: str, locale: Locale | str | None = None) -> int:
    """The amount that somebody typed in their locale, in the smallest unit: "10.50" is 1050 in en, of EUR.

    Digits may be grouped as the locale does, and the currency may stand beside them, as it is shown. Raises
    NotMoneyError for what is no such amount.
    """
    locale = _named(locale)
    number = _in_symbols_of(_without_currency(text.strip()[: CHARACTERS_MAX + 1], locale), locale)
    whole, _, fraction = number.partition(get_decimal_symbol(locale))
    places = decimals() or 0
    if not _grouping(locale).fullmatch(whole) or not re.fullmatch(r"[0-9]*", fraction):
        raise NotMoneyError(_wrongly_grouped(number, locale))
    # Also where they are noughts: to somebody of another locale 1.000 is a thousand.
    if len(fraction.rstrip("0")) > places or len(fraction) == GROUP_DIGITS > places:
        raise NotMoneyError(_too_exact(places, locale))
    smallest = int(re.sub(r"\D", "", whole) + fraction[:places].ljust(places, "0") or "0")
    if smallest > AMOUNT_MAX:
        raise NotMoneyError(f"An amount is at most {typed(AMOUNT_MAX, locale)}.")
    return smallest


def example(locale: Locale | str | None = None) -> str:
    """An amount as it is typed in a locale: 10.50, or 1050 where there are no decimals."""
    places = decimals()
    return typed(105 * 10 ** (places - 1) if places else 1050, locale)


def _named(locale: Locale | str | None) -> Locale:
    if code() is None:
        # As all other numbers are written.
        return DEFAULT_LOCALE
    if locale is None:
        return active_locale()
    return locale if isinstance(locale, Locale) else Locale.parse(locale, sep="-" if "-" in locale else "_")


def _without_currency(text: str, locale: Locale) -> str:
    currency = code()
    for name in (currency, get_currency_symbol(currency, locale)) if currency else ():
        text = text.removeprefix(name).removesuffix(name).strip(SPACES)
    return text


def _in_symbols_of(number: str, locale: Locale) -> str:
    """The text with its digits grouped by the locale's own mark; NotMoneyError for what is no number."""
    group, point = get_group_symbol(locale), get_decimal_symbol(locale)
    if re.fullmatch(r"[-−–].*[0-9].*", number):
        raise NotMoneyError(f"An amount is not negative. Write it without a sign, as in {example(locale)}.")
    if len(number) > CHARACTERS_MAX or not re.fullmatch(rf"[0-9.,{SPACES}{APOSTROPHES}]*[0-9]", number):
        raise NotMoneyError(f"This is no amount. Write digits, as in {example(locale)}.")
    for marks in (SPACES, APOSTROPHES):
        if group in marks:
            number = re.sub(f"[{marks}]", group, number)
    if strange := re.search(rf"[^0-9{re.escape(group + point)}]", number):
        raise NotMoneyError(
            f"{_mark(strange[0])} stands in no amount of your locale, {tag(locale)}. Write {example(locale)}."
        )
    return number


@cache
def _grouping(locale: Locale) -> re.Pattern[str]:
    """Digits before the decimals, by threes, as the locale groups, or ungrouped; also none, as in .50."""
    mark, pattern = re.escape(get_group_symbol(locale)), locale.decimal_formats[None]
    last, others = pattern.grouping
    sizes = {(3, 3), (last, others)}
    grouped = (rf"[0-9]{{1,{more}}}(?:{mark}[0-9]{{{more}}})*{mark}[0-9]{{{first}}}" for first, more in sizes)
    return re.compile("|".join(("[0-9]*", *grouped)))


def _wrongly_grouped(number: str, locale: Locale) -> str:
    """What is said of a number whose marks stand where the locale has none, as of 10,50 in en."""
    group, point = get_group_symbol(locale), get_decimal_symbol(locale)
    if group in number:
        decimal = f", and “{point}” begins the decimals" if decimals() else ""
        return (
            f"{_mark(group)} groups digits in your locale, {tag(locale)}{decimal}. Write {example(locale)}."
        )
    return f"This is no amount. Write digits, as in {example(locale)}."


def _mark(mark: str) -> str:
    return {",": "A comma", ".": "A point"}.get(mark, "A space" if mark in SPACES else "An apostrophe")


def _too_exact(places: int, locale: Locale) -> str:
    if code() is None:
        return f"An amount is in the smallest unit, a whole number. Write it as in {example(locale)}."
    many = {0: "no decimals", 1: "1 decimal"}.get(places, f"{places} decimals")
    return f"{code()} has {many}. Write {example(locale)}."
