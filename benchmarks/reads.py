"""What is asked of one Daphne process, beside what is posted to it: reads, probes, files, odd POSTs."""

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from benchmarks import averages, posts
from benchmarks.load import Address, Client, Load, Make
from benchmarks.report import Row, Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.single import best
from benchmarks.stage import Stage, say, settle_up
from transactions.metrics import ticks
from transactions.models import Transaction
from transactions.notifications import numbering

FEW, MANY = 8, 50
ROWS = 100_000
STATIC = "transactions/looks/frame.css"
SINGLE = "a single POST, JSON"
HEADS = ("", "/s", "of the single POST", "p50 ms", "p99 ms", "not 200", "Django's own /s", "times")
# Ours, ours without lanes, and ours without lanes on Django's own handler.
LANES, NO_LANES, DJANGOS_OWN = "ours", "ours without lanes", "Django's own handler"
SERVERS = {
    LANES: Server("daphne", OURS),
    NO_LANES: Server("daphne", OURS, {"FAST_LANE": "false"}),
    DJANGOS_OWN: Server("daphne", "benchmarks.baselines.django_handler:application", {"FAST_LANE": "false"}),
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent, over and over, by each connection; `posts` leaves records behind.

    Wanted is `share` of the single POST's rate, at MANY connections; or so many `times` what Django's own
    handler does, at `times_at`.
    """

    name: str
    make: Callable[[Stage], Make]
    server: str = LANES
    posts: bool = False
    share: float | None = None
    times: float | None = None
    times_at: int = FEW


def get(path: str) -> Callable[[Stage], Make]:
    """Makes the same GET every time, with the stage's token."""

    def make(stage: Stage) -> Make:
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {stage.token}", "", ""]
        whole = "\r\n".join(lines).encode()
        return lambda number: whole

    return make


def form(stage: Stage) -> Make:
    """Makes single POSTs as HTML forms, which the fast lane answers as it does JSON."""
    run = secrets.token_hex(4)
    first, count = stage.users[0], len(stage.users)

    def make(number: int) -> bytes:
        fields = {"transaction_id": f"{run}-{number:09}", "user": first + number % count, "amount": 10_000}
        content = urlencode(fields).encode()
        head = posts.head(posts.SINGLE, len(content), stage.token)
        return head.replace(b"application/json", b"application/x-www-form-urlencoded") + content

    return make


def static(stage: Stage) -> Make:
    """Makes GETs of a file that WhiteNoise serves, under the name that tells its content."""
    return get(staticfiles_storage.url(STATIC))(stage)


MONTH = "from=2025-03-01&to=2025-03-31"
QUESTIONS = (
    Question(SINGLE, posts.single, posts=True),
    Question("a single POST, a form", form, posts=True, times=3, times_at=MANY),
    Question("a single POST, FAST_LANE=false", posts.single, NO_LANES, posts=True, times=3, times_at=MANY),
    Question("GET one transaction", get(f"/api/transactions/average-{ROWS // 2}/"), share=0.5),
    Question("GET a page of 50", get("/api/transactions/?limit=50&status=FAILED"), times=4),
    Question("GET the averages of a month", get(f"/api/transactions/average/?{MONTH}"), times=4),
    Question("GET the books", get("/api/pipeline/"), times=4),
    Question("GET /livez", get("/livez"), share=0.5),
    Question("GET /readyz", get("/readyz"), share=0.5),
    Question("GET a static file", static, share=0.5),
)
# By question, those of the server that it is for, and those of Django's own handler.
Loads = dict[str, tuple[list[Load], list[Load]]]


def run(stage: Stage) -> Section:
    """Every question has its turn at each number of connections, round after round; the best counts.

    Django's own handler has its turn right behind ours, with the same question.
    """
    if not Transaction.objects.filter(transaction_id=f"average-{ROWS // 2}").exists():
        averages.fill(stage, ROWS)
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    section = Section("What is read, and what Django answers, one Daphne process")
    with ExitStack() as stack:
        where = {name: stack.enter_context(serve(server)) for name, server in SERVERS.items()}
        found = {connections: _loads(stage, where, connections) for connections in (FEW, MANY)}
    for connections, loads in found.items():
        section.note(f"{connections} connections:")
        section.table(HEADS, _rows(loads))
    _compare(section, found)
    section.note(settle_up())
    return section


def _loads(stage: Stage, where: dict[str, Address], connections: int) -> Loads:
    loads: Loads = {question.name: ([], []) for question in QUESTIONS}
    for turn in range(stage.scale.rounds):
        for question in QUESTIONS:
            servers = [question.server] if question.times is None else [question.server, DJANGOS_OWN]
            # As workers do at each tick, or nobody is ready: messages of parts before would wait in vain.
            settle_up()
            ticks.tick("done")
            while numbering.number():
                pass
            for server, kept in zip(servers, loads[question.name], strict=False):
                with Client(where[server], connections, question.make(stage)) as client:
                    load = client.closed(stage.scale.window_s, stage.scale.warm_up_s)
                kept.append(load)
                if question.posts:
                    settle_up()
            rates = ", ".join(f"{number(kept[-1].per_second)}/s" for kept in loads[question.name] if kept)
            say(f"reads, {connections} connections, {turn + 1}: {question.name}: {rates}")
    return loads


def _rows(loads: Loads) -> list[Row]:
    single = best(loads[SINGLE][0]).per_second
    rows: list[Row] = []
    for name, (rounds, others) in loads.items():
        load = best(rounds)
        bad = sum(each.bad for each in rounds)
        row = (name, load.per_second, load.per_second / single, load.percentile_ms(50))
        other = best(others).per_second if others else 0.0
        compared = (other, f"{load.per_second / other:.1f}") if other else ("", "")
        rows.append((*row, load.percentile_ms(99), bad, *compared))
    return rows


def _compare(section: Section, found: dict[int, Loads]) -> None:
    single = best(found[MANY][SINGLE][0]).per_second
    for question in QUESTIONS:
        if question.share is not None:
            share = best(found[MANY][question.name][0]).per_second / single
            what = f"{question.name}, of the single POST's rate, {MANY} connections"
            section.target(what, f"≥ {question.share:g} ×", f"{share:.2f} ×", share >= question.share)
        if question.times is not None:
            ours, others = found[question.times_at][question.name]
            times = best(ours).per_second / best(others).per_second
            what = f"{question.name}, against Django's own handler, {question.times_at} connections"
            section.target(what, f"≥ {question.times:g} ×", f"{times:.1f} ×", times >= question.times)
