"""The table of what was lost, as Markdown."""

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

BEGIN, END = "<!-- what make machines saw -->", "<!-- until here -->"


class Row(NamedTuple):
    """One scenario, in words and counts; `gap` and `whole` are seconds."""

    scenario: str
    acknowledged: str
    lost: str
    doubled: str
    gap: str
    whole: str
    books: str


class Control(NamedTuple):
    """The same with a safeguard taken out."""

    control: str
    acknowledged: str
    lost: str


HEAD = Row(
    "scenario",
    "acknowledged",
    "lost",
    "doubled",
    "longest gap without a 200, s",
    "whole again after, s",
    "books",
)

CONTROL_HEAD = Control("control", "acknowledged", "lost")


def when_and_where() -> str:
    """The day, and of the machine what tells how much it can do; nothing that tells which one it is."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{datetime.date.today()}, {os.cpu_count()} processors, {memory_gb:.0f} GB of memory"


def written(rows: Sequence[Row], controls: Sequence[Control], where: str) -> str:
    """The rows with their sum, what was lost without a safeguard, and `when_and_where` that was."""
    sums = [str(sum(int(row[at]) for row in rows if row[at].isdecimal())) for at in (1, 2, 3)]
    lines = [HEAD, Row("all", sums[0], sums[1], sums[2], "", "", "")]
    lines[1:1] = rows
    told = [f"`make machines`, {where}:", "", *_cells(lines, "| --- |" + " --: |" * 5 + " --- |")]
    if controls:
        told += ["", "With a safeguard taken out, as they must:", ""]
        told += _cells([CONTROL_HEAD, *controls], "| --- | --: | --: |")
    return "\n".join(told) + "\n"


def put_into(page: Path, text: str) -> None:
    """The table of a page takes the place of the one that is there."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no place for a table between {BEGIN} and {END}")
    page.write_text(f"{before}{begin}\n{text}{end}{after}")


def _cells(lines: Sequence[Sequence[str]], rule: str) -> list[str]:
    head, *others = ["| " + " | ".join(line) + " |" for line in lines]
    return [head, rule, *others]
