"""All columns of a file together: what each proves, seen row by row."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .. import money as currency
from ..spreadsheets import unguarded
from .amount_names import codes_in, said_in
from .columns import statuses
from .columns.moments import MomentProof
from .columns.money import MoneyProof
from .columns.proofs import CellError, OpenQuestion, Settled
from .columns.sides import DebitProof, amount_as_it_stands, amount_cell, amount_columns, user_column
from .columns.users import UsersProof
from .content_ids import fingerprint
from .keys import BESIDE, FIELDS, OF_WORDS
from .kinds import KindsProof
from .mapping import Mapping
from .table import Row
from .wording import said

# Above this share of rows whose id was there before, nobody takes it for the id of a row in silence.
REPEATS_MAX = 1 / 3
# Unknown words of statuses that are kept apart.
WORDS_MAX = 50
IDS_CHOICES = (
    ("column", "the column is right: rows of one id are one transaction, or contradict each other"),
    (
        "content",
        "each row is a transaction: its id is made of what it says but for its status, the same at every run",
    ),
)


class TableProof:
    """What the columns that a mapping names prove: see every row, then ask for `settled`.

    Of each id it keeps a number, and nothing else that grows with the file.
    """

    def __init__(self, mapping: Mapping, *, ids_asked: bool = False) -> None:
        self.mapping = mapping
        # Whether it is asked which column has the ids: until then nobody knows that none has.
        self._ids_asked = ids_asked
        self._columns = columns = mapping.named
        amounts = amount_columns(mapping)
        apart = "amount" not in columns
        self._amounts = MoneyProof(amounts, apart=apart) if amounts else None
        self._debits = DebitProof(mapping)
        self._moments = MomentProof(columns["created_at"]) if "created_at" in columns else None
        self._kinds = KindsProof(mapping)
        self._users = UsersProof(columns.get("user", ""))
        # The column of ids, where nobody has said what is to be made of those that repeat.
        self._ids = columns.get("transaction_id", "") if not mapping.ids else ""
        self._seen: set[int] = set()
        self.rows = self.repeats = 0
        # Words of statuses that nobody knows, with the first line of each.
        self.unknown: dict[str, int] = {}
        # What common words that nobody has stated are taken for.
        self.known: dict[str, str] = {}
        self._statuses = statuses.form_of(mapping.statuses, mapping.status)

    def see(self, row: Row) -> None:
        """A row that cannot be read, or is passed over, proves nothing."""
        line, cells, columns = row.line, row.cells, self._columns
        if self.mapping.guarded:
            cells = {name: unguarded(cell) for name, cell in cells.items()}
        if row.fault or self.mapping.passes_over(cells):
            return
        self.rows += 1
        self._kinds.see(line, cells)
        if self._amounts:
            beside = cells[columns["currency"]] if "currency" in columns else ""
            with suppress(CellError):
                _, stands = amount_as_it_stands(self.mapping, cells)
                self._amounts.see(line, amount_cell(self.mapping, cells), beside, stands)
            self._debits.see(line, cells)
        if self._moments:
            clock, zone = (cells[columns[name]] if name in columns else "" for name in ("time", "timezone"))
            self._moments.see(line, cells[columns["created_at"]], clock, zone)
        if user := user_column(self.mapping, cells):
            self._users.see(line, cells[user])
        if "status" in columns:
            self._see_status(line, cells[columns["status"]].strip())
        if self._ids:
            self._see_id(cells)

    def _see_status(self, line: int, word: str) -> None:
        if not word or word in self.known or word in self.unknown:
            return
        status = self._statuses.find(word)
        if not status and len(self.unknown) < WORDS_MAX:
            self.unknown[word] = line
        elif status and not self._statuses.states(word) and len(self.known) < WORDS_MAX:
            self.known[word] = status

    def _see_id(self, cells: dict[str, str]) -> None:
        parts = [cells[self._ids], *(cells[column] for column in self.mapping.id_parts)]
        before = len(self._seen)
        self._seen.add(fingerprint("\x1f".join(parts)))
        self.repeats += len(self._seen) == before

    def proved(self, before: Collection[str] = ()) -> dict[str, Any]:
        """Of a mapping in which all is settled what rows need that stand alone later, by its keys.

        Which columns it means, also where none is; and of forms those that rows prove, or that were proved
        `before`: what nothing has proved another row may have otherwise.
        """
        mapping = self.mapping
        keys = {"ids", "users"} if self._users.has_seen else {"ids"}
        if self._amounts and self._amounts.seen:
            keys |= {"decimals", "unit", *(("mark",) if len(self._amounts.marks.left) == 1 else ())}
        if self._moments and len(self._moments.forms.left) == 1:
            keys.add("dates")
        columns = {name: mapping.columns.get(name, "") for name in (*FIELDS, *BESIDE)}
        found = {key: getattr(mapping, key) for key in sorted({*keys, *before} - {"columns"})}
        tables = {
            table: {column: [*words] for column, words in stated.items()}
            for table in OF_WORDS
            if (stated := getattr(mapping, table))
        }
        kept = {key: value for key, value in found.items() if key not in tables and value not in ("", None)}
        return {**kept, **tables, "columns": columns}

    def settled(self) -> Settled:
        """The mapping with all that was proved, and what is open. Raises ColumnError."""
        result = Settled(self.mapping)
        self._settle_columns(result)
        if self._amounts:
            self._debits.check()
            self._take_signs_of_names()
            _take(result, self._amounts.settled(result.mapping, currency.code() or "", currency.decimals()))
        if self._moments:
            zoned = "timezone" in self._columns
            _take(result, self._moments.settled(result.mapping, zoned=zoned))
        _take(result, self._users.settled(result.mapping))
        self._settle_ids(result)
        result.open += self._kinds.questions()
        return result

    def _take_signs_of_names(self) -> None:
        """The sign that the name of the amounts has, as Amount $, stands beside each that has none."""
        assert self._amounts
        for field in ("amount", "debit", "credit"):
            if not self._amounts.currencies and len(codes_in(self._columns.get(field, ""))) > 1:
                self._amounts.currencies.update(dict.fromkeys(said_in(self._columns[field]), 1))

    def _settle_columns(self, result: Settled) -> None:
        mapping, columns = self.mapping, self._columns
        if not self._amounts:
            result.open.append(OpenQuestion("columns.amount", _no_amounts()))
        if "user" not in columns and not mapping.user:
            why = (
                "No column is known to tell whose the transactions are; one user may have all of them "
                f"({said('user')})."
            )
            result.open.append(OpenQuestion("columns.user", why))
        if "status" not in columns and not mapping.status:
            result.open.append(OpenQuestion("status", "No column tells what became of them.", STATUS_CHOICES))

    def _settle_ids(self, result: Settled) -> None:
        if self.mapping.ids or self._ids_asked:
            return
        if not self._ids:
            result.mapping = replace(result.mapping, ids="content")
            result.reasons.append(
                "No column is known to have ids: they are made of what a row says but for its status, the "
                "same at every run. A row that is there twice is two transactions; an equal row of another "
                "file is the same one."
            )
        elif self.repeats > self.rows * REPEATS_MAX:
            why = f"{self.repeats:,} of {self.rows:,} rows repeat an id in column “{self._ids}”."
            result.open.append(OpenQuestion("ids", why, IDS_CHOICES))
        else:
            result.mapping = replace(result.mapping, ids="column")
            if self.repeats:
                result.reasons.append(
                    f"{self.repeats:,} of {self.rows:,} rows repeat an id in “{self._ids}”: those that say "
                    "the same are replays, others are refused."
                )


def _no_amounts() -> str:
    return (
        "No column is known to have the amounts; debits and credits may also have one each "
        f"({said('columns.debit')} and {said('columns.credit')})."
    )


STATUS_CHOICES = (
    ("SUCCESS", "all of them succeeded"),
    ("PENDING", "all of them are pending"),
    ("FAILED", "all of them failed"),
)


def _take(result: Settled, found: Settled) -> None:
    result.mapping = found.mapping
    result.reasons += found.reasons
    result.open += found.open
