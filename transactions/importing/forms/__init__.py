"""The forms that a file may have."""

from pathlib import Path
from typing import BinaryIO

from transactions.importing.table import FileError, Table


def open_table(
    file: Path | BinaryIO, name: str, *, encoding: str | None = None, delimiter: str | None = None
) -> Table:
    """The table that a file holds. Its form is told by its content first, then by its name.

    A file object has to stay open as long as the table is used, and is never closed here. `encoding` (a name
    that Python knows) and `delimiter` (one character) are taken for CSV instead of what the file tells.
    Raises FileError, also for a form whose library is not installed.
    """
    raise FileError(f"{name}: no form is known yet")
