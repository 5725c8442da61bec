"""The contract: live evaluation, a backtest and a judge in plain Python find the same, whatever comes how.

A few streams here; as many as CONTRACT_STREAMS says by `make contract-rules`.
"""

import os
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from pytest_django import Settings

from tests.rules.streams import LATE_DAYS, Stream, minute_after, parameters
from tests.support.accepting import push
from tests.support.judging import Entry, Fact, judge, judge_rates, judge_silences
from transactions.alerts.models import Alert
from transactions.books import epochs
from transactions.models import RejectedRecord, Transaction
from transactions.rules import backtest, debts, gate, lifecycle
from transactions.rules.kinds import clock
from transactions.rules.kinds.kind import Kind
from transactions.rules.kinds.registry import KINDS, read
from transactions.rules.models import Debt, Hit, ListEntry, Rule, UserList, Version, VersionState
from transactions.storing import retention
from transactions.storing.flush import flush

STREAMS = int(os.environ.get("CONTRACT_STREAMS", "6"))
CLOCK_KINDS = {name for name, kind in KINDS.items() if kind.group == "clock"}

pytestmark = pytest.mark.django_db(transaction=True)


class Play:
    """One stream through the real flush, with rules and lists that change on the way."""

    def __init__(self, seed: int, records: int, chunk: int, users: list[User], config: Settings) -> None:
        self.config = config
        config.FLUSH_CHUNK_RECORDS = chunk
        config.FOUR_EYES = False
        self.stream = Stream(seed, records, users)
        self.random = Random(seed + 1)
        self.list = UserList.objects.create(name="watched")
        self.gone: list[Fact] = []
        self.cut = datetime.min.replace(tzinfo=UTC)
        for name in KINDS:
            if name not in CLOCK_KINDS:
                self.add(name, begin=minute_after(self.stream.clock) - timedelta(days=LATE_DAYS + 1))

    def add(self, name: str, begin: datetime) -> Version:
        """A version in force from `begin` on, by the stream's clock, as activation leaves it."""
        made = parameters(name, self.random)
        rule = Rule.objects.create(name=f"{name} {Rule.objects.count()}")
        version = lifecycle.draft(rule, name, made)
        Version.objects.filter(pk=version.pk).update(state=VersionState.SUBMITTED)
        Version.objects.filter(pk=version.pk).update(
            state=self.random.choice((VersionState.ACTIVE, VersionState.ACTIVE, VersionState.SHADOW)),
            four_eyes=False,
            approved_at=datetime.now(UTC),
            effective_from=begin,
        )
        return version

    def run(self) -> None:
        waiting, until = [], self.random.randint(1, 400)
        for line in self.stream.lines():
            waiting.append(line)
            if len(waiting) >= until:
                push(*waiting)
                flush()
                self.change()
                waiting, until = [], self.random.randint(1, 400)
        if waiting:
            push(*waiting)
            flush()
        self.settle_debt()
        for name in sorted(CLOCK_KINDS):
            self.add(
                name, begin=minute_after(self.stream.clock - timedelta(days=self.random.randint(0, 100)))
            )
        # The clock is looked at by the next flush.
        flush()
        assert not RejectedRecord.objects.exists()

    def settle_debt(self) -> None:
        while Debt.objects.exists():
            flush()
            failed = Debt.objects.exclude(error="").values_list("version_id", "error")
            assert not failed, list(failed)

    def change(self) -> None:
        """Something that people do, at the stream's present."""
        minute = minute_after(self.stream.clock)
        what = self.random.choice(("nothing", "begin", "past", "end", "list", "unlist", "prune"))
        if what == "begin":
            self.add(self.random.choice([name for name in KINDS if name not in CLOCK_KINDS]), begin=minute)
        elif what == "past":
            rule = Rule.objects.create(name=f"past {Rule.objects.count()}")
            kind = self.random.choice([name for name in KINDS if name not in CLOCK_KINDS])
            version = lifecycle.draft(rule, kind, parameters(kind, self.random))
            lifecycle.submit(version)
            lifecycle.approve(version, None, begin=minute - timedelta(days=self.random.randint(0, 50)))
        elif what == "end":
            live = Version.objects.filter(
                state__in=(VersionState.ACTIVE, VersionState.SHADOW), effective_from__lt=minute
            )
            if ending := live.order_by("id")[self.random.randrange(live.count()) :].first() if live else None:
                Version.objects.filter(pk=ending.pk).update(
                    state=VersionState.RETIRED, effective_until=minute
                )
        elif what == "list":
            ends = self.random.choice((None, minute + timedelta(hours=5)))
            user = self.random.choice(self.stream.users)
            ListEntry.objects.create(list=self.list, user=user, starts_at=minute, ends_at=ends)
        elif what == "unlist":
            ListEntry.objects.filter(ends_at=None).update(ends_at=minute)
        elif what == "prune":
            self.prune()

    def prune(self) -> None:
        """Removes what no record to come can be judged by."""
        if Transaction.objects.filter(status="PENDING").exists() or Debt.objects.exists():
            return
        reach = timedelta(days=LATE_DAYS + 92)
        days = (datetime.now(UTC) - self.stream.clock + reach).days + 1
        before = {fact.id: fact for fact in facts()}
        for row in Transaction.objects.exclude(settled_at=None):
            Transaction.objects.filter(pk=row.pk).update(settled_at=row.accepted_at)
        removed = retention.prune(days)
        left = set(Transaction.objects.values_list("id", flat=True))
        self.gone += [fact for id, fact in before.items() if id not in left]
        if removed:
            note(f"{removed} pruned")
            self.cut = max(self.cut, max(fact.happened for fact in self.gone))


def facts() -> list[Fact]:
    return [
        Fact(row.pk, row.user_id, row.amount, row.status, row.created_at, row.accepted_at, row.settled_at)
        for row in Transaction.objects.all()
    ]


def entries() -> list[Entry]:
    return [
        Entry(entry.list.name, entry.user_id, entry.starts_at, entry.ends_at)
        for entry in ListEntry.objects.select_related("list")
    ]


def judged(kind: Kind, stored: list[Fact], version: Version) -> set[object]:
    """What the plain judge finds."""
    begin, end = version.effective_from, version.effective_until
    assert begin is not None
    now = datetime.now(UTC)
    if isinstance(kind, clock.FailureRate):
        return set(judge_rates(kind, stored, begin, end, now))
    if isinstance(kind, clock.Silence):
        return set(judge_silences(kind, stored, begin, end, now))
    return set(judge(kind, stored, entries(), begin, end, now))


def check(play: Play) -> None:
    stored = facts()
    for version in Version.objects.select_related("rule").order_by("id"):
        kind = read(version.kind, version.parameters)
        is_clock = kind.group == "clock"
        expected = judged(kind, stored if is_clock else stored + play.gone, version)
        raised = {
            hit.bucket if hit.transaction is None else hit.transaction
            for hit in Hit.objects.filter(version=version)
        }
        told = f"{version.kind} {version.parameters} {version.effective_from} {version.effective_until}"
        assert raised == expected, f"live, {told}"
        assert version.effective_from is not None
        # What was removed is known to no backtest, nor what it made.
        begin = max(
            version.effective_from, play.cut + timedelta(days=91) if play.gone else version.effective_from
        )
        end = version.effective_until or datetime.now(UTC) + timedelta(days=1)
        if begin < end:
            found = list(backtest.find(kind, begin, end))
            keys = [hit.moment if hit.transaction is None else hit.transaction for hit in found]
            late = {fact.id for fact in stored + play.gone if fact.happened >= begin}
            within = {key for key in expected if is_clock or key in late}
            assert len(keys) == len(set(keys))
            assert set(keys) == within, f"backtest, {told}"
    check_alerts()


def check_alerts() -> None:
    """One open alert for each rule and user with hits of a version that raises them; none lost."""
    raising = Hit.objects.exclude(version__state=VersionState.SHADOW).select_related("version", "alert")
    counts: dict[tuple[int, int | None], int] = {}
    for hit in raising:
        if hit.alert is not None:
            assert (hit.alert.rule, hit.alert.user) == (hit.version.rule_id, hit.user)
            counts[hit.alert.rule, hit.alert.user] = counts.get((hit.alert.rule, hit.alert.user), 0) + 1
    assert {(a.rule, a.user): a.hits for a in Alert.objects.all()} == counts
    assert all(hit.alert_id is not None for hit in raising if hit.version.state == VersionState.ACTIVE)


@settings(
    max_examples=STREAMS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    # A stream is made from its seed: a smaller one is another one.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
)
@given(
    seed=st.integers(0, 2**32),
    records=st.integers(1, 450),
    chunk=st.integers(1, 400),
    users=st.integers(1, 4),
)
def test_live_backtest_and_a_plain_judge_find_the_same(
    people: list[User], settings: Settings, seed: int, records: int, chunk: int, users: int
) -> None:
    empty()
    cast = [*people, User.objects.get_or_create(username="dave")[0]][:users]
    with pytest.MonkeyPatch.context() as patch:
        # Debt is paid in slices, and the gate is filled, in a flush or over many.
        random = Random(seed)
        settings.FLUSH_INTERVAL_SECONDS = random.choice((0, 5))
        patch.setattr(debts, "SLICE_ROWS", random.choice((7, 50, 10_000)))
        patch.setattr(debts, "SLICE_ROWS_MIN", 1)
        patch.setattr(gate, "FILLED_USERS", random.choice((1, 500)))
        play = Play(seed, records, chunk, cast, settings)
        play.run()
        check(play)


def empty() -> None:
    """As before the first stream."""
    epochs.empty_everything()
    came_of_transactions: list[type[Model]] = [Hit, Debt, Alert, Transaction]
    assert not any(model._default_manager.exists() for model in came_of_transactions)
    rules: list[type[Model]] = [Version, Rule, ListEntry, UserList]
    for model in rules:
        model._default_manager.all().delete()
