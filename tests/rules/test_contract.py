"""The contract: live evaluation, a backtest and a judge in plain Python find the same, whatever comes how.

A few streams here; as many as CONTRACT_STREAMS says by `make contract-rules`.
"""

import os
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F, Min, Model, Q
from django.http import HttpRequest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from pytest_django import Settings

from tests.rules.streams import LATE_DAYS, Stream, minute_after, parameters
from tests.support.accepting import push
from tests.support.judging import Entry, Fact, judge, judge_rates, judge_silences
from transactions.admin_site.transactions import TransactionAdmin
from transactions.alerts.models import Alert
from transactions.books import epochs
from transactions.models import RejectedRecord, Transaction
from transactions.rules import backtest, debts, gate, lifecycle, list_entries
from transactions.rules import clock as looking
from transactions.rules.kinds import clock
from transactions.rules.kinds.kind import Kind, as_json
from transactions.rules.kinds.registry import KINDS, read
from transactions.rules.models import APPROVED, Debt, Hit, ListEntry, Rule, UserList, Version, VersionState
from transactions.stores.postgres_session import Session
from transactions.storing import retention
from transactions.storing.flush import flush

# Kinds that are looked at on the way too. What is pending is so by the clock of PostgreSQL, which is not the
# stream's: it is looked at in the end.
MOMENTS = ("failure_rate", "silence")
QUARTER = timedelta(minutes=15)
STREAMS = int(os.environ.get("CONTRACT_STREAMS", "6"))
# Parts that processes share among them.
PARTS = min(4, 1 + STREAMS // 100)
CLOCK_KINDS = {name for name, kind in KINDS.items() if kind.group == "clock"}
# What people do between two flushes.
STEPS = (
    "nothing", "begin", "begin again", "past", "past again", "promote", "end", "list", "unlist", "prune",
    "delete", "delete",
)  # fmt: skip
# One of so many rows, of those that were stored last, is removed by hand.
DELETED_OF = 10

pytestmark = pytest.mark.django_db(transaction=True)


class Play:
    """One stream through the real flush, with rules and lists that people change on the way, by the steps
    that they take; these hold from the next full minute of the stream's clock.

    Rules that look at the clock see the stream's, and look at all there is up to it.
    """

    def __init__(
        self,
        seed: int,
        records: int,
        chunk: int,
        users: list[User],
        config: Settings,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self.config = config
        config.FLUSH_CHUNK_RECORDS = chunk
        config.FOUR_EYES = False
        self.stream = Stream(seed, records, users)
        look, stream = looking.look, self.stream
        patch.setattr(
            looking,
            "look",
            lambda session, versions, moment, go_on: look(session, versions, stream.clock, lambda: True),
        )
        for module in (lifecycle, list_entries):
            patch.setattr(module, "next_minute", lambda cursor: minute_after(stream.clock))
        self.random = Random(seed + 1)
        # Records from one flush to the next, at the most: with few each chunk is judged at once. Few streams
        # have few, since a flush is what a stream costs.
        self.pace = 50 if self.random.random() < 1 / 8 else 400
        self.list = UserList.objects.create(name="watched")
        self.rules = 0
        self.gone: list[Fact] = []
        self.cut = datetime.min.replace(tzinfo=UTC)
        # By version: the moments that are hits, each as of when it was looked at, and up to when that was.
        self.moments: dict[int, set[datetime]] = {}
        self.looked: dict[int, datetime] = {}
        # What was removed by hand: what each clock had seen of it, and by version the hits there were then.
        # Rows up to this one were judged beside it, or may have been.
        self.seen: dict[int, list[Fact]] = {}
        self.before: dict[int, set[Any]] = {}
        self.beside = 0
        for name in MOMENTS:
            self.add(name, begin=None)
        for name in KINDS:
            if name not in CLOCK_KINDS:
                self.add(name, begin=minute_after(self.stream.clock) - timedelta(days=LATE_DAYS + 1))

    def add(self, name: str, begin: datetime | None, rule: Rule | None = None) -> None:
        """A version of a rule, or of a new one, comes into force with the next minute, or from `begin` on."""
        if rule is None:
            self.rules += 1
            rule = Rule.objects.create(name=f"{name} {self.rules}")
        version = lifecycle.draft(rule, name, as_json(read(name, parameters(name, self.random))))
        lifecycle.submit(version)
        lifecycle.approve(version, None, shadow=self.random.random() < 0.3, begin=begin)

    def run(self) -> None:
        waiting, until = [], self.random.randint(1, self.pace)
        for line in self.stream.lines():
            waiting.append(line)
            if len(waiting) >= until:
                push(*waiting)
                self.flush()
                for _ in range(self.random.randint(1, 3)):
                    self.change()
                waiting, until = [], self.random.randint(1, self.pace)
        if waiting:
            push(*waiting)
            self.flush()
        self.settle_debt()
        for name in sorted(CLOCK_KINDS):
            self.add(
                name, begin=minute_after(self.stream.clock - timedelta(days=self.random.randint(0, 100)))
            )
        # The clock is looked at by the next flush.
        self.flush()
        assert not RejectedRecord.objects.exists()

    def flush(self) -> None:
        """And judges the moments that have passed, of what is stored by now: a late record changes none."""
        flush()
        check_debts()
        stored, now = facts(), self.stream.clock
        for version in Version.objects.filter(kind__in=MOMENTS, effective_from__isnull=False):
            kind, begin, end = (
                read(version.kind, version.parameters),
                version.effective_from,
                version.effective_until,
            )
            assert begin is not None
            found = self.moments.setdefault(version.pk, set())
            if isinstance(kind, clock.FailureRate):
                looked = self.looked.get(version.pk, begin)
                found |= {
                    start for start in judge_rates(kind, stored, begin, end, now) if start + QUARTER > looked
                }
                self.looked[version.pk] = now
            else:
                assert isinstance(kind, clock.Silence)
                known = stored + self.gone + self.seen.get(version.pk, [])
                found |= judge_silences(kind, known, begin, end, now)

    def settle_debt(self) -> None:
        for _ in range(5_000):
            if not Debt.objects.exists():
                return
            flush()
            failed = Debt.objects.exclude(error="").values_list("version_id", "error")
            assert not failed, list(failed)
        raise AssertionError(f"still owed: {list(Debt.objects.values())}")

    def change(self) -> None:
        """Something that people do, at the stream's present."""
        what = self.random.choice(STEPS)
        if what in ("begin", "begin again"):
            name = self.random.choice([name for name in KINDS if name != "pending_too_long"])
            self.add(name, None, self.one_of(Rule) if what == "begin again" else None)
        elif what in ("past", "past again"):
            name = self.random.choice([name for name in KINDS if name not in CLOCK_KINDS])
            # Not before what pruning keeps.
            begin = minute_after(self.stream.clock) - timedelta(days=self.random.randint(0, LATE_DAYS))
            self.add(name, begin, self.one_of(Rule) if what == "past again" else None)
        elif what == "promote":
            if shadow := self.one_of(Version, state=VersionState.SHADOW):
                lifecycle.approve(shadow, None)
        elif what == "end":
            if ending := self.one_of(Version, state__in=APPROVED):
                lifecycle.retire(ending)
        elif what == "list":
            ends = self.random.choice((None, minute_after(self.stream.clock) + timedelta(hours=5)))
            list_entries.add_entries(self.list, [self.random.choice(self.stream.users).pk], expires=ends)
        elif what == "unlist":
            list_entries.end_entries(self.list, [user.pk for user in self.stream.users])
        elif what == "prune":
            self.prune()
        elif what == "delete":
            self.delete()

    def one_of(self, model: type[Model], **which: Any) -> Any:
        """A row that chance takes; None where there is none."""
        found = list(model._default_manager.filter(**which).order_by("pk"))
        return self.random.choice(found) if found else None

    def delete(self) -> None:
        """One of the latest rows is removed by hand, or a user's latest. What rules have found stays, and may
        have been found with that row; whatever they judge from now on they judge without it.
        """
        stored = sorted(facts(), key=lambda fact: fact.id)
        if not stored:
            return
        latest = {fact.user: fact for fact in sorted(stored, key=lambda fact: fact.place)}
        gone = self.random.choice([*stored[-DELETED_OF:], *list(latest.values()) * DELETED_OF])
        for version in Version.objects.exclude(kind__in=CLOCK_KINDS).exclude(effective_from=None):
            kind, begin = read(version.kind, version.parameters), version.effective_from
            assert begin is not None
            now = self.stream.clock
            right = judged(kind, stored + self.gone, entries(), begin, version.effective_until, now)
            raised = set(version.hits.values_list("transaction", flat=True))
            known = self.before.get(version.pk, set())
            assert raised <= right | known, f"hits that are none, {version.kind} {version.parameters}"
            self.before[version.pk] = known | raised
        self.beside = stored[-1].id
        for pk in self.moments:
            self.seen.setdefault(pk, []).append(gone)
        rows = Transaction.objects.filter(pk=gone.id)
        TransactionAdmin(Transaction, admin.site).delete_queryset(HttpRequest(), rows)
        note(f"{gone.id} deleted")

    def prune(self) -> None:
        """Removes what no record to come can be judged by."""
        if Transaction.objects.filter(status="PENDING").exists():
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


def check_debts() -> None:
    """Of all that is owed pruning knows when the first of it happened, or a time before that."""
    for debt in Debt.objects.all():
        of_range = Q(pk__gte=debt.first_id or 1, pk__lte=debt.last_id or 0)
        left = Transaction.objects.filter(of_range | Q(pk__in=debt.ids))
        first = debt.since or left.aggregate(first=Min("created_at"))["first"]
        assert debt.earliest is not None
        assert first is None or debt.earliest <= first


def facts() -> list[Fact]:
    columns = ("id", "user_id", "amount", "status", "created_at", "accepted_at", "settled_at")
    return [Fact(*row) for row in Transaction.objects.values_list(*columns)]


def entries() -> list[Entry]:
    columns = ("list__name", "user_id", "starts_at", "ends_at")
    return [Entry(*row) for row in ListEntry.objects.values_list(*columns)]


def judged(
    kind: Kind,
    stored: list[Fact],
    listed: list[Entry],
    begin: datetime,
    end: datetime | None,
    now: datetime,
) -> set[object]:
    """What the plain judge finds, all that is stored being known."""
    if isinstance(kind, clock.FailureRate):
        return set(judge_rates(kind, stored, begin, end, now))
    if isinstance(kind, clock.Silence):
        return set(judge_silences(kind, stored, begin, end, now))
    return set(judge(kind, stored, listed, begin, end, now))


def check(play: Play) -> None:
    with backtest.opened() as session:
        check_versions(play, session)
    check_alerts()


def check_versions(play: Play, session: Session) -> None:
    stored, listed = facts(), entries()
    hits: dict[int, set[Any]] = {}
    for id, transaction, bucket in Hit.objects.values_list("version_id", "transaction", "bucket"):
        hits.setdefault(id, set()).add(bucket if transaction is None else transaction)
    for version in Version.objects.select_related("rule").order_by("id"):
        kind = read(version.kind, version.parameters)
        is_clock = kind.group == "clock"
        known = stored if is_clock else stored + play.gone
        assert version.effective_from is not None
        expected: set[Any] = play.moments.get(version.pk, set())
        if version.pk not in play.moments:
            begin, end = version.effective_from, version.effective_until
            expected = judged(kind, known, listed, begin, end, play.stream.clock)
        before = play.before.get(version.pk, set())
        # Of what was before them rules of these kinds knew one row more, if they judged them then.
        unsure = {id for id in expected if id <= play.beside} - before if kind.group == "prefix" else set()
        raised = hits.get(version.pk, set())
        told = f"{version.kind} {version.parameters} {version.effective_from} {version.effective_until}"
        assert raised - unsure == (expected | before) - unsure, f"live, {told}"
        # What was removed is known to no backtest, nor what it made.
        begin = max(
            version.effective_from, play.cut + timedelta(days=91) if play.gone else version.effective_from
        )
        end = version.effective_until or datetime.now(UTC) + timedelta(days=1)
        if begin < end:
            found = list(backtest.find(kind, begin, end, session=session))
            keys = [hit.moment if hit.transaction is None else hit.transaction for hit in found]
            # It looks up to now, and at all of history as it is by now.
            within = judged(kind, known, listed, begin, end, datetime.now(UTC))
            assert len(keys) == len(set(keys))
            assert set(keys) == within, f"backtest, {told}"


def check_alerts() -> None:
    """One open alert for each rule and user with hits of a time in which their version raises them."""
    found: dict[tuple[int, int | None], set[Any]] = {}
    columns = ("version__rule_id", "user", "alert__rule", "alert__user", "transaction", "bucket")
    raising = Q(happened_at__gte=F("version__alerts_from"))
    assert not Hit.objects.exclude(raising).exclude(alert=None).exists()
    for rule, user, *alerted, id, bucket in Hit.objects.filter(raising).values_list(*columns):
        assert alerted == [rule, user]
        found.setdefault((rule, user), set()).add(id or bucket)
    # Whatever several versions of a rule find is one.
    counts = {group: len(subjects) for group, subjects in found.items()}
    assert {
        (rule, user): hits for rule, user, hits in Alert.objects.values_list("rule", "user", "hits")
    } == counts


@pytest.mark.parametrize("part", range(PARTS))
@settings(
    max_examples=STREAMS // PARTS,
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
    people: list[User], settings: Settings, part: int, seed: int, records: int, chunk: int, users: int
) -> None:
    empty()
    cast = [*people, User.objects.get_or_create(username="dave")[0]][:users]
    with pytest.MonkeyPatch.context() as patch:
        # Debt is paid in slices, and the gate is filled, in a flush or over many.
        random = Random(seed)
        settings.FLUSH_INTERVAL_SECONDS = random.choice((0, 5))
        patch.setattr(debts, "SLICE_ROWS", random.choice((7, 50, 10_000)))
        patch.setattr(debts, "SLICE_ROWS_MIN", 1)
        patch.setattr(debts, "SEGMENT_IDS", random.choice((20, 500_000)))
        patch.setattr(gate, "FILLED_USERS", random.choice((1, 500)))
        play = Play(seed, records, chunk, cast, settings, patch)
        play.run()
        check(play)


def empty() -> None:
    """As before the first stream."""
    epochs.empty_everything()
    came_of_transactions: list[type[Model]] = [Hit, Debt, Alert, Transaction]
    assert not any(model._default_manager.exists() for model in came_of_transactions)
    rules = ", ".join(model._meta.db_table for model in (Version, Rule, ListEntry, UserList))
    with connection.cursor() as cursor:
        # PostgreSQL deletes no version that was in force.
        cursor.execute(f"TRUNCATE {rules} CASCADE")
