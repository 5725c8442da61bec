"""Which form a file has, by its content."""

import io

import pytest

from transactions.importing.forms import open_table
from transactions.importing.table import FileError


def test_an_empty_file_is_no_table() -> None:
    with pytest.raises(FileError, match=r"payments\.csv: "):
        open_table(io.BytesIO(b""), "payments.csv")
