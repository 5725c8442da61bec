"""What is owed is paid, however much there is of it: time for a slice grows, and placing hits has its own."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.support.accepting import record, take
from tests.support.rules import pay_debt, rule_in_force
from transactions.alerts.models import Alert
from transactions.rules import evaluation
from transactions.rules.models import Debt, Hit
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

HIT = Hit._meta.db_table
# Purpose: each statement of that sort takes a while, as it does with very many hits.
SLOW = f"""
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(%s); RETURN NULL; END $$;
    CREATE TRIGGER slow BEFORE %s ON {HIT} FOR EACH STATEMENT EXECUTE FUNCTION slow()
"""


@pytest.fixture
def _short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule may take a second."""
    monkeypatch.setattr(evaluation, "RULE_MS_MAX", 1000)


def slow(seconds: float, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SLOW % (seconds, statement))


@pytest.fixture(autouse=True)
def _slow_no_longer(transactional_db: None) -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS slow CASCADE")


def flush_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that pays nothing afterwards."""
    with monkeypatch.context() as patch:
        patch.setattr("transactions.rules.live.FlushRules.afterwards", lambda self, session, began: None)
        flush()


@pytest.mark.usefixtures("_short_time")
def test_putting_hits_into_alerts_is_no_part_of_a_rules_time(people: list[User]) -> None:
    rule_in_force("amount", amount=5)
    flush()
    slow(1.5, "UPDATE")
    take(record("T1", people[0]))
    flush()
    assert not Debt.objects.exists()
    assert (Hit.objects.count(), Alert.objects.count()) == (1, 1)


@pytest.mark.usefixtures("_short_time")
def test_what_took_too_long_is_given_more_time_when_it_is_tried_again(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("amount", amount=5)
    flush()
    slow(1.5, "INSERT")
    take(record("T1", people[0]))
    flush_alone(monkeypatch)
    assert Debt.objects.get().error == "canceling statement due to statement timeout"
    for _ in range(3):
        Debt.objects.update(due_at=datetime.now(UTC))
        flush()
    assert not Debt.objects.exists()
    assert Hit.objects.count() == 1


def test_many_slow_rules_take_no_longer_of_a_chunk_than_few(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "RULES_MS_MAX", 200)
    for n in range(6):
        rule_in_force("amount", name=f"Slow {n}", amount=5)
    flush()
    slow(0.3, "INSERT")
    take(record("T1", people[0]))
    flush_alone(monkeypatch)
    assert Hit.objects.count() == 1
    assert list(Debt.objects.values_list("error", "records").distinct()) == [("", 1)]
    pay_debt()
    assert (Hit.objects.count(), Alert.objects.count()) == (6, 6)
