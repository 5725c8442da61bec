"""What banks' statements have in common: fixed columns, whatever the form."""

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from transactions.importing.table import Row

# What a form whose library wants the whole text may have of it.
STATEMENT_MAX = 1 << 25


class StatementEntry(NamedTuple):
    """A movement of an account. Each field is a column, in this order; what the bank leaves out is "".

    `amount` has a sign: what leaves the account is negative. `status` is the bank's own word (BOOK, PDNG),
    which only camt has. `account` is that of the bank's customer, `counterparty` the other side.
    """

    id: str
    created_at: str
    amount: str
    currency: str
    status: str
    account: str
    counterparty: str
    counterparty_account: str
    reference: str
    text: str


def rows_of(entries: Iterable[StatementEntry]) -> Iterator[Row]:
    """A row for each entry, numbered from 1; a cell with a NUL is a fault, as in every form."""
    for number, entry in enumerate(entries, start=1):
        cells = entry._asdict()
        wrong = next((name for name, cell in cells.items() if "\0" in cell), "")
        yield Row(number, cells, f"column {wrong!r} holds a NUL" if wrong else "")


def silence(library: str) -> None:
    """Keeps a library from logging what it reads: no content of a file gets into the log."""
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)
