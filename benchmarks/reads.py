"""What is asked of one Daphne process, beside what is posted to it: reads, probes, files, odd POSTs."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from benchmarks import averages, posts
from benchmarks.load import Client, Load, Make
from benchmarks.report import Row, Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.single import best
from benchmarks.stage import Stage, say, settle_up
from transactions.models import Transaction

CONNECTIONS = (8, 50)
ROWS = 100_000
STATIC = "transactions/admin.css"
SINGLE = "a single POST, JSON"
HEADS = ("", "/s", "of the single POST", "p50 ms", "p99 ms", "not 200")
# Parts of the single POST's rate that are wanted at 50 connections.
WANTED = {"GET one transaction": 0.5, "GET /livez": 0.5, "GET a static file": 0.5}


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent, over and over, by each connection; `posts` leaves records behind."""

    name: str
    make: Callable[[Stage], Make]
    posts: bool = False


def get(path: str) -> Callable[[Stage], Make]:
    """Makes the same GET every time, with the stage's token."""

    def make(stage: Stage) -> Make:
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {stage.token}", "", ""]
        whole = "\r\n".join(lines).encode()
        return lambda number: whole

    return make


def form(stage: Stage) -> Make:
    """Makes single POSTs as HTML forms, which the fast lane leaves to Django."""
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
    Question("a single POST, a form", form, posts=True),
    Question("GET one transaction", get(f"/api/transactions/average-{ROWS // 2}/")),
    Question("GET a page of 50", get("/api/transactions/?limit=50&status=FAILED")),
    Question("GET the averages of a month", get(f"/api/transactions/average/?{MONTH}")),
    Question("GET the books", get("/api/pipeline/")),
    Question("GET /livez", get("/livez")),
    Question("GET a static file", static),
)


def run(stage: Stage) -> Section:
    """Every question has its turn at each number of connections, round after round; the best counts."""
    if not Transaction.objects.filter(transaction_id=f"average-{ROWS // 2}").exists():
        averages.fill(stage, ROWS)
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    section = Section("What Django answers, one Daphne process")
    with serve(Server("daphne", OURS)) as address:
        for connections in CONNECTIONS:
            loads: dict[str, list[Load]] = {question.name: [] for question in QUESTIONS}
            for turn in range(stage.scale.rounds):
                for question in QUESTIONS:
                    with Client(address, connections, question.make(stage)) as client:
                        load = client.closed(stage.scale.window_s, stage.scale.warm_up_s)
                    loads[question.name].append(load)
                    if question.posts:
                        settle_up()
                    figures = f"{number(load.per_second)}/s, p99 {number(load.percentile_ms(99))} ms"
                    say(f"reads, {connections} connections, {turn + 1}: {question.name}: {figures}")
            section.note(f"{connections} connections:")
            section.table(HEADS, _rows(loads))
    _compare(section, loads)
    section.note(settle_up())
    return section


def _rows(loads: dict[str, list[Load]]) -> list[Row]:
    single = best(loads[SINGLE]).per_second
    rows: list[Row] = []
    for name, rounds in loads.items():
        load = best(rounds)
        bad = sum(each.bad for each in rounds)
        share = load.per_second / single
        rows.append((name, load.per_second, share, load.percentile_ms(50), load.percentile_ms(99), bad))
    return rows


def _compare(section: Section, loads: dict[str, list[Load]]) -> None:
    single = best(loads[SINGLE]).per_second
    for name, wanted in WANTED.items():
        share = best(loads[name]).per_second / single
        what = f"{name}, of the single POST's rate, {CONNECTIONS[-1]} connections"
        section.target(what, f"≥ {wanted:g} ×", f"{share:.2f} ×", share >= wanted)
