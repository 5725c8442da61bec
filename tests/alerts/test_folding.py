"""Where hits go is a fold over them in the order in which they are raised, whatever people do in between."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F

from tests.support.accepting import record, take
from tests.support.alerts import analyst
from tests.support.rules import instead, pay_debt, rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert, Snooze
from transactions.books import alerts as books
from transactions.rules.kinds.registry import KINDS
from transactions.rules.models import Hit
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS, RECORDS_MAX = 15, 6
Pair = tuple[int, int]


@dataclass
class Folded:
    """The alerts of one rule and user by the plain fold, in the order in which they were opened."""

    hits: list[int] = field(default_factory=list)
    suppressed: list[int] = field(default_factory=list)
    open: int | None = None
    # Those that were closed a short while ago, the last one last.
    closed: list[int] = field(default_factory=list)
    # Hits of each snooze, and whether the last one is in force.
    snoozes: list[int] = field(default_factory=list)
    is_snoozed: bool = False

    def fold(self, hits: int) -> tuple[int | None, str]:
        """Where so many hits go: the place of the alert, and why none was opened for them."""
        if self.open is None and self.is_snoozed:
            self.snoozes[-1] += hits
            return None, "SNOOZED"
        if self.open is None and self.closed:
            self.suppressed[self.closed[-1]] += hits
            return self.closed[-1], "QUIET"
        if self.open is None:
            self.open = len(self.hits)
            self.hits.append(0)
            self.suppressed.append(0)
        self.hits[self.open] += hits
        return self.open, ""


@pytest.fixture
def ann(transactional_db: None) -> User:
    return analyst("ann")[1]


def of_pair(pair: Pair) -> list[Alert]:
    return list(Alert.objects.filter(rule=pair[0], user=pair[1]).order_by("id"))


def step(chance: random.Random, pair: Pair, folded: Folded, ann: User) -> None:
    """Something that somebody does with an alert of a rule and user."""
    rows = of_pair(pair)
    place = chance.randrange(len(rows))
    alert = rows[place]
    what = chance.choice(("close", "close", "reopen", "age", "snooze", "wake"))
    if what == "close" and folded.open is not None:
        alert = rows[folded.open]
        triage.close(alert.pk, ann, alert.version, "EXPECTED", "Known.")
        folded.closed.append(folded.open)
        folded.open = None
    elif what == "reopen" and alert.state == "CLOSED":
        if folded.open is not None:
            with pytest.raises(triage.Refused, match="Another alert of this rule and customer is open"):
                triage.reopen(alert.pk, ann, alert.version, "Look again.")
            return
        triage.reopen(alert.pk, ann, alert.version, "Look again.")
        folded.open = place
        folded.closed = [each for each in folded.closed if each != place]
    elif what == "age":
        day = timedelta(hours=25)
        Alert.objects.filter(rule=pair[0], user=pair[1]).update(
            opened_at=F("opened_at") - day, touched_at=F("touched_at") - day, closed_at=F("closed_at") - day
        )
        raised = Hit.objects.filter(version__rule=pair[0], user=pair[1])
        raised.update(raised_at=F("raised_at") - day)
        folded.closed = []
    elif what == "snooze" and alert.state != "OPEN" and not folded.is_snoozed:
        triage.snooze(alert.pk, ann, alert.version, datetime.now(UTC) + timedelta(days=1), "Travels.")
        folded.snoozes.append(0)
        folded.is_snoozed = True
    elif what == "wake" and folded.is_snoozed:
        triage.wake(Snooze.objects.filter(rule=pair[0], user=pair[1]).latest("id").pk, ann)
        folded.is_snoozed = False


@pytest.mark.parametrize("seed", range(4))
def test_hits_go_where_the_plain_fold_puts_them(
    people: list[User], ann: User, settings: Any, seed: int
) -> None:
    settings.FOUR_EYES = False
    chance = random.Random(seed)
    least = {rule_in_force("amount", amount=amount).rule_id: amount for amount in (1, 50)}
    folded: dict[Pair, Folded] = defaultdict(Folded)
    expected: dict[tuple[int, str], tuple[int | None, str]] = {}
    owed: list[tuple[str, User, int]] = []
    for number in range(ROUNDS):
        new = [
            (f"T{number}-{n}", chance.choice(people), chance.randint(1, 99))
            for n in range(chance.randint(1, RECORDS_MAX))
        ]
        take(*(record(id, user, amount, "SUCCESS") for id, user, amount in new))
        owed += new
        if chance.random() < 0.3 and number < ROUNDS - 1:
            # Rules fail: what they owe is paid after what people do next, and goes where it goes by then.
            with instead(KINDS["amount"], "SELECT 1 / 0"):
                flush()
        else:
            flush()
            pay_debt()
            for rule, limit in least.items():
                for user in people:
                    found = [id for id, whose, amount in owed if whose == user and amount >= limit]
                    if found:
                        put = folded[rule, user.pk].fold(len(found))
                        expected |= {(rule, id): put for id in found}
            owed = []
        for _ in range(2):
            if folded:
                pair = chance.choice(list(folded))
                step(chance, pair, folded[pair], ann)
    places = {alert.pk: place for pair in folded for place, alert in enumerate(of_pair(pair))}
    rows = Hit.objects.values_list("version__rule", "transaction_id", "alert", "suppressed")
    paid = {(rule, id): (places.get(alert or 0), why) for rule, id, alert, why in rows}
    assert paid == expected
    assert books.check().wrong == []
    for pair, each in folded.items():
        assert [alert.hits for alert in of_pair(pair)] == each.hits
        assert [alert.suppressed for alert in of_pair(pair)] == each.suppressed
        kept = Snooze.objects.filter(rule=pair[0], user=pair[1]).order_by("id")
        assert list(kept.values_list("hits", flat=True)) == each.snoozes
