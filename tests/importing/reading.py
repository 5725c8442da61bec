"""Files as tests of this room write them, and what is read of them."""

import io
import zipfile
from typing import Any

from transactions.importing.forms import open_table
from transactions.importing.table import Row, Table


def table_of(content: bytes, name: str = "payments.csv", **stated: Any) -> Table:
    return open_table(io.BytesIO(content), name, **stated)


def rows_of(content: bytes, name: str = "payments.csv", **stated: Any) -> list[Row]:
    """All rows; a second reading has to give the same."""
    table = table_of(content, name, **stated)
    rows = list(table.rows())
    assert list(table.rows()) == rows
    return rows


def cells_of(content: bytes, name: str = "payments.csv", **stated: Any) -> list[list[str]]:
    """The cells of all rows, none of which has a fault."""
    rows = rows_of(content, name, **stated)
    assert [row.fault for row in rows if row.fault] == []
    return [list(row.cells.values()) for row in rows]


def zipped(**members: bytes) -> bytes:
    """A zip; a member's name has __ for its point and ___ for a slash."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("___", "/").replace("__", "."), content)
    return packed.getvalue()
