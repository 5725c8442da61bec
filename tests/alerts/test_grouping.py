"""Grouping: of one rule and user there is one open alert, whatever joins it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from transactions.alerts import grouping
from transactions.alerts.grouping import Placed, Raised, group
from transactions.alerts.models import Alert, AlertEvent, AlertState, Snooze
from transactions.notifications.models import Message
from transactions.stores.postgres_session import Session

pytestmark = pytest.mark.django_db(transaction=True)


def grouped(*raised: Raised) -> list[Placed]:
    with Session() as session, session.transaction() as cursor:
        return group(cursor, raised)


def hits(user: int | None, number: int = 1, rule: int = 1, severity: str = "HIGH") -> Raised:
    return Raised(rule, f"Rule {rule}", severity, user, number)


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


@pytest.mark.parametrize("user", [7, None])
def test_hits_of_a_graver_version_make_the_alert_graver_and_due_earlier(user: int | None) -> None:
    grouped(hits(user, severity="LOW"))
    before = Alert.objects.get()
    grouped(hits(user, 2, severity="CRITICAL"))
    grouped(hits(user, 4, severity="MEDIUM"))
    alert = Alert.objects.get()
    assert (alert.severity, alert.hits, alert.version) == ("CRITICAL", 7, before.version)
    assert alert.due_at is not None
    assert timedelta(minutes=59) < alert.due_at - alert.opened_at < timedelta(minutes=61)
    (event,) = AlertEvent.objects.all()
    assert (event.step, event.by, event.by_name, event.text, event.before) == (
        "GRAVER", None, "the rule “Rule 1”", "from low to critical", None,
    )  # fmt: skip
    placed = Message.objects.order_by("id").values_list("type", "severity", "data__severity", "data__hits")
    assert list(placed) == [
        ("alert.opened", "LOW", "LOW", 1),
        ("alert.opened", "CRITICAL", "CRITICAL", 3),
        ("alert.updated", "CRITICAL", "CRITICAL", 7),
    ]


def test_one_that_is_due_sooner_stays_due_by_then() -> None:
    grouped(hits(7, severity="LOW"))
    due_at = datetime.now(UTC) + timedelta(minutes=10)
    Alert.objects.update(due_at=due_at)
    grouped(hits(7, severity="CRITICAL"))
    assert (Alert.objects.get().severity, Alert.objects.get().due_at) == ("CRITICAL", due_at)


def test_an_alert_that_somebody_opened_meanwhile_becomes_graver_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two flush at once, the second does not see what the first is about to commit."""
    grouped(hits(7, severity="LOW"))
    monkeypatch.setattr(
        grouping, "SELECT_KNOWN", grouping.SELECT_KNOWN.replace("WHERE a.rule", "WHERE false AND a.rule")
    )
    grouped(hits(7, 2, severity="CRITICAL"))
    assert (Alert.objects.get().severity, Alert.objects.get().hits) == ("CRITICAL", 3)
    assert AlertEvent.objects.get().text == "from low to critical"


def test_the_release_before_goes_on_without_what_it_does_not_know() -> None:
    grouped(hits(7, severity="LOW"))
    grouped(hits(7, severity="HIGH"))
    try:
        call_command("migrate", "alerts", "0004", verbosity=0)
        assert (Alert.objects.get().severity, AlertEvent.objects.exists()) == ("HIGH", False)
    finally:
        call_command("migrate", "alerts", verbosity=0)
