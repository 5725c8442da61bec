"""What a run found: tables for the terminal and for RESULTS.md."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

Row = Sequence[object]
_PACKAGES = ("Django", "daphne", "uvicorn", "uvloop", "httptools", "redis", "hiredis", "msgspec")


@dataclass(slots=True)
class Target:
    """What was hoped for and what was measured, in words; `met` by the figures of this run."""

    what: str
    wanted: str
    measured: str
    met: bool


@dataclass(slots=True)
class Section:
    """One part's results."""

    title: str
    blocks: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.blocks.append(text)

    def table(self, heads: Sequence[str], rows: Iterable[Row]) -> None:
        self.blocks.append(table(heads, rows))

    def target(self, what: str, wanted: str, measured: str, met: bool) -> None:
        self.targets.append(Target(what, wanted, measured, met))

    def text(self) -> str:
        return "\n\n".join([f"## {self.title}", *self.blocks])


def number(value: float) -> str:
    """A figure as people read it: 12,345 or 1.23."""
    if value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(heads: Sequence[str], rows: Iterable[Row]) -> str:
    """A Markdown table that is also one in a terminal; figures to the right."""
    rows = list(rows)
    cells = [[cell(each) for each in row] for row in rows]
    right = [all(not isinstance(row[at], str) for row in rows) for at in range(len(heads))]
    widths = [max(len(line[at]) for line in [list(heads), *cells]) for at in range(len(heads))]
    rule = ["-" * (width - 1) + ":" if right[at] else "-" * width for at, width in enumerate(widths)]
    lines = [list(heads), rule, *cells]
    return "\n".join(
        "| "
        + " | ".join(
            each.rjust(widths[at]) if right[at] else each.ljust(widths[at]) for at, each in enumerate(line)
        )
        + " |"
        for line in lines
    )


def cell(value: object) -> str:
    """A cell of a table as text."""
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value)


def summary(
    command: str,
    began: datetime,
    where: Sequence[Row],
    sections: Sequence[Section],
    minutes: Mapping[str, float],
    parts: Sequence[str],
) -> str:
    """The head of RESULTS.md, where the parts' own texts follow; `where` is what machine() said before.

    `minutes` is what each of the `parts` took that has been run so far.
    """
    targets = [target for section in sections for target in section.targets]
    rows = [(each.what, each.wanted, each.measured, "yes" if each.met else "no") for each in targets]
    took = (datetime.now(UTC) - began).total_seconds() / 60
    runs = ", ".join(f"{part} {number(minutes[part])}" for part in parts if part in minutes)
    not_run = [part for part in parts if part not in minutes]
    left = f" It was stopped before {', '.join(not_run)}." if not_run else ""
    head = [
        "# Results",
        f"Written by `{command}`, begun {began:%Y-%m-%d %H:%M} UTC, {took:.0f} minutes. Only figures of "
        "one run can be compared. Contestants take turns and share private servers, their flags and their "
        "fsync (`appendfsync always`, `fsync on`, `synchronous_commit on`); access logs are off, tokens, "
        "rate limits (never reached) and metrics on; the client runs on the same machine.",
        f"Minutes of each part: {runs}.{left}",
        table(("machine", ""), where),
    ]
    if rows:
        head += ["## Targets", table(("", "wanted", "measured", "met"), rows)]
    return "\n\n".join(head)


def machine() -> list[Row]:
    """What it runs on, and how busy that is now."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in info.splitlines() if "model name" in line), "unknown")
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        ("processor", f"{os.cpu_count()} × {model}"),
        ("memory", f"{memory_gb:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("busy before", f"load average {os.getloadavg()[0]:.1f} (figures of a busy machine mislead)"),
        ("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)),
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
