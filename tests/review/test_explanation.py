"""An alert explained: its sentence with numbers, what made it and where that is today, what was kept away."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.support.accepting import record, take
from tests.support.alerts import Caller, burst, burst_rule, open_alert
from tests.support.rules import pay_debt, rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.models import Transaction
from transactions.review import customer, explanation
from transactions.rules import lifecycle
from transactions.rules.kinds.registry import read
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_sentence_has_its_numbers_and_the_transactions_that_made_it(
    people: list[User], ann: Caller
) -> None:
    burst_rule()
    take(record("OK", people[0], 5000, "SUCCESS"))
    burst(people[0])
    burst(people[1], ids="few", count=2)
    alert = Alert.objects.get()
    told = ann.get(f"alerts/{alert.pk}/")
    assert told["sentence"] == "At least 3 transactions of a customer fail within 10 minutes."
    assert (told["explanation"], told["rule_version"], told["hits"]) == ("4 failures within 10 minutes", 1, 2)
    # The third and the fourth failure are hits; the first two are what they count.
    assert [
        (each["transaction_id"], each["amount"], each["status"], each["hit"] and each["hit"]["figures"])
        for each in told["transactions"]
    ] == [
        ("F3", 103, "FAILED", {"count": 4}),
        ("F2", 102, "FAILED", {"count": 3}),
        ("F1", 101, "FAILED", None),
        ("F0", 100, "FAILED", None),
    ]
    assert (told["hits_left_out"], told["suppressed_hits"], told["others"]) == (0, [], [])


@pytest.mark.parametrize(
    ("before", "mean", "headline"),
    [
        ((0, 1), 0, "7, 14.0 times the mean of the 2 before, 0"),
        ((1, 2), 2, "7, 4.7 times the mean of the 2 before, 2"),
        ((2, 3), 2, "7, 2.8 times the mean of the 2 before, 2"),
    ],
)
def test_a_mean_is_rounded_half_even_to_the_smallest_unit(
    people: list[User], ann: Caller, before: tuple[int, int], mean: int, headline: str
) -> None:
    rule_in_force("deviation", least=1, factor=2, past_min=2)
    for n, amount in enumerate((*before, 7)):
        take(record(f"T{n}", people[0], amount))
        flush()
    pay_debt()
    alert = Alert.objects.get()
    (told,) = [each["hit"] for each in ann.get(f"alerts/{alert.pk}/")["transactions"]]
    assert told["figures"] == {"mean": mean, "total": sum(before), "past": 2}
    assert told["explanation"] == f"the mean of the 2 before is {mean}"
    assert explanation.headlines([alert.pk]) == {alert.pk: headline}


def test_hits_of_earlier_releases_have_means_with_decimals_and_no_totals() -> None:
    kind = read("deviation", {"factor": 2})
    assert kind.explain({"mean": 2.5, "past": 2}) == "the mean of the 2 before is 2"
    assert kind.headline(5, {"mean": 0.5, "past": 2}) == "5, 10.0 times the mean of the 2 before, 0"


def test_what_two_versions_have_found_is_shown_once(people: list[User], ann: Caller) -> None:
    take(record("T1", people[0], 7), record("T2", people[0], 7))
    first = rule_in_force("amount", amount=5)
    flush()
    pay_debt()
    begin = first.effective_from
    lifecycle.activate(lifecycle.draft(first.rule, "amount", {"amount": 6}), None, begin=begin)
    pay_debt()
    told = ann.get(f"alerts/{Alert.objects.get().pk}/")
    assert [(each["transaction_id"], each["hit"]["version"]) for each in told["transactions"]] == [
        ("T2", 2),
        ("T1", 2),
    ]
    assert (told["hits"], told["hits_left_out"]) == (2, 0)


def test_what_has_changed_since_is_told(people: list[User], ann: Caller) -> None:
    rule_in_force("amount", amount=1000)
    take(record("stays", people[0]), record("settles", people[0]), record("goes", people[0]))
    flush()
    take(record("settles", people[0], 1000, "FAILED"))
    flush()
    Transaction.objects.filter(transaction_id="goes").delete()
    told = ann.get(f"alerts/{Alert.objects.get().pk}/")
    now = {
        each["transaction_id"]: (each["status"], each["status_now"], each["gone"])
        for each in told["transactions"]
    }
    assert now == {
        "stays": ("PENDING", "PENDING", False),
        "settles": ("PENDING", "FAILED", False),
        "goes": ("PENDING", None, True),
    }


def test_hits_that_opened_no_alert_are_shown_where_they_belong(people: list[User], ann: Caller) -> None:
    burst_rule()
    burst(people[0])
    alert = Alert.objects.get()
    triage.close(alert.pk, ann.user, 1, "EXPECTED", "known")
    burst(people[0], ids="Q", count=1, ago=timedelta(minutes=4))
    triage.snooze(alert.pk, ann.user, 2, datetime.now(UTC) + timedelta(days=1), "known")
    burst(people[0], ids="S", count=1, ago=timedelta(minutes=3))
    told = ann.get(f"alerts/{alert.pk}/")
    assert [(each["transaction_id"], each["suppressed"]) for each in told["suppressed_hits"]] == [
        ("S0", "SNOOZED"),
        ("Q0", "QUIET"),
    ]
    assert (told["suppressed"], told["snooze"]["hits"]) == (1, 1)
    # Those are not among what made it.
    assert {each["transaction_id"] for each in told["transactions"] if each["hit"]} == {"F2", "F3"}


def test_totals_and_other_alerts_of_the_user_stand_beside_it(people: list[User], ann: Caller) -> None:
    take(
        record("A", people[0], 2500, "SUCCESS"),
        record("B", people[0], 500, "SUCCESS"),
        record("C", people[0], 70),
        record("D", people[1], 9000, "SUCCESS"),
    )
    burst(people[0], count=1)
    alert, other = open_alert(people[0]), open_alert(people[0], rule=2, rule_name="Other")
    open_alert(people[1])
    told = ann.get(f"alerts/{alert.pk}/")
    totals = told["totals"]
    assert totals.pop("first_at") is not None
    assert totals == {
        "days": 30, "transactions": 4, "succeeded": 2, "failed": 1, "pending": 1,
        "amount_succeeded": 3000, "complete": True,
    }  # fmt: skip
    assert [each["id"] for each in told["others"]] == [other.pk]


def test_where_the_user_has_more_than_are_counted_every_figure_is_of_the_latest_and_says_so(
    people: list[User], ann: Caller, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer, "COUNTED_MAX", 2)
    take(*(record(f"A{n}", people[0], 10**n, "SUCCESS") for n in range(3)))
    flush()
    alert = open_alert(people[0])
    totals = ann.get(f"alerts/{alert.pk}/")["totals"]
    assert (totals["transactions"], totals["succeeded"], totals["complete"]) == (2, 2, False)
    amounts = Transaction.objects.order_by("created_at", "id").values_list("amount", flat=True)
    assert totals["amount_succeeded"] == sum(list(amounts)[1:])
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(reverse("admin:alerts_alert_change", args=[alert.pk])).content.decode()
    card = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("First transaction") :]))
    assert re.search(r"Succeeded, the latest 2 .* Transactions, 30 days 2\+ Of the latest 2, failed 0 ", card)


def test_what_is_about_the_whole_system_has_no_user(ann: Caller) -> None:
    alert = Alert.objects.create(rule=1, rule_name="Silence", severity="HIGH", user=None)
    told = ann.get(f"alerts/{alert.pk}/")
    assert (told["user"], told["totals"], told["sentence"], told["transactions"]) == (None, None, None, [])


def test_of_the_same_amount_again_only_that_amount_counts(people: list[User], ann: Caller) -> None:
    rule_in_force("rapid_repeat", count=2, window="1h")
    begin = datetime.now(UTC) - timedelta(minutes=9)
    amounts = (700, 800, 700)
    take(
        *(
            record(f"R{n}", people[0], amount, created_at=begin + timedelta(minutes=n))
            for n, amount in enumerate(amounts)
        )
    )
    flush()
    told = ann.get(f"alerts/{Alert.objects.get().pk}/")
    assert [each["transaction_id"] for each in told["transactions"]] == ["R2", "R0"]
