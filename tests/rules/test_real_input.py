"""The starter rules over a file of transactions, replayed through the API as history, and by backtest."""

import csv
import os
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User

from tests.support.replayed import HEADER, replay
from tests.support.rules import pay_debt, run_clock
from tests.support.serving import ROOT
from transactions.models import Transaction
from transactions.rules import backtest, documents, lifecycle
from transactions.rules.kinds.registry import read
from transactions.rules.models import Hit, ListEntry, UserList, Version
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

REAL = Path(os.environ.get("REPLAY_FILE") or ROOT.parent / "shared/data/online_retail_invoices.csv")
PAGE = (ROOT / "docs/rules.md").read_text()
# Whom the file knows best, or one of those of the file that is made up.
WATCHED = (17841, 14911, 101)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Line(NamedTuple):
    """A transaction as the file has it, and its place in the order of storing."""

    place: int
    id: str
    user: int
    amount: int
    failed: bool
    at: datetime


def stored_of(file: Path) -> list[Line]:
    """What is stored of a file, in the order of time; its figures are the file's, its places PostgreSQL's."""
    places = dict(Transaction.objects.values_list("transaction_id", "id"))
    lines = {}
    with file.open(newline="") as source:
        for row in csv.DictReader(source):
            if row["user"] and row["transaction_id"] not in lines:
                id, user, amount = row["transaction_id"], int(row["user"]), int(row["amount"])
                at = datetime.fromisoformat(row["created_at"])
                lines[id] = Line(places[id], id, user, amount, row["status"] == "FAILED", at)
    assert lines.keys() == places.keys()
    return sorted(lines.values(), key=lambda line: (line.at, line.place))


def hits_of(lines: list[Line]) -> dict[str, set[str]]:
    """What each starter rule should find, by its sentence alone: ids, or the beginnings of quarters."""
    users: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        users[line.user].append(line)
    return {**by_itself(lines, users), **within_windows(users), "More failures than usual": rates_of(lines)}


def by_itself(lines: list[Line], users: dict[int, list[Line]]) -> dict[str, set[str]]:
    """Of the rules that judge each transaction, or it and what came before it."""

    def before(x: Line, days: int) -> list[Line]:
        return [y for y in users[x.user] if x.at - days * DAY < y.at <= x.at and y.place < x.place]

    def unusual(x: Line) -> bool:
        past = [y.amount for y in before(x, 90)][-50:]
        return len(past) >= 10 and sum(past) > 0 and x.amount * len(past) >= 20 * sum(past)

    conditions: dict[str, Callable[[Line], bool]] = {
        "A very large amount": lambda x: x.amount >= 1_000_000,
        "A large round amount": lambda x: x.amount >= 500_000 and x.amount % 100_000 == 0,
        "A watched customer": lambda x: x.user in WATCHED,
        "Far above what is usual for the customer": lambda x: x.amount >= 500_000 and unusual(x),
        "A sleeping account wakes": lambda x: x.amount >= 300_000 and not before(x, 60),
        "Pending for a day": lambda x: False,
    }
    return {name: {x.id for x in lines if holds(x)} for name, holds in conditions.items()}


def within_windows(users: dict[int, list[Line]]) -> dict[str, set[str]]:
    """Of the rules that count or add up what one user did lately."""
    hits: dict[str, set[str]] = {}

    def window(
        name: str, span: timedelta, counts: Callable[[Line], bool], enough: Callable[..., bool]
    ) -> None:
        found = hits[name] = set()
        for own in users.values():
            counted = [y for y in own if counts(y)]
            for n, x in enumerate(counted):
                first = bisect_right(counted, x.at - span, key=lambda y: y.at)
                if enough(counted[first : n + 1], x):
                    found.add(x.id)

    def large(x: Line) -> bool:
        return x.amount >= 200_000

    def just_under(x: Line) -> bool:
        return 900_000 <= x.amount < 1_000_000

    def total(w: list[Line], x: Line) -> bool:
        return sum(y.amount for y in w) >= 3_000_000

    def small_failure(x: Line) -> bool:
        return x.failed and x.amount <= 100

    def thrice(w: list[Line], x: Line) -> bool:
        return sum(y.amount == x.amount for y in w) >= 3

    window("Amounts just under the limit", DAY, just_under, lambda w, x: len(w) >= 3)
    window("Many large transactions within ten minutes", 10 * MINUTE, large, lambda w, x: len(w) >= 6)
    window("A large sum within a day", DAY, lambda x: large(x) and not x.failed, total)
    window("Small amounts that fail", 10 * MINUTE, small_failure, lambda w, x: len(w) >= 5)
    window("The same amount again and again", 10 * MINUTE, lambda x: x.amount >= 20_000, thrice)
    return hits


def rates_of(lines: list[Line]) -> set[str]:
    quarters: dict[datetime, list[bool]] = defaultdict(list)
    for x in lines:
        quarters[x.at.replace(minute=x.at.minute // 15 * 15, second=0, microsecond=0)].append(x.failed)
    found = set()
    for start, failed in quarters.items():
        past = [each for day in range(1, 8) for each in quarters.get(start - day * DAY, [])]
        many = len(failed) >= 50 and sum(failed) * 5 >= len(failed)
        if many and past and sum(failed) * len(past) >= 3 * sum(past) * len(failed):
            found.add(start.isoformat())
    return found


def made_up(directory: Path) -> Path:
    """A file in which each starter rule finds something that it can find in history."""
    chance, at = Random(13), datetime(2025, 1, 1, tzinfo=UTC)
    lines: list[str] = []

    def add(user: int, amount: int, status: str = "SUCCESS") -> None:
        lines.append(f"T{len(lines)},{user},{amount},{status},{at:%Y-%m-%dT%H:%M:%SZ}")

    for number in range(2_000):
        at += chance.choice((1, 5, 60, 240)) * MINUTE
        add(101 + number % 7, chance.choice((500, 900, 2_500, 10_000, 400_000, 1_500_000, 2_300_000)))
    for burst in range(40):
        at += DAY + 10 * MINUTE
        for _ in range(13):
            at += chance.choice((0, 1)) * MINUTE / 2
            add(
                201 + burst % 3,
                chance.choice((950_000, 20_000, 100, 100)),
                chance.choice(("FAILED", "SUCCESS")),
            )
    for day in range(9):
        at = datetime(2026, 1, 1 + day, 12, tzinfo=UTC)
        for n in range(60):
            add(301 + n % 30, 1_234 + n, "FAILED" if n < (30 if day == 8 else 3) else "SUCCESS")
    at += 70 * DAY
    add(301, 600_000)
    return _written(directory, lines)


def _written(directory: Path, lines: list[str]) -> Path:
    file = directory / "made_up.csv"
    file.write_text("\n".join((HEADER, *lines)) + "\n")
    return file


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


def starter_rules(begin: datetime) -> list[Version]:
    """The starter rules as drafts, and users on their list since then."""
    versions = documents.import_rules(documents.parse(documents.STARTER.read_text())).drafts
    users = UserList.objects.get()
    for key in WATCHED:
        user = User.objects.create_user(f"watched-{key}", pk=key)
        ListEntry.objects.create(list=users, user=user, starts_at=begin)
    return versions


def bring_into_force(versions: list[Version], begin: datetime, *, clock: bool) -> None:
    """Those that look at the clock, or all others."""
    for version in versions:
        if (read(version.kind, version.parameters).group == "clock") == clock:
            lifecycle.activate(version, None, begin=begin)


@pytest.mark.parametrize("real", [False, True], ids=["made up", "real"])
def test_starter_rules_find_the_same_by_the_api_by_backtest_and_by_their_sentences(
    real: bool, url: str, tmp_path: Path
) -> None:
    if real and not REAL.exists():
        pytest.skip(f"{REAL} is not there; REPLAY_FILE can name a file like it")
    file = REAL if real else made_up(tmp_path)
    begin = datetime(2009, 1, 1, tzinfo=UTC)
    versions = starter_rules(begin)
    bring_into_force(versions, begin, clock=False)
    flush()

    replay(file, url, "--create-users")
    flush()
    pay_debt()
    # A quarter of an hour that a clock has passed is not looked at again: these begin once all is there.
    bring_into_force(versions, begin, clock=True)
    run_clock()

    expected = hits_of(stored_of(file))
    raised: dict[str, set[str]] = {version.rule.name: set() for version in versions}
    for hit in Hit.objects.select_related("version__rule"):
        raised[hit.version.rule.name].add(hit.transaction_id or hit.happened_at.isoformat())
    assert raised == expected
    assert Hit.objects.count() == sum(map(len, expected.values()))
    assert {version.rule.name: found_by_backtest(version, begin) for version in versions} == expected
    counts = {name: len(found) for name, found in expected.items()}
    if real and REAL.name == "online_retail_invoices.csv":
        assert documented() == counts
    elif not real:
        assert {name for name, count in counts.items() if not count} == {"Pending for a day"}


def found_by_backtest(version: Version, begin: datetime) -> set[str]:
    ids = dict(Transaction.objects.values_list("id", "transaction_id"))
    kind = read(version.kind, version.parameters)
    found: list[Any] = list(backtest.find(kind, begin, datetime.now(UTC)))
    keys = [hit.moment.isoformat() if hit.transaction is None else ids[hit.transaction] for hit in found]
    assert len(keys) == len(set(keys))
    return set(keys)


def documented() -> dict[str, int]:
    """The table of hits in the documentation."""
    section = PAGE.partition("## The starter rules on real transactions")[2].partition("\n## ")[0]
    return {
        name: int(count.replace(",", ""))
        for name, count in re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|$", section, re.MULTILINE)
    }
