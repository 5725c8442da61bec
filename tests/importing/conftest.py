"""The end of a run tells what became of the files that its tests have imported."""

from typing import Any

from tests.support.import_table import NOTED, written


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, in the order of names: tests may run several at a time."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    called = [report for report in reports if getattr(report, "when", "") == "call"]
    rows = sorted(row for report in called for of, row in report.user_properties if of == NOTED)
    if rows:
        terminalreporter.section("imported, amounts in the smallest unit")
        terminalreporter.write_line(written(rows))
