"""MT940: the statement of SWIFT, statement by statement."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from mt940.models import Transactions
from mt940.options import Options

from transactions.importing.forms.bank import STATEMENT_MAX, StatementEntry, rows_of, silence
from transactions.importing.forms.charset import LINE_MAX, charset_of, opened_text
from transactions.importing.forms.numbers import number_of
from transactions.importing.forms.source import Source
from transactions.importing.table import FileError, Moment, Table

_ENTRY = re.compile(r"^:61:", re.MULTILINE)
_CLOSED = re.compile(r"^:62[FM]:", re.MULTILINE)


def read(source: Source) -> Table:
    """The entries of MT940 statements. Each has to close with the balance that its entries make.

    All of it is read at once, so that one that is cut off, or not understood, is refused. Raises FileError.
    """
    charset = charset_of(source, None)

    def entries() -> Iterator[StatementEntry]:
        number = 0
        with opened_text(source, charset) as text:
            for line, statement in _statements(text, source.name):
                found = _parsed(statement, f"{source.name}: the statement of line {line}")
                number += len(found)
                yield from (_entry(each) for each in found)
        if not number:
            raise FileError(f"{source.name}: an MT940 file without an entry")

    for _ in entries():
        pass
    words = ("MT940",) if charset.codec == "utf-8-sig" else ("MT940", charset.words)
    return Table(", ".join((*words, *source.packed)), StatementEntry._fields, lambda: rows_of(entries()))


def _statements(text: Any, name: str) -> Iterator[tuple[int, str]]:
    """Each statement with the line on which it begins, without the blocks that SWIFT puts around it."""
    lines: list[str] = []
    begin = number = size = 0
    while line := text.readline(LINE_MAX):
        number += 1
        size += len(line)
        line = line.rstrip("\r\n")
        # {1:…}{2:…}{4: comes before, -} and {5:…} after; some banks end by a lone hyphen.
        line = line[line.rfind("{4:") + 3 :] if "{4:" in line else line
        if line.startswith(":20:"):
            if begin:
                yield begin, "\n".join(lines)
            lines, begin, size = [], number, len(line)
        if size > STATEMENT_MAX:
            raise FileError(f"{name}: line {number}: a statement of more than {STATEMENT_MAX >> 20} MiB")
        if begin and not line.startswith(("-}", "{", "\x03", "\x1a")) and line.strip() != "-":
            lines.append(line)
    if begin:
        yield begin, "\n".join(lines)


def _parsed(statement: str, place: str) -> list[Any]:
    """The entries that the library finds, once they are shown to be all of them."""
    silence("mt940")
    found = Transactions(options=Options.all())
    with _no_content(place):
        entries = [each for each in found.parse(statement) if "amount" in each.data]
    if not _CLOSED.search(statement):
        raise FileError(f"{place} is cut off: its closing balance (:62F:) is missing")
    if len(entries) != len(_ENTRY.findall(statement)):
        raise FileError(f"{place} has {len(_ENTRY.findall(statement))} entries, {len(entries)} can be read")
    _check_balance(found.data, entries, place)
    return entries


@contextmanager
def _no_content(place: str) -> Iterator[None]:
    """The library's errors have the line that they are about in their text."""
    try:
        yield
    except (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise FileError(
            f"{place} cannot be read: a line is not as MT940 has it ({type(error).__name__})"
        ) from None


def _check_balance(found: dict[str, Any], entries: list[Any], place: str) -> None:
    opening = found.get("final_opening_balance") or found.get("intermediate_opening_balance")
    closing = found.get("final_closing_balance") or found.get("intermediate_closing_balance")
    if not opening or not closing:
        return
    moved: Decimal = sum((each.data["amount"].amount for each in entries), Decimal())
    if opening.amount.amount + moved != closing.amount.amount:
        raise FileError(
            f"{place}: opening balance and entries do not make the closing balance; is it cut off?"
        )


def _entry(each: Any) -> StatementEntry:
    found, account = each.data, each.transactions.data
    reference = _text(found.get("end_to_end_reference") or found.get("customer_reference"))
    amount = format(found["amount"].amount, "f")
    return StatementEntry(
        id=_text(found.get("bank_reference")),
        created_at=Moment((found.get("entry_date") or found["date"]).isoformat()),
        amount=number_of(amount) or amount,
        currency=_text(found.get("currency")),
        status="",
        account=_text(account.get("account_identification")),
        counterparty=_text(found.get("applicant_name") or found.get("recipient_name")),
        counterparty_account=_text(found.get("applicant_iban")),
        reference="" if reference == "NONREF" else reference,
        text=_text(found.get("purpose") or found.get("transaction_details")),
    )


def _text(value: Any) -> str:
    return " ".join(str(value or "").split())
