"""The client's ledger: what was sent and what was answered, on the disk before anything goes on."""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Sent(NamedTuple):
    """One record as a client states it; `created_at` "" where it is left out."""

    transaction_id: str
    user: int
    amount: int
    status: str
    created_at: str = ""

    def document(self) -> dict[str, object]:
        stated = self._asdict()
        if not self.created_at:
            del stated["created_at"]
        return stated


@dataclass(frozen=True)
class Exchange:
    """A request and its answer: `status` None where no whole answer came, `refused` by index."""

    records: Sequence[Sent]
    status: int | None
    refused: Mapping[int, str]

    def taken(self) -> Iterator[Sent]:
        """The records that were answered 200: acknowledged."""
        if self.status == 200:
            yield from (record for at, record in enumerate(self.records) if at not in self.refused)


class Ledger:
    """An append-only file; every line is on the disk when `sent` or `answered` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")
        self._lock = threading.Lock()
        self._number = 0

    def sent(self, records: Sequence[Sent]) -> int:
        """Notes records that are about to be sent; returns the number of the exchange."""
        with self._lock:
            self._number += 1
            self._write({"n": self._number, "sent": records})
            return self._number

    def answered(self, number: int, status: int | None, refused: Mapping[int, str]) -> None:
        with self._lock:
            self._write({"n": number, "status": status, "refused": dict(refused)})

    def close(self) -> None:
        self._file.close()

    def _write(self, entry: Mapping[str, object]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read(path: Path) -> list[Exchange]:
    """Every exchange of a ledger, in the order of the answers; those never answered come last."""
    open_ones: dict[int, list[Sent]] = {}
    done = []
    with path.open("rb") as file:
        for line in file:
            entry = json.loads(line)
            if "sent" in entry:
                open_ones[entry["n"]] = [Sent(*record) for record in entry["sent"]]
            else:
                refused = {int(at): code for at, code in entry["refused"].items()}
                done.append(Exchange(open_ones.pop(entry["n"]), entry["status"], refused))
    return done + [Exchange(records, None, {}) for records in open_ones.values()]
