"""From a POST to its alert in the table, everything on this machine, while the system is not behind."""

import json
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User

from benchmarks.history import FIRST_USER, bring_into_force, forget_rules
from benchmarks.load import Address, Client, Make, percentile
from benchmarks.posts import SINGLE, head
from benchmarks.report import Section, number
from benchmarks.stage import Stage, Unbalanced, say, settle_up
from benchmarks.sustained import everything
from transactions.alerts.models import Alert

# POSTs a second; one in so many is a large amount, each time of another user.
RATE = 200.0
LARGE_EVERY = 8
SECONDS, QUICK_SECONDS = 40.0, 10.0
CONNECTIONS = 20
RULES = 20
SEEN_S_MAX = 60.0
GRACE_S = 1.0
# Of the mix of rules, the one that finds the large amounts.
RULE = "amount 15"
HEADS = ("large amounts", "alerts", "p50 s", "p99 s", "most s", "POST, p99 ms", "not 200")


class Watch:
    """Notes when each user's alert is in the table, on the monotonic clock: to a tenth of a second."""

    def __init__(self, rule: str) -> None:
        self._rule, self._last = rule, 0
        self.seen: dict[int, float] = {}

    def look(self) -> None:
        found = Alert.objects.filter(rule_name=self._rule, pk__gt=self._last).order_by("pk")
        now = time.monotonic()
        for self._last, user in found.values_list("pk", "user"):
            self.seen.setdefault(user or 0, now)


def run(stage: Stage) -> Section:
    section = Section("From a POST to its alert")
    seconds = QUICK_SECONDS if stage.scale.quick else SECONDS
    bring_into_force_anew()
    watch = Watch(RULE)
    with everything() as address:
        time.sleep(6.0)  # Beat's first tick
        say(f"alerts: {RATE:.0f} POSTs a second for {seconds:.0f} s")
        posted, post_p99_ms, bad = post(stage, address, seconds, watch.look)
        until = time.monotonic() + SEEN_S_MAX
        while len(watch.seen) < len(posted) and time.monotonic() < until:
            time.sleep(0.05)
            watch.look()
    if watch.seen.keys() != posted.keys():
        raise Unbalanced(f"{len(posted)} alerts were to be raised, and {len(watch.seen)} were.")
    took = [watch.seen[user] - at for user, at in posted.items()]
    p50, p99 = percentile(took, 50), percentile(took, 99)
    section.table(HEADS, [(len(posted), len(watch.seen), p50, p99, max(took), post_p99_ms, bad)])
    limit = settings.FLUSH_INTERVAL_SECONDS + GRACE_S
    section.target(
        f"from a POST to its alert in the table, {RULES} rules, p99",
        f"≤ {limit:g} s (a flush interval and {GRACE_S:g} s)",
        f"{number(p99)} s",
        p99 <= limit,
    )
    section.note(settle_up())
    return section


def bring_into_force_anew() -> None:
    """The rules, and no alerts."""
    if not User.objects.filter(pk=FIRST_USER).exists():
        User.objects.bulk_create(User(pk=FIRST_USER + n, username=f"judged-{n}") for n in range(2))
    forget_rules()
    bring_into_force(RULES)


def post(
    stage: Stage, address: Address, seconds: float, look: Callable[[], None]
) -> tuple[dict[int, float], float, int]:
    """When each user's large amount was due; the POSTs' own p99 in ms; and how many were not answered 200.

    `look` is called meanwhile, about every 100 ms.
    """
    count = int(RATE * seconds)
    large = {n: stage.users[n // LARGE_EVERY] for n in range(0, count, LARGE_EVERY)}
    with Client(address, CONNECTIONS, _make(stage, large)) as client:
        began = time.monotonic()
        load = client.open(RATE, seconds, look)
    return {user: began + n / RATE for n, user in large.items()}, load.percentile_ms(99), load.bad


def _make(stage: Stage, large: dict[int, int]) -> Make:
    run, users = secrets.token_hex(4), stage.users

    def make(number: int) -> bytes:
        user, amount = large.get(number), 95_001
        if user is None:
            user, amount = users[number % len(users)], 10_001 + number % 10_000
        record = {"transaction_id": f"{run}-{number}", "user": user, "amount": amount, "status": "SUCCESS"}
        body = json.dumps(record).encode()
        return head(SINGLE, len(body), stage.token) + body

    return make
