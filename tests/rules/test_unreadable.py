"""A version that cannot be read any more fails by itself: the others judge, and it owes what it misses."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.accepting import push, queued, record, take
from tests.support.rule_pages import at, member
from tests.support.rules import pay_debt, rule_in_force
from transactions.alerts.models import Alert
from transactions.rules import backtest_runs, documents, lifecycle
from transactions.rules.kinds import gaps
from transactions.rules.kinds.registry import UnreadableKind, read, read_kept
from transactions.rules.models import ClockCursor, Debt, Hit, Rule, Version
from transactions.rules.versions import _form
from transactions.storing import retention
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

IN_BERLIN = {"hours": "0-24", "zone": "Europe/Berlin"}


@pytest.fixture
def bad(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Version:
    """A version in force whose timezone there is no more."""
    version = rule_in_force("amount", name="Bad", amount=5, filter=IN_BERLIN)
    rule_in_force("amount", name="Good", amount=5)
    forget_berlin(monkeypatch)
    return version


def forget_berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "zone_names", lambda: {"UTC"})
    _form.cache_clear()


def raised() -> list[tuple[str, str]]:
    return sorted(Hit.objects.values_list("version__rule__name", "transaction_id"))


def test_the_others_judge_it_owes_and_readiness_names_it(
    bad: Version, people: list[User], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id in ("T1", "T2"):
        take(record(id, people[0]))
        assert flush().stored == 1
    assert raised() == [("Good", "T1"), ("Good", "T2")]
    assert set(Debt.objects.values_list("version", flat=True)) == {bad.pk}
    (problem,) = client.get("/readyz").json()["problems"]
    assert problem.startswith("the rule “Bad”: This cannot be read: filter.zone: the timezone must be")
    monkeypatch.undo()
    _form.cache_clear()
    pay_debt()
    assert raised() == [(name, id) for name in ("Bad", "Good") for id in ("T1", "T2")]
    assert Alert.objects.count() == 2


def test_a_backlog_is_judged_by_the_others_slice_by_slice_and_is_one_range_of_its_debt(
    bad: Version, people: list[User], settings: Settings
) -> None:
    settings.FLUSH_CHUNK_RECORDS = 10
    take(*(record(f"T{n}", people[0]) for n in range(60)))
    flush()
    assert Hit.objects.count() == 60
    assert not Debt.objects.exclude(version=bad).exists()
    assert Debt.objects.count() <= 3


def test_one_about_the_clock_fails_by_itself_too(
    people: list[User], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_in_force("pending_too_long", name="Bad", minutes=1, filter=IN_BERLIN)
    rule_in_force("pending_too_long", name="Good", minutes=1)
    forget_berlin(monkeypatch)
    push(queued("T1", people[0]))
    flush()
    assert raised() == [("Good", "T1")]
    assert client.get("/readyz").json()["problems"][0].startswith("the rule “Bad”: This cannot be read")
    monkeypatch.undo()
    _form.cache_clear()
    ClockCursor.objects.update(due_at=datetime.now(UTC))
    flush()
    assert raised() == [("Bad", "T1"), ("Good", "T1")]


def test_it_is_shown_exported_retired_and_asked_nothing(
    bad: Version, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    asked = backtest_runs.ask(bad.rule, version=bad)
    forget_berlin(monkeypatch)
    client, account = member("reader", "view", "change", "approve")
    page = client.get("/api/rules/").json()
    said = {rule["name"]: rule["sentence"] for rule in page["results"]}
    assert said["Bad"].startswith("This cannot be read: filter.zone")
    assert said["Good"] == "The amount is at least 5."
    assert "Europe/Berlin" in documents.export_rules(Rule.objects.all())
    other = lifecycle.draft(bad.rule, "amount", {"amount": 7}, account)
    for url in (
        at("rule_changelist"),
        at("rule_change", bad.rule_id),
        at("rule_backtest", bad.rule_id, asked.pk),
        f"/api/rules/{bad.rule_id}/backtests/{asked.pk}/",
        f"{at('rule_draft', bad.rule_id)}?from={bad.number}",
        f"{at('rule_change', bad.rule_id)}?old={bad.number}&new={other.number}",
    ):
        assert client.get(url).status_code == 200, url
    with pytest.raises(retention.TooShort, match="“Bad”, which cannot be read, needs transactions"):
        retention.prune(3)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rules", "backtest", "Bad", "--version", str(bad.number))
    lifecycle.retire(bad)
    retention.prune(3)


def test_an_alert_of_it_says_so_where_its_sentence_would_stand(
    people: list[User], api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _form.cache_clear()
    rule_in_force("amount", name="Bad", amount=5, filter=IN_BERLIN)
    take(record("T1", people[0]))
    flush()
    forget_berlin(monkeypatch)
    told = api.get(f"/api/alerts/{Alert.objects.get().pk}/").json()
    assert told["sentence"].startswith("This cannot be read: filter.zone")
    assert told["explanation"] is None


def test_what_names_one_list_twice_and_was_written_before_that_was_refused_can_be_read() -> None:
    filtered = {"in_list": "VIP", "not_in_list": "VIP"}
    kept = read_kept("amount", {"amount": 5, "filter": filtered})
    assert not isinstance(kept, UnreadableKind)
    with pytest.raises(gaps.Unfit):
        read("amount", {"amount": 5, "filter": filtered})
