"""How soon pages of the admin and of the API open over as many rows as the averages have left."""

import time
from statistics import median
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from benchmarks import averages, filling
from benchmarks.report import Section, number
from benchmarks.stage import Stage, say, settle_up
from transactions.models import Transaction
from transactions.reading.detail import UNSTORED_LOOKED_AT_MAX

# Of each page; one is opened once before, which fills what is cached.
ROUNDS = 15
ADMIN = "/admin/transactions/transaction/"
LIST = "/api/transactions/"
FOUND = "/admin/find/found/"
OPEN_MS_MAX = 1000.0
# Over as many rows as these.
LIST_MS_MAX = {1_000_000: 300.0, 10_000_000: 500.0}
SEARCH_MS_MAX = 200.0
# What is typed: whole and part of an id, in capitals, common and short parts, signs, and a great deal.
TYPED = (
    "{id}", "{part}", "AVERAGE-{part}", "verage-", "rage-{part}", "0000", "a", "0", "9-", "12345", "%", "_",
    "\\", "\0", "%%%", "---", "مرحبا", "payer-10", "er-15", "zzzzz", "x" * 10_000,
)  # fmt: skip


def run(stage: Stage) -> Section:
    rows = max(stage.scale.average_rows)
    if Transaction.objects.order_by("-id").values_list("id", flat=True).first() is None:
        averages.fill(stage, rows)
    _leave_unstored(stage)
    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.create_superuser("benchmarks"))
    user, id = stage.users[7], f"average-{rows // 2}"
    pages = {
        "admin: the list": ADMIN,
        "admin: of one day": f"{ADMIN}?from=2024-02-01&to=2024-02-01",
        "admin: of one status": f"{ADMIN}?status=PENDING",
        "admin: by a part of the id": f"{ADMIN}?q={id[2:]}",
        "admin: of one user": f"{ADMIN}?user={user}",
        "admin: the oldest": f"{ADMIN}?order=oldest",
        "admin: the largest": f"{ADMIN}?order=largest",
        "admin: a range of amounts": f"{ADMIN}?amount_min=50000&amount_max=50100",
        "admin: the largest of a month": f"{ADMIN}?order=largest&from=2024-02-01&to=2024-02-29",
        "admin: the dashboard's figures": "/admin/dashboard/figures/",
        "api: the list": LIST,
        "api: of one user": f"{LIST}?user={user}",
        "api: of one status": f"{LIST}?status=FAILED",
        "api: by amount": f"{LIST}?amount_min=89990",
        "api: one transaction": f"{LIST}{id}/",
    }
    waiting = f"{UNSTORED_LOOKED_AT_MAX:,}"
    section = Section(f"Pages over {rows:,} rows, {waiting} waiting and {waiting} rejected records")
    taken = {name: _open(client, name, path) for name, path in pages.items()}
    section.table(
        ("page", f"median ms of {ROUNDS}", "worst ms"),
        [(name, median(ms), max(ms)) for name, ms in taken.items()],
    )
    typed = _searched(client, id)
    section.table(("typed into the search", f"median ms of {ROUNDS}", "worst ms"), typed)
    slowest = max(median(ms) for name, ms in taken.items() if name.startswith("admin"))
    slowest_search = max(ms for _, ms, _ in typed)
    section.target(
        f"the search, whatever is typed, {rows:,} rows", f"< {number(SEARCH_MS_MAX)} ms",
        f"median of {ROUNDS} ≤ {number(slowest_search)} ms", slowest_search < SEARCH_MS_MAX,
    )  # fmt: skip
    if wanted := LIST_MS_MAX.get(rows):
        own = {name: median(ms) for name, ms in taken.items() if name.startswith("admin")}
        lists = max(ms for name, ms in own.items() if "figures" not in name)
        section.target(
            f"the list of transactions, {rows:,} rows", f"< {number(wanted)} ms",
            f"median of {ROUNDS} ≤ {number(lists)} ms", lists < wanted,
        )  # fmt: skip
    section.target(
        f"the slowest of these pages of the admin, {rows:,} rows",
        f"< {number(OPEN_MS_MAX)} ms",
        f"median of {ROUNDS} ≤ {number(slowest)} ms",
        slowest < OPEN_MS_MAX,
    )
    settle_up()
    return section


def _leave_unstored(stage: Stage) -> None:
    """As many rejected and waiting records as the search looks at: users of the rejected go first."""
    leavers = range(stage.users.stop, stage.users.stop + 1000)
    User.objects.bulk_create(User(pk=key, username=f"leaver-{key}") for key in leavers)
    filling.fill(UNSTORED_LOOKED_AT_MAX, leavers)
    User.objects.filter(pk__in=leavers).delete()
    settle_up()
    filling.fill(UNSTORED_LOOKED_AT_MAX, stage.users)


def _searched(client: Client, id: str) -> list[tuple[str, float, float]]:
    """How soon the search answers each text of TYPED."""
    texts = [text.format(id=id, part=id[-5:]) for text in TYPED]
    rows = []
    for text in texts:
        ms = _open(client, f"search {text[:20]!r}", f"{FOUND}?{urlencode({'q': text})}")
        rows.append((ascii(text[:20]), median(ms), max(ms)))
    return rows


def _open(client: Client, name: str, path: str) -> list[float]:
    """Milliseconds of each of ROUNDS openings, after one that is not counted."""
    taken_ms = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        answer = client.get(path)
        taken_ms.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
    taken_ms = taken_ms[1:]
    say(f"pages: {name}: median of {ROUNDS} {number(median(taken_ms))} ms")
    return taken_ms
