"""OFX of banks and cards, of both kinds: SGML (1.x), where a field need not be closed, and XML (2.x).

Read here, tag by tag: of the packages for it one is under the GPL, and the others are no longer looked after.
Nothing is expanded but characters, so that there are no entities to be afraid of.
"""

import html
import re
from collections.abc import Iterator

from transactions.importing.forms.bank import STATEMENT_MAX, StatementEntry, rows_of
from transactions.importing.forms.charset import charset_of
from transactions.importing.forms.source import Source
from transactions.importing.table import FileError, Moment, Table

_TAG = re.compile(r"<(/?)([A-Za-z0-9_.]+)\s*(/?)>([^<]*)")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_STATEMENTS = ("STMTRS", "CCSTMTRS")
# What has fields that are read. They always have an end, so one that is not closed is a fault of the file.
_HOLDERS = {
    *_STATEMENTS, "OFX", "BANKTRANLIST", "STMTTRN", "BANKACCTFROM", "CCACCTFROM",
    "PAYEE", "BANKACCTTO", "CCACCTTO", "CURRENCY", "ORIGCURRENCY", "LEDGERBAL", "AVAILBAL",
}  # fmt: skip
_DEPTH_MAX = 60
_ACCOUNTS = ("BANKACCTFROM/ACCTID", "CCACCTFROM/ACCTID")
_MOMENT = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(?:\.(\d{1,6}))?)?"
    r"\s*(?:\[([+-]?\d{1,2}(?:\.\d{1,2})?)(?::[^\]]*)?\])?"
)


def read(source: Source) -> Table:
    """The transactions of an OFX file, which is held at once: at most 32 MiB. Raises FileError."""
    for _ in _entries(source):
        pass
    return Table(
        ", ".join(("OFX", *source.packed)), StatementEntry._fields, lambda: rows_of(_entries(source))
    )


def _entries(source: Source) -> Iterator[StatementEntry]:
    number = 0
    fields: dict[str, str] = {}
    for holder, tag, text in _fields(_body(source), source.name):
        if tag and (holder in _STATEMENTS or f"{holder}/{tag}" in _ACCOUNTS):
            # They come before the transactions that they are about.
            fields[tag] = text
        elif tag:
            fields.setdefault(f"{holder}/{tag}", text)
        elif holder == "STMTTRN":
            number += 1
            yield _entry(fields, f"{source.name}: entry {number}")
            fields = {name: value for name, value in fields.items() if "/" not in name}
        elif holder in _STATEMENTS:
            fields = {}
    if not number:
        raise FileError(f"{source.name}: an OFX file without a transaction of an account or a card")


def _body(source: Source) -> str:
    """The text from <OFX> on. Its encoding is proved by its bytes, since headers often say another one."""
    charset = charset_of(source, None)
    try:
        text = source.whole(STATEMENT_MAX, "an OFX file").decode(charset.codec)
    except UnicodeError:
        raise FileError(f"{source.name}: is not {charset.words} any more") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FileError(f"{source.name}: OFX has no document type, and this file states one")
    text = _CDATA.sub(lambda found: html.escape(found[1]), text)
    at = text.upper().find("<OFX>")
    return text[at:].rstrip("\0 \t\r\n\x1a")


def _fields(text: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Each field as (what holds it, its tag, its text), and each end of a holder as (holder, "", "").

    Raises FileError where the tags do not match, or the file is cut off.
    """
    path: list[str] = []
    position, leaf = 0, ""
    for match in _TAG.finditer(text):
        if match.start() != position or (position and not path):
            raise FileError(f"{name}: the OFX file is damaged at character {position}")
        position = match.end()
        end, tag, alone, content = match[1], match[2].upper(), match[3], " ".join(match[4].split())
        if end and tag != leaf:
            if content or not _close(path, tag):
                raise FileError(
                    f"{name}: the OFX file is damaged: </{tag[:30]}> ends what does not begin before it"
                )
            if tag in _HOLDERS:
                yield tag, "", ""
        elif not end and content:
            yield next((each for each in reversed(path) if each in _HOLDERS), ""), tag, html.unescape(content)
        elif not end and not alone:
            if tag == "STMTTRN" and tag in path:
                raise FileError(f"{name}: the OFX file is damaged: a transaction begins within another one")
            path.append(tag)
            if len(path) > _DEPTH_MAX:
                raise FileError(f"{name}: tags that are nested {_DEPTH_MAX} deep are no OFX statement")
        leaf = tag if not end and content else ""
    if path or position != len(text):
        raise FileError(f"{name}: the OFX file is cut off; it ends before </OFX>")


def _close(path: list[str], tag: str) -> bool:
    """Ends the innermost `tag`, and empty fields in it that were not closed; whether there is such a tag."""
    while path:
        closed = path.pop()
        if closed == tag:
            return True
        if closed in _HOLDERS:
            return False
    return False


def _entry(fields: dict[str, str], place: str) -> StatementEntry:
    def first(*names: str) -> str:
        return next((fields[name] for name in names if name in fields), "")

    return StatementEntry(
        id=first("STMTTRN/FITID"),
        created_at=_moment(first("STMTTRN/DTPOSTED"), place),
        amount=_amount(first("STMTTRN/TRNAMT"), place),
        # CURRENCY tells in which one the amount is, ORIGCURRENCY from which it was converted.
        currency=first("CURRENCY/CURSYM", "CURDEF"),
        status="",
        account=first("ACCTID"),
        counterparty=first("STMTTRN/NAME", "PAYEE/NAME"),
        counterparty_account=first("BANKACCTTO/ACCTID", "CCACCTTO/ACCTID"),
        reference=first("STMTTRN/REFNUM", "STMTTRN/CHECKNUM"),
        text=first("STMTTRN/MEMO"),
    )


def _amount(text: str, place: str) -> str:
    """As it stands. By the standard point and comma are decimal marks both, and banks separate thousands too.

    So which it is, the whole column has to prove.
    """
    found = re.fullmatch(r"([+-]?[0-9.,]*[0-9])[.,]?", text)
    if not found:
        raise FileError(f"{place}: TRNAMT is {text[:30]!r}; digits with a point or a comma are expected")
    return found[1]


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
