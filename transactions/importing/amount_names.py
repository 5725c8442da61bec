"""What the name of a column of amounts says of them: their currency, and that they are thousands of it."""

import re
import unicodedata

from .currencies import CODES, codes_of

# In small letters others are words too, as all, top and try.
_KNOWN_TEXT = """
    AED ARS AUD BGN BRL CAD CHF CLP CNY CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW KWD MXN MYR NOK NZD
    PHP PLN RON RUB SAR SEK SGD THB TWD UAH USD VND ZAR
"""
_KNOWN = frozenset(_KNOWN_TEXT.split())
_CALLED = {
    "euro": "€", "euros": "€", "dollar": "$", "dollars": "$", "pound": "£", "pounds": "£", "sterling": "GBP",
    "pfund": "£", "yen": "JPY", "yuan": "CNY", "renminbi": "CNY", "rupee": "₨", "rupees": "₨",
    "franken": "CHF", "francs": "fr", "zloty": "PLN",
    "kronor": "SEK", "kroner": "kr", "kronen": "kr", "rubel": "RUB",
}  # fmt: skip
_LETTERS = ("kr", "zł", "kč")
_SCALES_TEXT = """
    mio mill million millions millionen mln mn mrd milliarden billion billions bn tsd thousand thousands
    tausend 000 000s
"""
_SCALES = frozenset(_SCALES_TEXT.split())
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+s?", re.ASCII)
_IN_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")
# Thousands and millions, before a code or a sign.
_TIMES = "TKM"


def said_in(column: str) -> list[str]:
    """Codes and signs of currencies that a name has, each once: "Amount (USD)", "Betrag €", usd_amount."""
    found = [_sign(column, place) for place, each in enumerate(column) if unicodedata.category(each) == "Sc"]
    found += [code.upper() for code in map(str.strip, _IN_BRACKETS.findall(column)) if codes_of(code)]
    found += [token.upper() for token in column.split() if token.casefold() in _LETTERS]
    parts = _WORD.findall(column)
    for place, word in enumerate(parts):
        last = place == len(parts) - 1 and (word.isupper() or column.endswith(f"_{word}"))
        beside_small = word.isupper() and not column.isupper()
        code = _code(word)
        if code and (last or beside_small or code in _KNOWN):
            found.append(code)
        elif word.lower() in _CALLED:
            found.append(_CALLED[word.lower()])
    return list(dict.fromkeys(found))


def _code(word: str) -> str:
    upper = word.upper()
    if upper in CODES:
        return upper
    return upper[1:] if upper[:1] in _TIMES and upper[1:] in _KNOWN else ""


def _sign(column: str, place: int) -> str:
    """The sign with the letters before it, where both together mean something: US$."""
    letters = re.findall(r"(?<![A-Za-z])[A-Z]{1,3}$", column[:place])
    whole = "".join(letters) + column[place]
    return whole if codes_of(whole) else column[place]


def codes_in(column: str) -> frozenset[str]:
    """The currencies that a name may mean; none where it says none."""
    meant = [codes for said in said_in(column) if (codes := codes_of(said))]
    both = frozenset.intersection(*meant) if meant else frozenset[str]()
    return both or frozenset[str]().union(*meant)


def is_scaled(column: str) -> bool:
    """Whether a name says that amounts are thousands or millions: TEUR, k€, (Mio), in thousands."""
    bracketed = {each.strip().upper() for each in _IN_BRACKETS.findall(column)}
    parts = _WORD.findall(column)
    scaled = any(
        word.lower() in _SCALES or (word.upper() not in CODES and _code(word)) for word in parts
    ) or bool(bracketed & {*_TIMES})
    return scaled or bool(re.search(r"(?<![A-Za-z])[TtKkMm] ?[€$£¥₹]", column))
