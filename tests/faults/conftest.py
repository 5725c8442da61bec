"""What every fault is played on: a template, a system, clients, and the table at the end."""

import asyncio
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults import judged, told
from tests.faults.checker import Verdict, check
from tests.faults.ledger import Ledger, Sent
from tests.faults.load import ACKNOWLEDGED_MIN, Load, exchange
from tests.faults.processes import Process
from tests.faults.system import System, make_template
from tests.support.receiving import Receiver

COLUMNS = (
    *("fault", "sent", "acknowledged", "stored", "rejected", "hits", "alerts", "lost", "doubled"),
    *("seconds to heal", "to judge"),
)
TOLD_COLUMNS = (
    *("fault", "sent", "alerts", "events", "messages", "received", "distinct", "lost", "doubled"),
    "seconds to tell",
)
# Whoever keeps a row for one of the tables: it goes with the test's report, to whichever process prints them.
Note = Callable[[tuple[str, object]], None]


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    make_template(directory)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """FAULT_SEED, else a new one; shown when the test fails."""
    number = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**9))
    print(f"FAULT_SEED={number}")
    return number


@dataclass
class Stage:
    """One fault: its system, its ledger, and how it ends."""

    name: str
    seed: int
    directory: Path
    template: Path
    ledger: Ledger
    cleanup: ExitStack
    note: Note
    system_: System | None = None
    rules: bool = False
    addressees: list[told.Addressee] = field(default_factory=list)

    def set_up(self, *, rules: bool = False, receivers: int = 0, **options: Any) -> System:
        """Starts the system, with twelve rules in force or none; see System for the other options.

        For `receivers` there is a worker of notifications, and an endpoint for each.
        """
        self.rules = rules
        ours = [self._receiver() for _ in range(receivers)]

        def prepare(cursor: Any) -> None:
            if rules:
                judged.put_in_force(cursor)
            self.addressees = [told.add_endpoint(cursor, receiver) for receiver in ours]

        settings = {**(told.SETTINGS if receivers else {}), **options.pop("settings", {})}
        self.system_ = System(self.directory, self.template, settings=settings, prepare=prepare, **options)
        self.cleanup.callback(self.system_.close)
        if receivers:
            self.system_.add("notifications")
        return self.system_

    def _receiver(self) -> Receiver:
        receiver = Receiver()
        self.cleanup.callback(receiver.end)
        return receiver

    @property
    def system(self) -> System:
        assert self.system_ is not None
        return self.system_

    def load(self, name: str = "load", connections: int = 8) -> Load:
        return Load(self.system.port, self.ledger, self.seed, name, connections)

    def post(self, *records: Sent) -> int | None:
        """Posts one record, or a batch, on a connection of its own; the status, None for no answer."""
        number = self.ledger.sent(records)
        status, refused = asyncio.run(exchange(self.system.port, records))
        self.ledger.answered(number, status, refused)
        return status

    def settle(
        self, *, at_least: int = ACKNOWLEDGED_MIN, drain_s: float = 60.0, unaccounted: int = 0
    ) -> Verdict:
        """The fault is over: waits until all is stored and judged, checks all invariants, adds the row."""
        began = time.monotonic()
        self.system.wait_drained(drain_s)
        healed_s = time.monotonic() - began
        verdict = check(self.system, self.ledger.path, unaccounted=unaccounted)
        wrong, found = verdict.wrong, judged.Judgement()
        paid = ""
        if self.rules:
            judged.wait_paid(self.system)
            paid = f"{time.monotonic() - began:.1f}"
            found = judged.check_hits(self.system)
            wrong += found.wrong
            assert found.hits, "no rule has found anything"
        counts = (verdict.sent, verdict.acknowledged, verdict.stored, verdict.rejected)
        judged_counts = (found.hits, found.alerts) if self.rules else ("", "")
        failed = (verdict.lost + found.lost, verdict.doubled + found.doubled)
        row = (self.name, *map(str, (*counts, *judged_counts, *failed)), f"{healed_s:.1f}", paid)
        self.note(("faults", row))
        if self.addressees:
            wrong += self._settle_told(verdict, found)
        assert not wrong, f"{len(wrong)} violations, seed {self.seed}: {wrong[:10]}"
        assert verdict.acknowledged >= at_least
        return verdict

    def _settle_told(self, verdict: Verdict, found: judged.Judgement) -> list[str]:
        """Waits until everything is told, checks what arrived, adds the row; what is wrong."""
        took_s = told.wait_told(self.system, self.addressees)
        ours = told.check_told(self.system, self.addressees)
        counts = (verdict.sent, found.alerts, ours.events, ours.messages, ours.received, ours.distinct)
        self.note(("told", (self.name, *map(str, (*counts, ours.lost, ours.doubled)), f"{took_s:.1f}")))
        return ours.wrong

    def tell(self) -> None:
        """Prints the ends of the logs, and what each process held."""
        for name, process in self.system.processes.items() if self.system_ else ():
            print(f"--- {name}: {_describe(process)}")
            print("\n".join(self.system.logs(name).splitlines()[-40:]))


def _describe(process: Process) -> str:
    return f"started {process.starts} times, at most {process.rss_max_mb} MB"


@pytest.fixture
def stage(request: pytest.FixtureRequest, template: Path, seed: int) -> Iterator[Stage]:
    name = request.node.name.removeprefix("test_fault_").replace("_", " ")
    directory = Path(tempfile.mkdtemp(prefix="fault-"))
    directory.chmod(0o755)
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        ledger = Ledger(directory / "ledger.jsonl")
        cleanup.callback(ledger.close)
        stage = Stage(name, seed, directory, template, ledger, cleanup, request.node.user_properties.append)
        before = request.session.testsfailed
        yield stage
        # The report of this test's call comes before this line.
        if request.session.testsfailed > before or os.environ.get("FAULT_TELL"):
            stage.tell()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The tables, in the order of names: faults are played two at a time."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    noted = [
        row for report in reports if getattr(report, "when", "") == "call" for row in report.user_properties
    ]
    for title, columns in (("faults", COLUMNS), ("told", TOLD_COLUMNS)):
        _print(terminalreporter, title, columns, sorted(row for of, row in noted if of == title))


def _print(terminalreporter: Any, title: str, columns: Sequence[str], table: Sequence[Sequence[str]]) -> None:
    if not table:
        return
    lines = [columns, *table]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    terminalreporter.section(title)
    for first, *others in lines:
        cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        terminalreporter.write_line("  ".join(cells))
