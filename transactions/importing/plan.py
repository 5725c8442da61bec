"""What would be posted of a file: summed up by a pass that proves its columns, then told row by row."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Mapping as Found
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, Protocol

from ..client.progress import told_reason
from ..models import Status
from .columns.proofs import CellError, ColumnError, OpenQuestion, Settled
from .columns.sides import amount_columns
from .content_ids import fingerprint
from .mapping import Mapping
from .proving import TableProof
from .records import ReadRow, RowReader
from .table import Row, Table
from .wording import said

# Of the records as they would be posted, how many a summary keeps.
FIRST_MAX = 10
# Rows whose users are looked up at once.
PORTION_ROWS = 1000
# Reasons of refusals, and unknown words, that are told apart.
KINDS_MAX = 50
UNKNOWN_USER = "unknown_user"
# What sums of refunds have behind their status: these went the other way.
REFUNDS = ", refunds"
CONFLICT = "an id of before is there again with another user, amount, time or status"


class UserKeys(Protocol):
    """Whose the rows are. `by` is "key" or "name"; `wanted` are texts of the file, of at most 1,000 rows."""

    def look_up(self, wanted: Collection[str], by: str) -> Found[str, int | str]:
        """Of each who is there, or would be made, what a record's user is: the key, or as yet the name.

        Makes nobody. One that is left out is refused.
        """

    def keys(self, wanted: Collection[str], by: str) -> Found[str, int | str]:
        """The same for posting: those to be made are made."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A row and what becomes of it: the `record` to post, or a `code` and a `reason` why none is.

    `money` is the amount as the file has it, with its sign, in the smallest unit; 0 where it cannot be read.
    Of a row in another currency, which is refused, `other` says which, and `money` is in that one's.
    `reason` names the column and what would be right; the line is `line`. `over` are cells beyond the last
    column, `content_id` is the id made of the row's content, if it has one of these.
    """

    line: int
    cells: dict[str, str]
    record: dict[str, Any] | None
    code: str = ""
    reason: str = ""
    money: int = 0
    refund: bool = False
    over: tuple[str, ...] = ()
    content_id: str = ""
    other: str = ""
    # The reason without what differs from row to row.
    kind: str = ""

    @property
    def summed_as(self) -> str:
        """What a sum that it belongs to is called: its status, and whether it is a refund."""
        return str((self.record or {}).get("status", "")) + (REFUNDS if self.refund else "")


@dataclass(slots=True)
class RowSum:
    """So many rows, and the sum of their amounts in the smallest unit."""

    rows: int = 0
    sum: int = 0

    def add(self, amount: int) -> None:
        self.rows += 1
        self.sum += amount


@dataclass(slots=True)
class Summary:
    """What would happen. rows = records + replays + the refusals + passed_over."""

    rows: int = 0
    # To be posted and new, or settling one before; as far as the file alone can tell.
    records: int = 0
    # The same once more, of an id before.
    replays: int = 0
    # Of the records, those whose id is made of content and that say what one before says, but for the status.
    equal: int = 0
    # Rows that the mapping passes over.
    passed_over: int = 0
    # By reason, without what differs from row to row; conflicts of ids within the file are among them.
    refusals: Counter[str] = field(default_factory=Counter)
    # Of each reason the first line, and what is said of that one.
    examples: dict[str, tuple[int, str]] = field(default_factory=dict)
    # All rows whose amount can be read, with signs: those below together.
    in_file: RowSum = field(default_factory=RowSum)
    # Of the records that count above, by status, refunds apart; of the others, with signs.
    by_status: dict[str, RowSum] = field(default_factory=dict)
    replayed: RowSum = field(default_factory=RowSum)
    refused: RowSum = field(default_factory=RowSum)
    # Of rows in other currencies, by these, with signs: all are refused, and in no sum above.
    others: dict[str, RowSum] = field(default_factory=dict)
    # Words of the status's column that nobody knows, to be stated among the mapping's statuses.
    unknown_statuses: Counter[str] = field(default_factory=Counter)
    first: list[Planned] = field(default_factory=list)
    # Of the records, the times of the earliest and of the latest as they are posted, "" where none has any.
    earliest: str = ""
    latest: str = ""
    # What the whole file has proved, as keys of a mapping: its refused rows mean it alone too.
    meant: dict[str, Any] = field(default_factory=dict)

    def reasons(self) -> list[tuple[str, int]]:
        """Why rows are refused, each with its first line, and how many. The most frequent come first."""
        return [(told_reason(kind, rows, self.examples), rows) for kind, rows in self.refusals.most_common()]


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that can be posted. `mapping` has all that the columns proved."""

    table: Table
    mapping: Mapping
    summary: Summary
    users: UserKeys

    def planned(self) -> Iterator[Planned]:
        """Each row that is not passed over, in the file's order: read anew, users made where that is asked.

        A conflict of ids within the file is not told again: the API finds it. Raises FileError, and what
        `users` raises.
        """
        reader = RowReader(self.mapping)
        for rows in _portions(reader.rows(self.table.rows())):
            for read, user in _with_users(rows, reader.by, self.users.keys):
                yield _planned(read, user)

    def refused(self) -> Iterator[Planned]:
        """Each row that the summary counts as refused, conflicts within the file among them; makes nobody.

        Raises FileError, and what `users` raises.
        """
        reader, tally = RowReader(self.mapping), _Tally()
        for rows in _portions(reader.rows(self.table.rows())):
            for read, user in _with_users(rows, reader.by, self.users.look_up):
                tally.count(read, user)
                if read.faults:
                    yield _planned(read, user)


def plan(table: Table, mapping: Mapping, *, users: UserKeys) -> Plan:
    """Reads the whole file, twice where a form is unstated, and keeps of it some numbers for each id.

    Raises MappingError, FileError, ColumnError where a column contradicts itself or what is stated, or
    cannot tell what it means, and what `users` raises.
    """
    mapping.checked(table.columns)
    if not _is_complete(mapping):
        mapping = _proved(table, mapping)
    proof, reader, tally = TableProof(mapping), RowReader(mapping), _Tally()
    for rows in _portions(reader.rows(_seen_by(proof, table.rows()))):
        for read, user in _with_users(rows, reader.by, users.look_up):
            tally.count(read, user)
        tally.summary.rows += sum(read is None for read in rows)
        tally.summary.passed_over += sum(read is None for read in rows)
    _closed(proof.settled())
    tally.summary.meant = proof.proved(table.meant)
    return Plan(table, mapping, tally.summary, users)


def _is_complete(mapping: Mapping) -> bool:
    """Whether rows can be read by it without looking at the columns first."""
    timed = "created_at" not in mapping.named or mapping.dates
    money = mapping.mark and mapping.decimals is not None and mapping.unit
    return bool(amount_columns(mapping) and timed and money and mapping.users and mapping.ids)


def _proved(table: Table, mapping: Mapping) -> Mapping:
    proof = TableProof(mapping)
    for row in table.rows():
        proof.see(row)
    return _closed(proof.settled())


def _closed(settled: Settled) -> Mapping:
    """The mapping, or ColumnError for the first thing that is open."""
    demand_closed(settled.open)
    return settled.mapping


def demand_closed(open: Iterable[OpenQuestion]) -> None:
    """Raises ColumnError for the first question, if there is one, with the ways to answer it."""
    for question in open:
        stated = " or ".join(said(question.key, value) for value, _ in question.choices)
        raise ColumnError(f"{question.why} State {stated or said(question.key)}.", question.key)


def _seen_by(proof: TableProof, rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        proof.see(row)
        yield row


def _portions(rows: Iterator[ReadRow | None]) -> Iterator[list[ReadRow | None]]:
    while portion := list(islice(rows, PORTION_ROWS)):
        yield portion


def _with_users(
    rows: Iterable[ReadRow | None], by: str, look_up: Callable[[Collection[str], str], Found[str, int | str]]
) -> Iterator[tuple[ReadRow, int | str]]:
    """Each row that is not passed over with its user; one whose user is not there is refused."""
    reads = [read for read in rows if read is not None]
    wanted = {read.user for read in reads if not read.faults}
    users = look_up(wanted, by) if wanted else {}
    for read in reads:
        if not read.faults and read.user not in users:
            called = "key" if by == "key" else "name"
            read.refuse(read.user_column, CellError(f"no user has the {called} “…”", read.user), UNKNOWN_USER)
        yield read, users.get(read.user, 0)


def _planned(read: ReadRow, user: int | str) -> Planned:
    record = None
    if not read.faults:
        record = {"transaction_id": read.record["transaction_id"], "user": user, **read.record}
    return Planned(
        read.row.line,
        read.row.cells,
        record,
        code=read.code,
        reason=read.reason,
        money=read.money or 0,
        refund=read.refund,
        over=read.row.over,
        content_id=read.content_id,
        other=read.other,
        kind=read.kind,
    )


class _Tally:
    """Counts rows into a summary, and remembers of each id what the API would compare."""

    def __init__(self) -> None:
        self.summary = Summary()
        self._known: dict[int, int] = {}
        # Of those that settled with a time of their own, that time.
        self._settled_as_of: dict[int, int] = {}

    def count(self, read: ReadRow, user: int | str) -> None:
        summary, money = self.summary, read.money
        summary.rows += 1
        if money is not None and not read.other:
            summary.in_file.add(money)
        planned = _planned(read, user)
        verdict = self._verdict(planned.record) if planned.record else "refused"
        if verdict == "conflict":
            read.refuse("", CellError(CONFLICT), "conflict")
        if read.faults:
            kind = self._kind(read.kind)
            summary.refusals[kind] += 1
            if kind == read.kind:
                summary.examples.setdefault(kind, (read.row.line, read.reason))
            sum = summary.others.setdefault(read.other, RowSum()) if read.other else summary.refused
            sum.add(money or 0)
            if read.unknown_status and len(summary.unknown_statuses) < KINDS_MAX:
                summary.unknown_statuses[read.unknown_status] += 1
        elif verdict == "replay":
            summary.replays += 1
            summary.replayed.add(money or 0)
        else:
            assert planned.record
            summary.equal += read.is_equal
            self._count_record(planned)

    def _count_record(self, planned: Planned) -> None:
        summary, record = self.summary, planned.record
        assert record
        summary.records += 1
        summary.by_status.setdefault(planned.summed_as, RowSum()).add(record["amount"])
        if at := record.get("created_at", ""):
            summary.earliest = min(summary.earliest or at, at)
            summary.latest = max(summary.latest, at)
        if len(summary.first) < FIRST_MAX:
            summary.first.append(planned)

    def _kind(self, kind: str) -> str:
        known = self.summary.refusals
        return kind if kind in known or len(known) < KINDS_MAX else "for other reasons"

    def _verdict(self, record: dict[str, Any]) -> str:
        """As `intake/accept.lua` judges a second record of an id, as far as the file alone can tell."""
        key, stated = fingerprint(record["transaction_id"]), _State.of(record)
        packed = self._known.get(key)
        if packed is None:
            self._known[key] = stated.packed()
            return "new"
        known = _State.unpacked(packed)
        another_time = stated.created != known.created
        if stated.facts != known.facts:
            return "conflict"
        if stated.status == known.status:
            same = not another_time or stated.created == self._settled_as_of.get(key)
            return "replay" if same else "conflict"
        if "PENDING" not in (stated.status, known.status):
            return "conflict"
        if stated.status == "PENDING":
            return "replay"
        self._known[key] = known._replace(status=stated.status).packed()
        if another_time:
            self._settled_as_of[key] = stated.created
        return "settles"


class _State(NamedTuple):
    """What the API compares of a record: 30 bits each of a hash of user and amount, and of the time."""

    facts: int
    created: int
    status: str

    @classmethod
    def of(cls, record: dict[str, Any]) -> "_State":
        facts = fingerprint(f"{record['user']} {record['amount']}") & _BITS
        return cls(facts, fingerprint(record.get("created_at", "")) & _BITS, record["status"])

    def packed(self) -> int:
        """As one number, which takes a third of the memory."""
        return self.facts << 32 | self.created << 2 | _STATUSES.index(self.status)

    @classmethod
    def unpacked(cls, number: int) -> "_State":
        return cls(number >> 32, number >> 2 & _BITS, _STATUSES[number & 3])


_BITS = (1 << 30) - 1
_STATUSES = tuple(map(str, Status.values))
