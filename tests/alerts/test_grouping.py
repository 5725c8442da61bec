"""Grouping: of one rule and user there is one open alert, whatever joins it."""

from datetime import UTC, datetime, timedelta

import pytest

from transactions.alerts.grouping import Placed, Raised, group
from transactions.alerts.models import Alert, AlertState, Snooze
from transactions.stores.postgres_session import Session

pytestmark = pytest.mark.django_db(transaction=True)


def grouped(*raised: Raised) -> list[Placed]:
    with Session() as session, session.transaction() as cursor:
        return group(cursor, raised)


def hits(user: int | None, number: int = 1, rule: int = 1) -> Raised:
    return Raised(rule, f"Rule {rule}", "HIGH", user, number)


def test_hits_open_an_alert_and_the_next_ones_join_it() -> None:
    (first,) = grouped(hits(7, 2))
    (second,) = grouped(hits(7, 3))
    assert first == second
    alert = Alert.objects.get()
    assert (alert.pk, alert.hits, alert.rule_name, alert.severity) == (first.alert, 5, "Rule 1", "HIGH")


def test_each_rule_and_each_user_has_an_alert_and_so_has_the_whole_system() -> None:
    grouped(hits(7), hits(8), hits(None), hits(7, rule=2))
    grouped(hits(None))
    assert sorted(Alert.objects.values_list("rule", "hits")) == [(1, 1), (1, 1), (1, 2), (2, 1)]
    assert Alert.objects.get(user=None).hits == 2


def test_a_closed_alert_keeps_quiet_for_a_day_and_then_another_is_opened() -> None:
    (first,) = grouped(hits(7))
    closed = Alert.objects.filter(user=7)
    closed.update(state=AlertState.CLOSED, closed_at=datetime.now(UTC) - timedelta(hours=23))
    assert grouped(hits(7, 4)) == [Placed(1, 7, first.alert, "QUIET")]
    assert (closed.get().hits, closed.get().suppressed) == (1, 4)
    closed.update(closed_at=datetime.now(UTC) - timedelta(hours=25))
    (later,) = grouped(hits(7))
    assert (later.suppressed, later.alert != first.alert, Alert.objects.count()) == ("", True, 2)


def test_what_is_snoozed_opens_nothing_until_the_snooze_ends() -> None:
    snooze = Snooze.objects.create(rule=1, user=7, reason="x", ends_at=datetime.now(UTC) + timedelta(days=1))
    snoozed, opened = grouped(hits(7, 2), hits(8))
    assert (snoozed, opened.suppressed) == (Placed(1, 7, None, "SNOOZED"), "")
    snooze.refresh_from_db()
    assert snooze.hits == 2
    Snooze.objects.update(ends_at=datetime.now(UTC))
    assert grouped(hits(7))[0].suppressed == ""
