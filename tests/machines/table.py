"""The table of what was lost, as Markdown."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One scenario, in words and counts; `gap` and `whole` are seconds."""

    scenario: str
    acknowledged: str
    lost: str
    doubled: str
    gap: str
    whole: str
    books: str


HEAD = Row(
    "scenario",
    "acknowledged",
    "lost",
    "doubled",
    "longest gap without a 200, s",
    "whole again after, s",
    "books",
)


def written(rows: Sequence[Row], where: str) -> str:
    """The rows with their sum, and where and when that was."""
    sums = [str(sum(int(row[at]) for row in rows if row[at].isdecimal())) for at in (1, 2, 3)]
    lines = [HEAD, Row("all", sums[0], sums[1], sums[2], "", "", "")]
    lines[1:1] = rows
    cells = ["| " + " | ".join(line) + " |" for line in lines]
    cells.insert(1, "| --- |" + " --: |" * 5 + " --- |")
    return "\n".join([f"`make machines`, {where}:", "", *cells]) + "\n"
