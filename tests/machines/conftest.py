"""What each loss of a machine is played on: three machines, clients, one ledger for all, and the table."""

import contextlib
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import Verdict, check
from tests.faults.ledger import Ledger
from tests.machines.clients import CONNECTIONS, MachineLoad, Watcher
from tests.machines.cluster import NAMES, Cluster
from tests.machines.network import why_not
from tests.machines.table import Control, Row, put_into, when_and_where, written

WITHOUT = (
    "without namespaces all machines are on one network, 127.0.0.11 to 13: nothing is cut off, and a machine "
    "that is lost says good-bye"
)


# Clients of a scenario in which nothing depends on how many there are.
CONNECTIONS_FEW = 6
# What was lost without a safeguard.
CONTROLS: list[Control] = []


@dataclass
class Stage:
    """The machines, everything that clients were told so far, and the rows of the table."""

    cluster: Cluster
    ledger: Ledger
    seed: int
    rows: list[Row] = field(default_factory=list)
    before: Verdict = field(default_factory=Verdict)
    loads: int = 0

    def load(self, *machines: str, where: Any = None, connections: int = CONNECTIONS) -> MachineLoad:
        """Clients of the webs of these machines, or of all."""
        self.loads += 1
        names = machines or NAMES
        name = f"load{self.loads}"
        return MachineLoad(self.cluster, self.ledger, self.seed, name, names, where, connections)

    @contextlib.contextmanager
    def scenario(self, name: str, connections: int = CONNECTIONS_FEW) -> Iterator[MachineLoad]:
        """Plays what is in the block under load, waits until all is whole again, checks, and adds the row."""
        with Watcher(self.cluster) as watcher, self.load(connections=connections) as load:
            load.wait(1500)
            yield load
            began = time.monotonic()
            self.cluster.wait_whole()
            self.cluster.wait_ready()
            whole_s = time.monotonic() - began
            load.wait(1500)
            load.stop()
            self.cluster.wait_drained()
            # What was accepted last is shown a moment later.
            time.sleep(1)
        verdict = check(self.cluster, self.ledger.path)
        self.rows.append(self._row(name, verdict, load.longest_gap_s, whole_s))
        self.before = verdict
        wrong = [*verdict.wrong, *(f"G: {hole}" for hole in watcher.holes)]
        assert not wrong, f"{len(wrong)} violations, seed {self.seed}: {wrong[:10]}"
        assert watcher.shown, "the dashboard was shown nothing"
        assert self.cluster.alarms() == []

    def _row(self, name: str, verdict: Verdict, gap_s: float, whole_s: float) -> Row:
        def more(what: str) -> str:
            return str(getattr(verdict, what) - getattr(self.before, what))

        balance = not any(each.startswith("H:") for each in verdict.wrong)
        books = "balance" if balance else "DO NOT BALANCE"
        lost, doubled = more("lost"), more("doubled")
        return Row(name, more("acknowledged"), lost, doubled, f"{gap_s:.1f}", f"{whole_s:.0f}", books)

    def apart(self) -> tuple[str, str]:
        """The machines of Redis' primary and PostgreSQL's leader, which are made two where they are one."""
        self.cluster.wait_whole()
        for _ in range(5):
            redis, postgres = self.cluster.redis_standing(), self.cluster.postgres_standing()
            assert redis is not None
            assert postgres is not None
            if redis.primary != postgres.primary:
                return redis.primary, postgres.primary
            self.cluster.hand_over_redis()
        raise AssertionError("the sentinels hand Redis over to the same machine again and again")


@pytest.fixture(scope="session")
def seed() -> int:
    """FAULT_SEED, else a new one."""
    number = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**9))
    print(f"FAULT_SEED={number}")
    return number


@pytest.fixture(scope="session")
def stage(seed: int, request: pytest.FixtureRequest) -> Iterator[Stage]:
    directory = Path(tempfile.mkdtemp(prefix="machines-"))
    directory.chmod(0o755)
    reason = os.environ.get("NO_NAMESPACES") or why_not()
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        cluster = Cluster(directory, namespaces=not reason)
        cleanup.callback(cluster.close)
        cleanup.enter_context(cluster.as_client())
        ledger = Ledger(directory / "ledger.jsonl")
        cleanup.callback(ledger.close)
        cluster.start_servers()
        cluster.start_application()
        stage = Stage(cluster, ledger, seed)
        request.config.stash[ROWS] = stage.rows
        yield stage
        if request.session.testsfailed or os.environ.get("FAULT_TELL"):
            tell(cluster)


ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def cables(stage: Stage) -> Iterator[None]:
    """For what needs machines that can be cut off; whatever becomes of it, the next finds none that is."""
    if not stage.cluster.namespaces:
        pytest.skip(WITHOUT)
    yield
    for machine in stage.cluster.machines.values():
        if machine.namespace is not None:
            machine.namespace.mend()


def tell(cluster: Cluster) -> None:
    """Prints how it stands, and the ends of all logs."""
    print(f"Redis {cluster.redis_standing()}, PostgreSQL {cluster.postgres_standing()}, {cluster.books()}")
    for machine in cluster.machines.values():
        for log in sorted(machine.directory.glob("*.log")):
            print(f"--- {machine.name} {log.stem}")
            print("\n".join(log.read_text(errors="replace").splitlines()[-25:]))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table; MACHINES_TABLE names a page whose own it replaces."""
    rows = config.stash.get(ROWS, [])
    if not rows and not CONTROLS:
        return
    text = written(rows, CONTROLS, when_and_where())
    terminalreporter.section("machines")
    terminalreporter.write_line(text)
    if file := os.environ.get("MACHINES_TABLE"):
        put_into(Path(file), text)
