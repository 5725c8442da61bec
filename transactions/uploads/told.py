"""What is kept of a file's head, a check and an import, as JSON, and read again for pages."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..importing.plan import Planned, RowSum, Summary
from ..importing.posting import ImportProgress
from ..importing.table import Row, Table, kind_of, of_kind
from .limits import HEAD_CHARACTERS_MAX, HEAD_ROWS_MAX
from .models import Upload

# Reasons that a summary keeps, the most frequent; characters of a cell that a page shows of a first record.
REASONS_MAX, CELL_CHARACTERS_MAX = 50, 500
# Of an import's progress.
COUNTS = ("accepted", "replayed", "refused", "users_made", "resent_rows")
MONEY = ("accepted_money", "replayed_money", "either_money")


def head_of(rows: Iterable[Row]) -> tuple[list[dict[str, Any]], int]:
    """The first rows, as many as the HEAD_…_MAX allow, as JSON; and how many rows there are in all."""
    head: list[dict[str, Any]] = []
    characters = count = 0
    for row in rows:
        count += 1
        characters += sum(map(len, row.cells.values()))
        if len(head) == HEAD_ROWS_MAX or characters > HEAD_CHARACTERS_MAX:
            continue
        cells = cells_as_json(row.cells)
        more = {"fault": as_kept(row.fault), "content_id": as_kept(row.content_id)}
        head.append({"line": row.line, "cells": cells, **more})
    return head, count


def head_table(upload: Upload) -> Table:
    """The first rows of an upload as a table, for the pages: they never read the file itself."""
    rows = [
        Row(
            each["line"],
            {name: of_kind(text, kind) for name, (kind, text) in each["cells"].items()},
            each["fault"],
            content_id=each.get("content_id", ""),
        )
        for each in upload.head
    ]
    return Table(upload.form, tuple(upload.columns), lambda: iter(rows))


def cells_as_json(cells: Mapping[str, str]) -> dict[str, list[str]]:
    """The cells of a row, each with what the file holds it as."""
    return {as_kept(name): [kind_of(cell), as_kept(cell)] for name, cell in cells.items()}


def progress_as_json(progress: ImportProgress, last_line: int) -> dict[str, Any]:
    """What became of the rows up to a line."""
    return {
        "last_line": last_line,
        **{name: getattr(progress, name) for name in COUNTS},
        "kinds": [[as_kept(kind), rows] for kind, rows in progress.kinds.most_common()],
        "examples": {as_kept(kind): [line, _cut(said)] for kind, (line, said) in progress.examples.items()},
        **{name: _sums(getattr(progress, name)) for name in MONEY},
        "refused_money": _money(progress.refused_money),
        "refused_others": _sums(progress.refused_others),
    }


def progress_of(outcome: dict[str, Any] | None) -> tuple[ImportProgress, int]:
    """The same read again, and the line behind which an import goes on; its beginning for None."""
    progress = ImportProgress()
    if outcome is None:
        return progress, 0
    for name in COUNTS:
        # What was kept before rows sent again were counted has none.
        setattr(progress, name, outcome.get(name, 0))
    progress.kinds.update(dict(outcome["kinds"]))
    examples = outcome.get("examples", {})
    progress.examples.update({kind: (line, said) for kind, (line, said) in examples.items()})
    for name in MONEY:
        setattr(progress, name, {status: _row_sum(money) for status, money in outcome[name].items()})
    progress.refused_money = _row_sum(outcome["refused_money"])
    # What was kept before other currencies stood apart has none.
    others = outcome.get("refused_others", {})
    progress.refused_others = {code: _row_sum(money) for code, money in others.items()}
    return progress, int(outcome["last_line"])


def summary_as_json(summary: Summary) -> dict[str, Any]:
    """What would happen."""
    reasons = summary.reasons()[:REASONS_MAX]
    return {
        "rows": summary.rows,
        "records": summary.records,
        "replays": summary.replays,
        "equal": summary.equal,
        "passed_over": summary.passed_over,
        "refused": sum(summary.refusals.values()),
        "reasons": [[_cut(reason), rows] for reason, rows in reasons],
        "reasons_left_out": len(summary.refusals) - len(reasons),
        "in_file": _money(summary.in_file),
        "by_status": _sums(summary.by_status),
        "money_replayed": _money(summary.replayed),
        "money_refused": _money(summary.refused),
        "others": _sums(summary.others),
        "unknown_statuses": [
            [as_kept(word), rows] for word, rows in summary.unknown_statuses.most_common(REASONS_MAX)
        ],
        "first": [_planned(each) for each in summary.first],
        "earliest": summary.earliest,
        "latest": summary.latest,
        "meant": _meant(summary.meant),
    }


def _meant(meant: dict[str, Any]) -> dict[str, Any]:
    """What the file has proved, with names of columns as they are kept."""
    columns = {field: as_kept(column) for field, column in meant.get("columns", {}).items()}
    return {**meant, "columns": columns}


def _money(money: RowSum) -> dict[str, Any]:
    """The sum as text: it may be larger than what JSON's readers take for a whole number."""
    return {"rows": money.rows, "sum": str(money.sum)}


def _sums(sums: Mapping[str, RowSum]) -> dict[str, Any]:
    return {as_kept(name): _money(money) for name, money in sums.items()}


def _row_sum(kept: Mapping[str, Any]) -> RowSum:
    return RowSum(kept["rows"], int(kept["sum"]))


def _planned(each: Planned) -> dict[str, Any]:
    record = {name: _cut(str(value)) for name, value in (each.record or {}).items()}
    user = each.record["user"] if each.record else None
    return {
        "line": each.line,
        "record": record or None,
        # A customer who is there, or will be of this number; one who is yet to be made has a name alone.
        "key": user if isinstance(user, int) else None,
        "code": each.code,
        "reason": _cut(each.reason),
    }


def _cut(text: str) -> str:
    return as_kept(text[:CELL_CHARACTERS_MAX])


def as_kept(text: str) -> str:
    """A text as PostgreSQL takes it: its own have neither NUL nor half a character."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
