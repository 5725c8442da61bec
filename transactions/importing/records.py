"""What a row becomes by a mapping in which all is settled: the record to post, or why none can be."""

import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from .. import money as currency_of_deployment
from ..encodings import is_text, may_show_something
from ..fields import AHEAD_MAX, earliest
from ..models import TRANSACTION_ID_CHARACTERS_MAX, Status
from ..spreadsheets import unguarded
from .columns import moments, money, statuses
from .columns.proofs import CellError
from .columns.sides import amount_as_it_stands, amount_cell, user_column
from .columns.statuses import plain
from .columns.users import user_text
from .content_ids import ContentIds, fingerprint, is_made
from .currencies import codes_of, other_name
from .mapping import Mapping
from .table import Row
from .wording import said

REFUND = "refund-"
# What a line is called that sums up those above, as `plain` has it.
_SUMS = (
    "total", "totals", "sum", "sumtotal", "grandtotal", "summe", "gesamt", "gesamtsumme", "gesamtbetrag",
    "totale", "somme", "suma", "totaal",
)  # fmt: skip


@dataclass(slots=True)
class ReadRow:
    """A row and what was read of it; `user` is a text of the file, which somebody has to look up.

    `cells` are those of the row, without what guards them.
    """

    row: Row
    cells: dict[str, str]
    user_column: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    user: str = ""
    # The id made of its content, also where it is refused: it keeps it once it is corrected.
    content_id: str = ""
    # Whether one before it in the file says the same, apart from the status.
    is_equal: bool = False
    money: int | None = None
    # Of which other currency that is, as the file says it: such a row is refused.
    other: str = ""
    refund: bool = False
    # What keeps it from being posted: each as a kind, and as what is told.
    code: str = ""
    faults: list[tuple[str, str]] = field(default_factory=list)
    unknown_status: str = ""

    @property
    def kind(self) -> str:
        """Why it is refused, without what differs from row to row."""
        return "; ".join(kind for kind, _ in self.faults)

    @property
    def reason(self) -> str:
        """Why it is refused."""
        return "; ".join(said for _, said in self.faults)

    def refuse(self, column: str, error: CellError, code: str = "invalid") -> None:
        self.code = self.code or code
        where = f"column “{column}”: " if column else ""
        self.faults.append((where + error.kind, where + str(error)))


class RowReader:
    """Reads the rows of one file once, in their order: how often a row was there before is part of its id."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.by = mapping.users
        self._columns = mapping.named
        self._money = money.form_of(mapping, currency_of_deployment.decimals())
        self._moments = moments.form_of(mapping) if "created_at" in mapping.named else None
        self._statuses = statuses.form_of(mapping.statuses, mapping.status)
        self._currency = mapping.currency or currency_of_deployment.code() or ""
        # Each record states it, where the API takes one: a server that counts in another refuses it then.
        self._stated = currency_of_deployment.code()
        self._ids = mapping.ids if "transaction_id" in mapping.named else "content"
        self._content = ContentIds(mapping)
        # Of the rows so far whose amount can be read, how many there are, and what they make.
        self._rows = self._sum = 0
        # Of ids that begin as those of refunds, whether they were made here.
        self._refunds: dict[int, bool] = {}

    def rows(self, rows: Iterator[Row]) -> Iterator[ReadRow | None]:
        """Each row as it is read; None for one that is passed over."""
        for row in rows:
            if row.fault:
                made = self._content.of(row).id if self._ids == "content" else ""
                faults = [(row.fault, row.fault)]
                yield ReadRow(row, {}, code="malformed", faults=faults, content_id=made)
                continue
            cells = row.cells
            if self.mapping.guarded:
                cells = {name: unguarded(cell) for name, cell in cells.items()}
            yield None if self.mapping.passes_over(cells) else self._read(row, cells)

    def _read(self, row: Row, cells: dict[str, str]) -> ReadRow:
        read = ReadRow(row, cells, user_column(self.mapping, cells))
        readings = (self._read_id, self._read_user, self._read_status, self._read_amount, self._read_moment)
        for column, reading in zip(_ORDER, readings, strict=True):
            try:
                reading(read)
            except CellError as error:
                read.refuse(self._where(read, column), error)
        self._check_refund(read)
        self._check_sum(read)
        return read

    def _where(self, read: ReadRow, field: str) -> str:
        if field == "amount":
            return amount_as_it_stands(self.mapping, read.cells)[0]
        return read.user_column if field == "user" else self._columns.get(field, "")

    def _cell(self, read: ReadRow, name: str) -> str:
        column = self._columns.get(name)
        return read.cells[column] if column else ""

    def _read_id(self, read: ReadRow) -> None:
        if self._ids == "content":
            read.content_id, read.is_equal = self._content.of(read.row)
            read.record["transaction_id"] = read.content_id
            if not is_made(read.content_id):
                raise CellError("“…” is no id made of a row: leave content_id as it was", read.content_id)
            return
        parts = [self._cell(read, "transaction_id").strip()]
        parts += [read.cells[column].strip() for column in self.mapping.id_parts]
        if not all(parts):
            raise CellError("the id is empty: write one")
        check_id(id := "-".join(parts))
        read.record["transaction_id"] = id

    def _read_user(self, read: ReadRow) -> None:
        column = read.user_column
        read.user = user_text(read.cells[column] if column else "", self.mapping)

    def _read_status(self, read: ReadRow) -> None:
        cell = self._cell(read, "status")
        try:
            read.record["status"] = self._statuses.read(cell)
        except CellError:
            read.unknown_status = cell.strip()
            raise

    def _read_amount(self, read: ReadRow) -> None:
        cell = amount_cell(self.mapping, read.cells)
        if not cell.strip():
            raise CellError("the amount is empty: write one")
        self._check_currency(read, cell)
        amount = self._amount(read, cell)
        read.money = amount.smallest
        read.record["amount"] = abs(amount.smallest)
        if self._stated:
            read.record["currency"] = self._stated
        if amount.smallest < 0:
            self._take_negative(read)

    def _amount(self, read: ReadRow, cell: str) -> money.ReadAmount:
        try:
            return self._money.read(cell)
        except CellError as error:
            # Told as it stands there: the sign of a debit may be said elsewhere.
            raise CellError(error.kind, amount_as_it_stands(self.mapping, read.cells)[1]) from None

    def _take_negative(self, read: ReadRow) -> None:
        if self.mapping.negative == "failed":
            read.record["status"] = str(Status.FAILED)
        elif self.mapping.negative == "refund":
            read.refund = True
        else:
            _, stands = amount_as_it_stands(self.mapping, read.cells)
            if money.is_signed(stands):
                raise CellError(f"“…” is negative, and such amounts are refused ({said('negative')})", stands)
            raise CellError(f"“…” is a debit, and negative amounts are refused ({said('negative')})", stands)
        # By either choice the same id: who chooses otherwise at a second run meets a conflict.
        if id := read.record.get("transaction_id", ""):
            check_id(REFUND + id)
            read.record["transaction_id"] = REFUND + id

    def _check_sum(self, read: ReadRow) -> None:
        """A last line that sums up the others would be one of them, where nothing asks it for an id."""
        own = 0 if read.other else read.money
        if self._ids == "content" and self._rows and own and own == self._sum:
            word = next((cell for cell in read.cells.values() if plain(cell.strip(" :")) in _SUMS), "")
            if word:
                read.refuse("", CellError("“…” is the sum of the rows above, and no transaction", word))
        self._rows += read.money is not None
        self._sum += own or 0

    def _check_refund(self, read: ReadRow) -> None:
        """An id of the file's own may be that of a refund which is made here: they would be taken for one."""
        id = read.record.get("transaction_id", "")
        if id.startswith(REFUND) and not read.faults:
            made_here = read.money is not None and read.money < 0
            if self._refunds.setdefault(fingerprint(id), made_here) != made_here:
                error = CellError("“…” is the id of a refund that is made here, and of a row", id)
                read.refuse(self._columns.get("transaction_id", ""), error, "conflict")

    def _check_currency(self, read: ReadRow, cell: str) -> None:
        """Raises CellError for another currency than the one that is taken; its amount is told apart."""
        said = self._cell(read, "currency").strip() or money.taken_apart(cell).currency
        if said and not self._currency and not codes_of(said):
            raise CellError("“…” is no currency: write its code, as EUR", said)
        if said and self._currency and self._currency not in codes_of(said):
            read.other = other_name(said)
            with suppress(CellError):
                read.money = money.form_of_other(self.mapping, read.other).read(cell).smallest
            raise CellError(f"the currency is “…”, and only {self._currency} is taken", said)

    def _read_moment(self, read: ReadRow) -> None:
        if self._moments is None:
            return
        cell = self._cell(read, "created_at")
        if not cell.strip():
            raise CellError("the time is empty: write one")
        moment = self._moments.read(cell, self._cell(read, "time"), self._cell(read, "timezone"))
        check_moment(moment, cell)
        read.record["created_at"] = moment.isoformat().replace("+00:00", "Z")


_ORDER = ("transaction_id", "user", "status", "amount", "created_at")


def check_id(id: str) -> None:
    """Raises CellError for what the API takes for no id."""
    if len(id) > TRANSACTION_ID_CHARACTERS_MAX:
        raise CellError(f"“…” is too long for an id: at most {TRANSACTION_ID_CHARACTERS_MAX} characters", id)
    if (
        not is_text(id)
        or not may_show_something(id)
        or any(unicodedata.category(each) == "Cc" for each in id)
    ):
        raise CellError("“…” is no id: it has characters that nobody sees", id)


def check_moment(moment: datetime, cell: str) -> None:
    """Raises CellError for a moment that the API does not take."""
    if moment < earliest(settings.EARLIEST_CREATED_AT):
        raise CellError(
            f"“…” is before {settings.EARLIEST_CREATED_AT.isoformat()}, and nothing earlier is taken", cell
        )
    if moment > timezone.now().astimezone(UTC) + AHEAD_MAX:
        raise CellError("“…” is in the future", cell)
