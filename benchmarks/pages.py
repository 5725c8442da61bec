"""How soon pages of the admin and of the API open over as many rows as the averages have left."""

import time

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from benchmarks import averages
from benchmarks.report import Section, number
from benchmarks.stage import Stage, say
from transactions.models import Transaction

ROUNDS = 5
ADMIN = "/admin/transactions/transaction/"
LIST = "/api/transactions/"
OPEN_MS_MAX = 1000.0


def run(stage: Stage) -> Section:
    rows = max(stage.scale.average_rows)
    if Transaction.objects.order_by("-id").values_list("id", flat=True).first() is None:
        averages.fill(stage, rows)
    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.create_superuser("benchmarks"))
    user, id = stage.users[7], f"average-{rows // 2}"
    pages = {
        "admin: the list": ADMIN,
        "admin: of one day": f"{ADMIN}?created_at__year=2024&created_at__month=2&created_at__day=1",
        "admin: of one status": f"{ADMIN}?status__exact=PENDING",
        "admin: search by id": f"{ADMIN}?q={id}",
        "admin: of one user": f"{ADMIN}?user={user}",
        "admin: the dashboard's figures": "/admin/dashboard/figures/",
        "api: the list": LIST,
        "api: of one user": f"{LIST}?user={user}",
        "api: of one status": f"{LIST}?status=FAILED",
        "api: by amount": f"{LIST}?amount_min=89990",
        "api: one transaction": f"{LIST}{id}/",
    }
    section = Section(f"Pages over {rows:,} rows")
    taken = {name: _open(client, name, path) for name, path in pages.items()}
    section.table(("page", "best ms", "worst ms"), [(name, min(ms), max(ms)) for name, ms in taken.items()])
    slowest = max(min(ms) for name, ms in taken.items() if name.startswith("admin"))
    section.target(
        f"the slowest of these pages of the admin, {rows:,} rows",
        f"< {number(OPEN_MS_MAX)} ms",
        f"{number(slowest)} ms",
        slowest < OPEN_MS_MAX,
    )
    return section


def _open(client: Client, name: str, path: str) -> list[float]:
    taken_ms = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path)
        taken_ms.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
    say(f"pages: {name}: {number(min(taken_ms))} ms")
    return taken_ms
