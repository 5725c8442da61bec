"""The checker: what the ledger says against what the system holds, once a fault has healed."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import redis

from tests.faults import ledger
from tests.faults.ledger import Exchange, Sent
from tests.faults.load import OPPOSITE
from tests.faults.processes import Process
from tests.faults.system import RSS_MAX_MB
from transactions.queue.keys import BATCH, BATCH_INDEX, INDEX, QUEUE
from transactions.queue.records import unescape
from transactions.tables import BATCHES, REJECTED, TRANSACTIONS

TIDY_S = 10.0
# What a client may ever be told (invariant F).
STATUSES = {None, 200, 400, 409, 413, 503}

SELECT_ROWS = f"SELECT transaction_id, user_id, amount, status, created_at FROM {TRANSACTIONS}"
SELECT_REJECTED = f"SELECT raw, reason FROM {REJECTED}"
# Purpose: batches that nobody released though everything is stored.
SELECT_LEFT = f"SELECT count(*) FROM {BATCHES} WHERE NOT released AND length IS NOT NULL"


class Checked(Protocol):
    """A system, on one machine or on several; `processes` are those whose memory is bounded."""

    @property
    def processes(self) -> Mapping[str, Process]: ...
    def redis_client(self) -> "redis.Redis": ...
    def sql(self) -> AbstractContextManager[Any]: ...
    def books(self) -> dict[str, Any]: ...
    def verify(self) -> tuple[int, str]: ...


@dataclass
class Row:
    """A stored transaction, or what is left of a rejected record."""

    transaction_id: str
    user: int
    amount: int
    status: str
    created_at: datetime | None = None

    def is_of(self, record: Sent) -> bool:
        """Whether it is the transaction that the record states, whatever its status."""
        created = datetime.fromisoformat(record.created_at) if record.created_at else self.created_at
        same = (self.user, self.amount) == (record.user, record.amount)
        return same and (self.created_at is None or self.created_at == created)


@dataclass
class Verdict:
    """The counts of the table, and every violation in words."""

    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    rejected: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)


def check(system: Checked, path: Path, *, unaccounted: int = 0) -> Verdict:
    """Invariants A, B, C, E, F and H, of a system that has drained.

    `unaccounted` records were pushed past the ledger and are not looked at one by one.
    """
    exchanges = ledger.read(path)
    waiting = _wait_until_nothing_waits(system)
    with system.sql() as cursor:
        cursor.execute(SELECT_ROWS)
        rows = [Row(*row) for row in cursor.fetchall() if not row[0].startswith("unaccounted-")]
        cursor.execute(SELECT_REJECTED)
        rejected = [(_row(bytes(raw)), reason) for raw, reason in cursor.fetchall()]
    verdict = Verdict(stored=len(rows) + unaccounted, rejected=len(rejected))
    _check_records(exchanges, rows, rejected, verdict)
    _check_answers(exchanges, verdict)
    _check_stores(system, waiting, verdict)
    _check_memory(system, verdict)
    status, told = system.verify()
    if status != 0:
        verdict.wrong.append(f"H: manage.py verify ends with {status}: {told}")
    return verdict


def _row(raw: bytes) -> Row:
    _, id, status, user, amount, created, *_ = raw.decode().split("\t")
    created_at = None if created == "\\N" else datetime.fromisoformat(created)
    return Row(unescape(id), int(user), int(amount), status, created_at)


def _check_records(
    exchanges: list[Exchange], rows: list[Row], rejected: list[tuple[Row, str]], verdict: Verdict
) -> None:
    sent: dict[str, set[Sent]] = defaultdict(set)
    for exchange in exchanges:
        for record in exchange.records:
            sent[record.transaction_id].add(record)
    taken = {record for exchange in exchanges for record in exchange.taken()}
    verdict.sent = sum(map(len, sent.values()))
    verdict.acknowledged = len(taken)
    by_id: dict[str, Row] = {}
    for row in rows:
        if row.transaction_id in by_id:
            verdict.doubled += 1
            verdict.wrong.append(f"B: two rows of {row.transaction_id}")
        by_id[row.transaction_id] = row
        if not any(row.is_of(record) and row.status == record.status for record in sent[row.transaction_id]):
            verdict.wrong.append(f"C: nobody sent {row}")
    refused = defaultdict(list)
    for row, reason in rejected:
        refused[row.transaction_id].append(row)
        _check_refusal(row, reason, by_id.get(row.transaction_id), sent, verdict)
    for record in taken:
        if not _is_kept(record, by_id.get(record.transaction_id), refused[record.transaction_id]):
            verdict.lost += 1
            verdict.wrong.append(
                f"A: {record} was acknowledged; there is {by_id.get(record.transaction_id)},"
                f" refused {refused[record.transaction_id]}"
            )


def _is_kept(record: Sent, row: Row | None, refused: Iterable[Row]) -> bool:
    """An acknowledged record is the row, went into it, or is kept as refused."""
    if row is not None and row.is_of(record) and record.status in ("PENDING", row.status):
        return True
    return any(one.is_of(record) and one.status == record.status for one in refused)


def _check_refusal(
    refused: Row, reason: str, row: Row | None, sent: dict[str, set[Sent]], verdict: Verdict
) -> None:
    """A rejected record was sent, has a reason, and is not also a stored one."""
    if not any(
        refused.is_of(each) and refused.status == each.status for each in sent[refused.transaction_id]
    ):
        verdict.wrong.append(f"C: nobody sent what was rejected: {refused} ({reason})")
    if not reason:
        verdict.wrong.append(f"rejected without a reason: {refused}")
    if row is None or (row.user, row.amount) != (refused.user, refused.amount):
        return
    # These clients never state two different times, so only the other end can be refused rightly.
    if OPPOSITE.get(refused.status) != row.status:
        verdict.doubled += 1
        verdict.wrong.append(f"B: there is {row}, and rejected too ({reason}): {refused}")


def _check_answers(exchanges: list[Exchange], verdict: Verdict) -> None:
    for exchange in exchanges:
        if exchange.status not in STATUSES:
            verdict.wrong.append(f"F: {exchange.status} for {exchange.records[:3]}")


def _wait_until_nothing_waits(system: Checked) -> dict[str, int]:
    """What Redis and the flush history still hold. A last tick may have to tidy up after a fault."""
    client = system.redis_client()
    deadline = time.monotonic() + TIDY_S
    while True:
        waiting = {"queue": client.llen(QUEUE), "index": client.hlen(INDEX)}
        for what, prefix in (("batches", BATCH), ("their indexes", BATCH_INDEX)):
            waiting[what] = len(list(client.scan_iter(match=f"{prefix}*", count=1000)))
        with system.sql() as cursor:
            cursor.execute(SELECT_LEFT)
            waiting["flush history"] = cursor.fetchone()[0]
        if not any(waiting.values()) or time.monotonic() > deadline:
            client.close()
            return waiting
        time.sleep(0.2)


def _check_stores(system: Checked, waiting: dict[str, int], verdict: Verdict) -> None:
    """Nothing of the pipeline is left behind, and the books say what the table holds."""
    for what, count in waiting.items():
        if count:
            verdict.wrong.append(f"A: drained, and yet the {what} holds {count}")
    books = system.books()
    told = (books.get("stored"), books.get("rejected"))
    if told != (verdict.stored, verdict.rejected):
        verdict.wrong.append(f"H: the books say {told}, there are {(verdict.stored, verdict.rejected)}")


def _check_memory(system: Checked, verdict: Verdict) -> None:
    for name, process in system.processes.items():
        limit_mb = RSS_MAX_MB[name.partition("-")[0]]
        if process.rss_max_mb > limit_mb:
            verdict.wrong.append(f"E: {name} held {process.rss_max_mb} MB, more than {limit_mb}")
