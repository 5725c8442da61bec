"""An alert on every dashboard: from the commit that opened it to the frame, while transactions arrive.

Alone: `python -m benchmarks alert_frames`. One Daphne process; the dashboards are the process of the part
`dashboards`, and this one opens the alerts, as a flush does: in a transaction, and told after its commit.
"""

import time
from collections import defaultdict

from benchmarks import posts
from benchmarks.dashboards import CONNECTIONS, RATE, Seen, dashboards
from benchmarks.load import Address, Client, Load, percentile
from benchmarks.report import Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.stage import Stage, Unbalanced, say, settle_up
from transactions.alerts import announcing
from transactions.alerts.grouping import Raised, group
from transactions.alerts.models import Alert, AlertState
from transactions.stores.postgres_session import Session

# Seconds between two alerts, no multiple of anything that takes turns.
EVERY_S = 1.3
# Seconds that are waited for the last frames.
GRACE_S = 5.0
MOST_MS_MAX = 1000.0
# A rule that there is not.
RULE = 1_000_001
HEADS = ("sockets", "alerts", "frames", "p50 ms", "p99 ms", "most ms", "POST p99 ms", "not 200")


class Raising:
    """Opens an alert each EVERY_S, of another user each time, and notes when it was committed.

    `committed` is by how many were open then: nobody else opens or closes one meanwhile.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._due_at = time.monotonic() + EVERY_S
        self._open = Alert.objects.exclude(state=AlertState.CLOSED).count()
        self.committed: dict[int, float] = {}

    def go_on(self) -> None:
        if time.monotonic() < self._due_at:
            return
        self._due_at += EVERY_S
        with self._session.transaction() as cursor:
            group(cursor, [Raised(RULE, "Large amounts", "HIGH", len(self.committed) + 1, 1)])
        self._open += 1
        self.committed[self._open] = time.monotonic()
        announcing.changed()


def run(stage: Stage) -> Section:
    section = Section("Alerts on dashboards")
    sockets, seconds = (100, 6.0) if stage.scale.quick else (1000, 60.0)
    say(f"alert frames: {sockets} sockets, {RATE} POSTs/s for {seconds:.0f} s")
    with serve(Server("daphne", OURS)) as address:
        committed, seen, load = _turn(stage, address, sockets, seconds)
    took = _latencies_ms(committed, seen, sockets)
    p99, most = percentile(took, 99), max(took)
    row = (sockets, len(committed), len(seen), percentile(took, 50), p99, most)
    section.table(HEADS, [(*row, load.percentile_ms(99), load.bad)])
    what = f"{sockets} dashboards, {RATE} transactions/s, an alert's commit to its frame, most"
    section.target(what, f"< {MOST_MS_MAX:.0f} ms", f"{number(most)} ms", most < MOST_MS_MAX)
    Alert.objects.filter(rule=RULE).delete()
    section.note(settle_up())
    return section


def _turn(
    stage: Stage, address: Address, sockets: int, seconds: float
) -> tuple[dict[int, float], list[Seen], Load]:
    """When each alert was committed, what the dashboards saw, and how the POSTs did."""
    with Session("benchmarks") as session, Client(address, CONNECTIONS, posts.single(stage)) as client:
        client.open(RATE, 2.0)
        with dashboards(address, sockets, "alert") as (_, finish):
            raising = Raising(session)
            load = client.open(RATE, seconds, raising.go_on)
            time.sleep(GRACE_S)
            return raising.committed, finish(), load


def _latencies_ms(committed: dict[int, float], seen: list[Seen], sockets: int) -> list[float]:
    """From each commit to the first frame that counts its alert, on each socket; it counts all before too."""
    by_socket: dict[int, list[Seen]] = defaultdict(list)
    for frame in seen:
        by_socket[frame.socket].append(frame)
    took = []
    for frames in by_socket.values():
        for count, at in committed.items():
            told_at = next((frame.at for frame in frames if frame.last >= count), None)
            if told_at is None:
                raise Unbalanced(f"A dashboard was not told that {count} alerts are open.")
            took.append((told_at - at) * 1000)
    if len(took) < sockets * len(committed) or not took:
        raise Unbalanced(f"{len(by_socket)} of {sockets} dashboards were told of {len(committed)} alerts.")
    return took
