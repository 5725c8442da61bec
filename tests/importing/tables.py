"""Small tables and users that tests of importing begin with."""

from collections.abc import Collection, Iterator, Sequence

from transactions.importing.table import Row, Table


def table(header: Sequence[str], *rows: Sequence[str]) -> Table:
    """A table as a CSV file with a header on line 1 would be."""

    def read() -> Iterator[Row]:
        for line, cells in enumerate(rows, start=2):
            yield Row(line, dict(zip(header, cells, strict=True)))

    return Table("CSV, commas, UTF-8", tuple(header), read)


def column(name: str, *cells: str) -> Table:
    return table([name], *([cell] for cell in cells))


class Users:
    """Users there are, by key or name; whom `create` names is made once somebody posts."""

    def __init__(self, known: dict[str, int] | None = None, *, create: bool = False) -> None:
        self.known = known or {}
        self.create = create
        self.made: list[str] = []

    def look_up(self, wanted: Collection[str], by: str) -> dict[str, int | str]:
        missing = {name: name for name in wanted if self.create and name not in self.known}
        return {**missing, **{name: self.known[name] for name in wanted if name in self.known}}

    def keys(self, wanted: Collection[str], by: str) -> dict[str, int | str]:
        for name in sorted(wanted):
            if self.create and name not in self.known:
                self.known[name] = 100 + len(self.known)
                self.made.append(name)
        return {name: self.known[name] for name in wanted if name in self.known}


class EveryKey:
    """Each key is somebody's."""

    def look_up(self, wanted: Collection[str], by: str) -> dict[str, int | str]:
        assert by == "key"
        return {text: int(text) for text in wanted}

    keys = look_up
