"""What a sign beside an amount may mean: of most several currencies, as the dollar's."""

import unicodedata
from functools import cache

from iso4217 import Currency

CODES = frozenset(each.code for each in Currency)

# Characters of what stands for a currency, where that is no code.
SAID_MAX = 12
_DOLLARS = """
    USD ARS AUD BBD BMD BND BRL BSD BZD CAD CLP COP CUP CVE DOP FJD GYD HKD JMD KYD LRD MOP MXN NAD NIO NZD
    SBD SGD SRD TOP TTD TWD UYU WST XCD ZWG
"""
_MEANT = {
    "$": _DOLLARS, "£": "GBP EGP FKP GIP LBP SDG SHP SSP SYP", "¥": "JPY CNY", "€": "EUR", "₹": "INR",
    "₽": "RUB", "₺": "TRY", "₩": "KRW KPW", "₪": "ILS", "₫": "VND", "₴": "UAH", "₱": "PHP", "₦": "NGN",
    "₡": "CRC", "₲": "PYG", "₸": "KZT", "₮": "MNT", "₼": "AZN", "₾": "GEL", "₵": "GHS", "₭": "LAK",
    "₨": "INR PKR LKR MUR NPR SCR", "฿": "THB", "៛": "KHR", "֏": "AMD", "৳": "BDT", "؋": "AFN",
    "KR": "SEK NOK DKK ISK", "FR": "CHF BIF CDF DJF GNF KMF RWF XAF XOF XPF",
    "ZŁ": "PLN", "KČ": "CZK", "FT": "HUF",
    # Where the letters before a sign are not the first of the code.
    "A$": "AUD", "B$": "BND BSD", "C$": "CAD NIO", "G$": "GYD", "J$": "JMD", "L$": "LRD", "N$": "NAD",
    "S$": "SGD", "NT$": "TWD", "R$": "BRL", "RD$": "DOP", "EC$": "XCD", "TT$": "TTD", "E£": "EGP",
    "RMB": "CNY",
}  # fmt: skip
# The same signs in the width of East Asian letters.
_WIDE = str.maketrans("＄￡￥￦", "$£¥₩")


def codes_of(said: str) -> frozenset[str]:
    """The codes of ISO 4217 that may be meant: none of a sign, or of letters, that nobody knows."""
    text = said.strip().upper().translate(_WIDE).removesuffix(".")
    if text in _MEANT:
        return frozenset(_MEANT[text].split())
    letters, sign = text[:-1], text[-1:]
    if not sign or unicodedata.category(sign) != "Sc":
        return CODES & {text}
    # As US$ and USD$ for the dollar of the United States.
    known = _MEANT.get(sign, "").split() if len(letters) > 1 else ()
    return frozenset(code for code in known if code.startswith(letters))


def other_name(said: str) -> str:
    """What sums of another currency are called: its code, else as much of what is said as fits."""
    codes = codes_of(said)
    return next(iter(codes)) if len(codes) == 1 else said.strip()[:SAID_MAX].upper()


@cache
def decimals_of(code: str) -> int | None:
    """How many decimals a currency has by ISO 4217; None of gold, and of what is no code."""
    if code not in CODES:
        return None
    exponent: int | None = Currency(code).exponent
    return exponent
