"""Single POSTs, one server process: requests a second, p50 and p99, at 50 and 500 connections."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import posts
from benchmarks.baselines import INSERT_PATH, QUEUE, SEED_PATH
from benchmarks.load import Address, Client, Load
from benchmarks.report import Row, Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.stage import Stage, say, settle_up
from transactions.stores.redis_connection import connection

CONNECTIONS = (50, 500)
BARE = "benchmarks.baselines.bare:application"
FRAMEWORK = "benchmarks.baselines.framework:application"
SITE = "benchmarks.baselines.django_site:application"


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    server: Server
    path: str = posts.SINGLE
    token: bool = True


OURS_DAPHNE = Contestant("ours, Daphne", Server("daphne", OURS))
BARE_DAPHNE = Contestant("bare ASGI callable, Daphne: the limit", Server("daphne", BARE))
OURS_UVICORN = Contestant("ours, uvicorn", Server("uvicorn", OURS))
BARE_UVICORN = Contestant("bare ASGI callable, uvicorn: the limit", Server("uvicorn", BARE))
FASTAPI = Contestant("FastAPI + RPUSH + PUBLISH, uvicorn", Server("uvicorn", FRAMEWORK))
SEED = Contestant("the seed's manner, Daphne", Server("daphne", SITE), SEED_PATH)
CONTESTANTS = (
    OURS_DAPHNE,
    BARE_DAPHNE,
    Contestant("ours without a token, Daphne", Server("daphne", OURS), token=False),
    Contestant("ours, FAST_LANE=false, Daphne", Server("daphne", OURS, {"FAST_LANE": "false"})),
    OURS_UVICORN,
    BARE_UVICORN,
    FASTAPI,
    Contestant("DRF + one INSERT a request, Daphne", Server("daphne", SITE), INSERT_PATH),
    SEED,
)

Loads = Mapping[str, Sequence[Load]]


def run(stage: Stage) -> Section:
    """Every contestant has its turn, round after round; the best round counts, and all are shown."""
    section = Section("Single POSTs, one server process")
    with ExitStack() as stack:
        servers = [(each, stack.enter_context(serve(each.server))) for each in CONTESTANTS]
        for connections in CONNECTIONS:
            loads: dict[str, list[Load]] = defaultdict(list)
            for turn in range(stage.scale.rounds):
                for contestant, address in servers:
                    load = take_turn(stage, contestant, address, connections)
                    loads[contestant.name].append(load)
                    say(f"single, {connections} connections, {turn + 1}: {contestant.name}: {_line(load)}")
            section.note(f"{connections} connections:")
            section.table(HEADS, _rows(loads))
            _compare(section, connections, loads)
    section.note(settle_up())
    return section


def take_turn(
    stage: Stage, contestant: Contestant, address: Address, connections: int, headers: Sequence[str] = ()
) -> Load:
    """One closed load on one contestant; what it left in Redis is stored or removed afterwards."""
    make = posts.single(stage, contestant.path, token=contestant.token, headers=headers)
    with Client(address, 1, make) as first:
        first.closed(0.05, 0.0)  # the token becomes known
    make = posts.single(stage, contestant.path, token=contestant.token, headers=headers)
    with Client(address, connections, make) as client:
        load = client.closed(stage.scale.window_s, stage.scale.warm_up_s)
    connection().delete(QUEUE)
    settle_up()
    return load


def best(loads: Iterable[Load]) -> Load:
    """The round least disturbed by what else the machine did."""
    return max(loads, key=lambda load: load.per_second)


HEADS = ("", "best /s", "of the limit", "p50 ms", "p99 ms", "not 200", "all rounds /s")


def _rows(loads: Loads) -> Iterable[Row]:
    for name, rounds in loads.items():
        load = best(rounds)
        limit = BARE_DAPHNE if "Daphne" in name else BARE_UVICORN
        share = load.per_second / best(loads[limit.name]).per_second
        bad = sum(each.bad for each in rounds)
        every = " ".join(number(each.per_second) for each in rounds)
        yield name, load.per_second, share, load.percentile_ms(50), load.percentile_ms(99), bad, every


def _compare(section: Section, connections: int, loads: Loads) -> None:
    rates = {name: best(rounds).per_second for name, rounds in loads.items()}
    for what, ours, other, wanted in (
        ("one Daphne process, of the bare Daphne limit", OURS_DAPHNE, BARE_DAPHNE, 0.65),
        ("one Daphne process, against the seed's manner", OURS_DAPHNE, SEED, 20.0),
        ("uvicorn, of the bare uvicorn limit", OURS_UVICORN, BARE_UVICORN, 0.4),
        ("uvicorn, against FastAPI + Redis", OURS_UVICORN, FASTAPI, 4.0),
    ):
        if not rates[other.name]:  # a window too short for its first answers
            continue
        ratio = rates[ours.name] / rates[other.name]
        section.target(
            f"single POST, {what}, {connections} connections",
            f"≥ {wanted:g} ×",
            f"{ratio:.2f} ×",
            ratio >= wanted,
        )


def _line(load: Load) -> str:
    p50, p99 = number(load.percentile_ms(50)), number(load.percentile_ms(99))
    return f"{number(load.per_second)}/s, p50 {p50} ms, p99 {p99} ms"
