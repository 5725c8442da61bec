"""camt.053 of ISO 20022, and camt.052 and camt.054, which have the same entries.

Read by defusedxml as it comes, entry by entry: the packages for camt hold the whole document at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from transactions.importing.forms.bank import StatementEntry, rows_of
from transactions.importing.forms.numbers import number_of
from transactions.importing.forms.source import Metered, Source
from transactions.importing.table import FileError, Moment, Row, Table

_STATEMENTS = {"Stmt": "camt.053", "Rpt": "camt.052", "Ntfctn": "camt.054"}
# Deeper than any message, and before Python's own bound.
_DEPTH_MAX = 60
_NO_REFERENCE = "NOTPROVIDED"


def read(source: Source) -> Table:
    """The entries of a statement; of one that is booked as a sum, its single transactions. Raises FileError.

    All of it is read at once, so that one that is cut off is refused.
    """
    form = ""
    with _opened(source) as found:
        for form, _ in found:  # noqa: B007
            pass
    if not form:
        raise FileError(f"{source.name}: a camt message without an entry")

    def rows() -> Iterator[Row]:
        with _opened(source) as found:
            yield from rows_of(entry for _, entry in found)

    return Table(", ".join((form, *source.packed)), StatementEntry._fields, rows)


@contextmanager
def _opened(source: Source) -> Iterator[Iterator[tuple[str, StatementEntry]]]:
    with source.open() as file:
        try:
            yield _entries(file, source.name)
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            kind = type(error).__name__
            raise FileError(f"{source.name}: the statement's XML is cut off or damaged ({kind})") from None


def _entries(file: Any, name: str) -> Iterator[tuple[str, StatementEntry]]:
    """The form's name and each entry; what was read is let go of."""
    path: list[Element] = []
    account, number = "", 0
    metered = Metered(file, name)
    for event, element in iterparse(metered, ("start", "end")):
        if event == "start":
            path.append(element)
            if len(path) > _DEPTH_MAX:
                raise FileError(f"{name}: XML that is nested {_DEPTH_MAX} deep is no camt statement")
            continue
        path.pop()
        tag, parent = _local(element), path[-1] if path else None
        if parent is None or _local(parent) not in _STATEMENTS:
            if parent is not None and not any(_local(each) in _STATEMENTS for each in path):
                parent.remove(element)
                metered.let_go()
            continue
        if tag == "Acct":
            account = _text(element, "Id/IBAN") or _text(element, "Id/Othr/Id")
        elif tag == "Ntry":
            number += 1
            for entry in _of_entry(element, account, f"{name}: entry {number}"):
                yield _STATEMENTS[_local(parent)], entry
        parent.remove(element)
        metered.let_go()


def _local(element: Element) -> str:
    """A tag without its namespace: each release of the messages has one of its own."""
    return str(element.tag).rpartition("}")[2]


def _find(element: Element, path: str) -> Element | None:
    return element.find("/".join("{*}" + part for part in path.split("/")))


def _text(element: Element, *paths: str) -> str:
    """The text of the first path that has one."""
    for path in paths:
        found = _find(element, path)
        text = " ".join((found.text or "").split()) if found is not None else ""
        if text and text != _NO_REFERENCE:
            return text
    return ""


def _of_entry(element: Element, account: str, place: str) -> Iterator[StatementEntry]:
    amount, currency = _amount(_find(element, "Amt"), place)
    sign = _sign(element, place)
    shared = {
        "created_at": Moment(_text(element, "BookgDt/DtTm", "BookgDt/Dt", "ValDt/DtTm", "ValDt/Dt")),
        # Later releases have a code in it.
        "status": _text(element, "Sts/Cd", "Sts"),
        "account": account,
    }
    own = _text(element, "AcctSvcrRef", "NtryRef")
    details = element.findall("{*}NtryDtls/{*}TxDtls")
    parts = _parts(details, amount, currency, sign, place)
    ids = [own or _text(parts[0][0], "Refs/AcctSvcrRef")] if len(parts) == 1 else _ids(details, own)
    for one, (detail, part) in zip(ids, parts, strict=True):
        yield StatementEntry(
            id=one,
            amount=number_of(part) or part,
            currency=currency,
            **shared,
            **_other_side(detail, debit=part.startswith("-")),
            reference=_text(detail, "Refs/EndToEndId", "Refs/TxId", "Refs/InstrId"),
            text=_purpose(detail) or _text(element, "AddtlNtryInf"),
        )


def _amount(element: Element | None, place: str) -> tuple[str, str]:
    text = (element.text or "").strip() if element is not None else ""
    try:
        sound = Decimal(text).is_finite() and text.isascii() and number_of(text) is not None
    except InvalidOperation:
        sound = False
    if element is None or not sound or text.startswith("-"):
        raise FileError(f"{place}: Amt is {text[:30]!r}; digits with a point are expected")
    return text, element.get("Ccy", "")


def _sign(element: Element, place: str) -> str:
    """Which way the money goes. A reversal says so itself: a credit that takes a debit back is a credit."""
    indicator = _text(element, "CdtDbtInd")
    if indicator not in ("CRDT", "DBIT"):
        raise FileError(f"{place}: CdtDbtInd is {indicator[:30]!r}; CRDT or DBIT is expected")
    return "-" if indicator == "DBIT" else ""


def _parts(
    details: list[Element], amount: str, currency: str, sign: str, place: str
) -> list[tuple[Element, str]]:
    """The single transactions with signed amounts, if these make that of the entry; else the entry as one."""
    found = []
    for detail in details:
        given = _find(detail, "Amt")
        given = given if given is not None else _find(detail, "AmtDtls/TxAmt/Amt")
        if given is None or given.get("Ccy", "") != currency:
            break
        own = _sign(detail, place) if _find(detail, "CdtDbtInd") is not None else sign
        found.append((detail, own + _amount(given, place)[0]))
    total = sum((Decimal(part) for _, part in found), Decimal())
    if len(details) > 1 and len(found) == len(details) and total == Decimal(sign + amount):
        return found
    return [(details[0] if len(details) == 1 else Element("none"), sign + amount)]


def _ids(details: list[Element], own: str) -> list[str]:
    """Of each single transaction the bank's reference, if it has one of its own; else made of the entry's."""
    references = [_text(detail, "Refs/AcctSvcrRef") for detail in details]
    if all(references) and len(set(references)) == len(references):
        return references
    return [own and f"{own}-{number}" for number in range(1, len(details) + 1)]


def _other_side(detail: Element, debit: bool) -> dict[str, str]:
    side = "Cdtr" if debit else "Dbtr"
    account = f"RltdPties/{side}Acct/Id"
    return {
        # Later releases have a party in it.
        "counterparty": _text(detail, f"RltdPties/{side}/Nm", f"RltdPties/{side}/Pty/Nm"),
        "counterparty_account": _text(detail, f"{account}/IBAN", f"{account}/Othr/Id"),
    }


def _purpose(detail: Element) -> str:
    lines = [" ".join((each.text or "").split()) for each in detail.findall("{*}RmtInf/{*}Ustrd")]
    structured = _text(detail, "RmtInf/Strd/CdtrRefInf/Ref")
    return " ".join(filter(None, (*lines, structured))) or _text(detail, "AddtlTxInf")
