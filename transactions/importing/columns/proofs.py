"""What a column proves about itself, and where it contradicts itself."""


class ColumnError(Exception):
    """A column that cannot be read in one way. The message names the column and the lines that show it.

    `key` is that of the mapping which would settle it, "" where only another file does.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class CellError(Exception):
    """A cell that cannot be read. The message names what would be right; `kind` is it without the cell's text."""

    def __init__(self, kind: str, cell: str) -> None:
        super().__init__(kind.replace("…", cell[:60], 1))
        self.kind = kind
