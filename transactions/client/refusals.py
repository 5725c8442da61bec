"""Where the refusals of a file's rows go: into a file of their own, else line by line to the status."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from .status_line import StatusLine

# Refusals told one by one on a terminal when no file keeps them.
TOLD_MAX = 20


class SameFileError(Exception):
    """What is to be written is the file to read: {option} needs one of its own."""

    def __init__(self, file: Path, option: str = "--errors") -> None:
        super().__init__(f"{file} is the file to read: {option} needs one of its own")


class ToldRow(NamedTuple):
    """A refused row: its line, what it is called, why it was not accepted, and how it is kept in a file."""

    line: int
    name: str
    code: str
    reason: str
    written: Sequence[str]


class Refusals:
    """Keeps refusals in the file `kept`, under `columns`; without one tells them to `status`.

    A context. Raises SameFileError where `kept` is the file `source`, and OSError.
    """

    def __init__(
        self,
        status: StatusLine,
        kept: Path | None,
        source: Path,
        columns: Sequence[str],
    ) -> None:
        self._status = status
        self._told = 0
        self._writer: Any = None
        self._file: IO[str] | None = None
        if kept is None:
            return
        if kept.exists() and kept.samefile(source):
            raise SameFileError(kept)
        self._file = kept.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        # Lines end in CR LF: with either alone, Python 3.11 would leave a cell with the other unquoted.
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        more = self._told - TOLD_MAX
        if self._file is not None:
            self._file.close()
        elif self._status.on_terminal and more > 0:
            self._status.say(f"… and {more:,} more: --errors FILE keeps every refusal")

    def tell(self, refused: Iterable[ToldRow]) -> None:
        """Keeps these, so that they are in the file whatever happens next, or tells of them."""
        for line, name, code, reason, written in refused:
            self._told += 1
            if self._file is not None:
                self._writer.writerow(written)
            elif not self._status.on_terminal or self._told <= TOLD_MAX:
                called = f"{name!a} " if name else ""
                self._status.say(f"line {line}: {called}{code}: {reason}")
        if self._file is not None:
            self._file.flush()
