"""OFX of banks and cards, of both kinds: SGML (1.x) and XML (2.x)."""

import html
import re
from collections.abc import Iterator
from io import BytesIO
from xml.etree.ElementTree import Element

from ofxtools.header import OFXHeaderError
from ofxtools.Parser import OFXTree, ParseError

from transactions.importing.forms.bank import STATEMENT_MAX, Entry, rows_of, silence
from transactions.importing.forms.numbers import number_of
from transactions.importing.forms.source import Source
from transactions.importing.table import FileError, Moment, Row, Table

_STATEMENTS = ("STMTRS", "CCSTMTRS")
# An element of SGML that is empty and not closed: the library takes what follows for its content.
_EMPTY = re.compile(
    rb"<(NAME|MEMO|CHECKNUM|REFNUM|SIC|PAYEEID|EXTDNAME|CURDEF|ACCTID|BANKID|BRANCHID)>\s*(?=<(?!/\1>))"
)
_MOMENT = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(?:\.(\d{1,6}))?)?\s*(?:\[([+-]?\d{1,2}(?:\.\d{1,2})?)(?::[^\]]*)?\])?"
)


def read(source: Source) -> Table:
    """The transactions of an OFX file, which is held at once: at most 32 MiB. Raises FileError."""
    form = "OFX"
    list(_entries(source))

    def rows() -> Iterator[Row]:
        yield from rows_of(_entries(source))

    return Table(", ".join((form, *source.packed)), Entry._fields, rows)


def _entries(source: Source) -> Iterator[Entry]:
    root = _tree(source)
    found = [each for each in root.iter() if each.tag in _STATEMENTS]
    number = 0
    for statement in found:
        account = _text(statement, "BANKACCTFROM/ACCTID") or _text(statement, "CCACCTFROM/ACCTID")
        for each in statement.iter("STMTTRN"):
            number += 1
            yield _entry(each, account, _text(statement, "CURDEF"), f"{source.name}: entry {number}")
    if not number:
        raise FileError(f"{source.name}: an OFX file without a transaction of an account or a card")


def _tree(source: Source) -> Element:
    """The file as a tree. The library takes one that is cut off for whole, so that is looked at here."""
    whole = source.whole(STATEMENT_MAX, "an OFX file")
    silence("ofxtools")
    if not whole.rstrip(b"\0 \t\r\n\x1a").endswith(b"</OFX>"):
        raise FileError(f"{source.name}: the OFX file is cut off; it ends before </OFX>")
    try:
        root = OFXTree().parse(BytesIO(_EMPTY.sub(b"", whole)))
    except (
        ParseError,
        OFXHeaderError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        AssertionError,
    ) as error:
        kind = type(error).__name__
        raise FileError(f"{source.name}: the OFX file is damaged ({kind})") from None
    if root is None or whole.count(b"<STMTTRN>") != whole.count(b"</STMTTRN>"):
        raise FileError(f"{source.name}: the OFX file is damaged: a transaction has no end")
    for each in root.iter("STMTTRN"):
        if each.find(".//STMTTRN") is not None:
            raise FileError(f"{source.name}: the OFX file is damaged: a transaction is in another one")
    return root


def _text(element: Element, path: str) -> str:
    found = element.find(path)
    return " ".join(html.unescape(found.text or "").split()) if found is not None else ""


def _entry(element: Element, account: str, currency: str, place: str) -> Entry:
    return Entry(
        id=_text(element, "FITID"),
        created_at=_moment(_text(element, "DTPOSTED"), place),
        amount=_amount(_text(element, "TRNAMT"), place),
        # CURRENCY tells in which one the amount is, ORIGCURRENCY from which it was converted.
        currency=_text(element, "CURRENCY/CURSYM") or currency,
        status="",
        account=account,
        counterparty=_text(element, "NAME") or _text(element, "PAYEE/NAME"),
        counterparty_account=_text(element, "BANKACCTTO/ACCTID") or _text(element, "CCACCTTO/ACCTID"),
        reference=_text(element, "REFNUM") or _text(element, "CHECKNUM"),
        text=_text(element, "MEMO"),
    )


def _amount(text: str, place: str) -> str:
    """By the standard a decimal point or a decimal comma, and nothing between thousands."""
    plain = text.replace(",", ".").removeprefix("+")
    if not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", plain, re.ASCII):
        raise FileError(f"{place}: TRNAMT is {text[:30]!r}; digits with a point or a comma are expected")
    return number_of(plain) or plain


def _moment(text: str, place: str) -> Moment:
    found = _MOMENT.fullmatch(text)
    if not found or not text.isascii():
        raise FileError(f"{place}: DTPOSTED is {text[:30]!r}; YYYYMMDDHHMMSS is expected")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    if hour is None:
        return Moment(f"{year}-{month}-{day}")
    clock = f"{hour}:{minute}:{second or '00'}" + (f".{fraction}" if fraction and int(fraction) else "")
    return Moment(f"{year}-{month}-{day}T{clock}{_offset(zone)}")


def _offset(hours: str | None) -> str:
    """As +05:30 of hours like 5.5, or of hours and minutes like 5.30; a zone of 0 is UTC."""
    if hours is None:
        return ""
    whole, _, part = hours.lstrip("+-").partition(".")
    minutes = {"": 0, "5": 30, "50": 30, "25": 15, "75": 45}.get(part, int(part or 0))
    return f"{'-' if hours.startswith('-') else '+'}{int(whole):02}:{minutes:02}"
