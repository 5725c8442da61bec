"""The page of an alert: why it was raised, what made it, and what happened to it."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.accepting import record, take
from tests.support.alert_pages import QUEUE, at, step
from tests.support.alerts import analyst, burst, burst_rule, open_alert
from tests.support.markup import markup
from tests.support.rule_pages import HOSTILE_NAME, plain, text_of
from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.audit.models import Entry
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_alert_says_why_it_was_raised_and_what_made_it(
    ann: tuple[Client, User], people: list[User]
) -> None:
    burst_rule()
    burst(people[0])
    alert = Alert.objects.get()
    said = text_of(ann[0], at(alert))
    assert "At least 3 transactions of a customer fail within 10 minutes." in said
    assert "Its latest hit: 4 failures within 10 minutes, as of" in said
    for id, amount in (("F0", 100), ("F3", 103)):
        assert f"{id} {amount} FAILED".lower() in said.lower()
    assert "F1 101 Failed counted" in said
    page = ann[0].get(at(alert)).content.decode()
    assert page.count('"made": true') == 4


def test_it_says_how_many_hits_are_not_shown_and_how_many_the_csv_has(
    ann: tuple[Client, User], people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    burst_rule()
    burst(people[0], count=6)
    alert = Alert.objects.get()
    assert "not shown here" not in text_of(ann[0], at(alert))
    monkeypatch.setattr("transactions.review.explanation.HITS_MAX", 1)
    said = text_of(ann[0], at(alert))
    assert "3 older hits not shown here; the CSV has the latest 10,000." in said


def test_it_says_which_transactions_are_not_as_they_were(
    ann: tuple[Client, User], people: list[User]
) -> None:
    rule_in_force("amount", amount=1000)
    take(record("settles", people[0]), record("goes", people[0]))
    flush()
    take(record("settles", people[0], 1000, "FAILED"))
    flush()
    Transaction.objects.filter(transaction_id="goes").delete()
    said = text_of(ann[0], at(Alert.objects.get()))
    assert "2 of these transactions are not as they were when the alert was raised." in said
    assert "Pending → Failed now" in said
    assert "Pending gone now" in said


def test_what_others_wrote_is_shown_as_text(ann: tuple[Client, User], people: list[User]) -> None:
    User.objects.filter(pk=people[0].pk).update(username=HOSTILE_NAME)
    alert = open_alert(people[0], rule_name=HOSTILE_NAME)
    triage.note(alert.pk, ann[1], HOSTILE_NAME)
    triage.close(alert.pk, ann[1], 1, "EXPECTED", HOSTILE_NAME)
    for path in (at(alert), f"{QUEUE}?tab=closed"):
        assert HOSTILE_NAME not in ann[0].get(path).content.decode()
        assert HOSTILE_NAME in text_of(ann[0], path)


def test_what_is_no_alert_is_not_found(ann: tuple[Client, User]) -> None:
    for path in (f"{QUEUE}7/change/", f"{QUEUE}x/change/", f"{QUEUE}{'9' * 30}/change/"):
        assert ann[0].get(path).status_code == 404
    assert ann[0].post(f"{QUEUE}7/steps/claim/", {"version": 1}).status_code == 404
    assert ann[0].post(f"{QUEUE}7/steps/burn/", {"version": 1}).status_code == 404


def test_what_happened_says_as_what_it_was_closed_and_which_step_was_taken_back(
    ann: tuple[Client, User], people: list[User]
) -> None:
    alert = open_alert(people[0])
    step(ann[0], alert, "close", disposition="TRUE_POSITIVE", reason="A stolen card.")
    step(ann[0], alert, "undo")
    step(ann[0], alert, "close", disposition="DUPLICATE", reason="As the other one.")
    step(ann[0], alert, "reopen", reason="It is not.")
    said = text_of(ann[0], at(alert))
    assert "ann closed it as true positive: A stolen card." in said
    assert "ann took back closing it as true positive" in said
    assert "ann closed it as duplicate: As the other one." in said


def test_precision_is_told_with_the_number_it_is_of(ann: tuple[Client, User], people: list[User]) -> None:
    rule = burst_rule().rule
    told = ("TRUE_POSITIVE", "FALSE_POSITIVE", "EXPECTED", "DUPLICATE")
    for disposition in told:
        alert = open_alert(people[0], rule=rule.pk, rule_name=rule.name)
        step(ann[0], alert, "close", disposition=disposition, reason="known")
    said = text_of(ann[0], at(alert))
    assert "Precision 50 % over 2 closed alerts told true or false, of 90 days" in said
    assert "Failures in a row · Closed as duplicate" in said
    assert "50 % of 2" in text_of(ann[0], "/admin/rules/rule/")


def test_the_trail_leads_to_the_alert(ann: tuple[Client, User], people: list[User], client: Client) -> None:
    alert = open_alert(people[0])
    step(ann[0], alert, "claim")
    client.force_login(User.objects.create_superuser("root"))
    said = client.get("/admin/audit/entry/").content.decode()
    assert f'<a href="{at(alert)}">Alert {alert.pk}</a>' in said


@pytest.mark.parametrize(
    ("kind", "parameters", "amounts", "told"),
    [
        ("amount", {"amount": 1000}, [5000], "5,000, and the limit is 1,000"),
        (
            "deviation",
            {"least": 1, "factor": 3, "past_min": 2},
            [100, 100, 600],
            "600, 6.0 times the mean of the 2 before, 100",
        ),
        ("first_or_dormant", {"least": 10, "days": 30}, [5000], "5,000, the first of this customer"),
        (
            "below_limit",
            {"count": 2, "window": "24h", "limit": 10000, "margin": 500},
            [9900, 9950],
            "2 just under the limit of 10,000 within 24 hours",
        ),
        (
            "rapid_repeat",
            {"count": 3, "window": "10m"},
            [500, 500, 500],
            "3 of 500 each within 10 minutes",
        ),
    ],
)
def test_a_headline_has_what_matters(
    ann: tuple[Client, User],
    people: list[User],
    kind: str,
    parameters: dict[str, Any],
    amounts: list[int],
    told: str,
) -> None:
    rule_in_force(kind, **parameters)
    begin = datetime.now(UTC) - timedelta(minutes=5)
    for n, amount in enumerate(amounts):
        take(record(f"H{n}", people[0], amount, created_at=begin + timedelta(seconds=n)))
        flush()
    (alert,) = Alert.objects.all()
    assert f"{told} · alice" in text_of(ann[0], at(alert))
    assert told in text_of(ann[0], QUEUE)


def test_all_that_made_it_is_shown_and_taken_out_with_ids(
    ann: tuple[Client, User], people: list[User]
) -> None:
    burst_rule()
    burst(people[0], count=15)
    alert = Alert.objects.get()
    response = ann[0].get(at(alert))
    page = markup(response)
    rows = re.compile(r'<td class="whole" data-label="Transaction"><a class="id"')
    assert len(rows.findall(page)) == 10
    assert "And 5 more: show all 15" in plain(response.content.decode())
    assert '"id": "F0"' in page
    assert len(rows.findall(markup(ann[0].get(f"{at(alert)}?all")))) == 15
    response = ann[0].get(f"{QUEUE}{alert.pk}/transactions.csv")
    assert response["Content-Type"].startswith("text/csv")
    first, *lines = list(csv.reader(io.StringIO(response.content.decode())))
    assert first == [
        "transaction_id",
        "user_id",
        "customer_name",
        "amount",
        "status",
        "status_now",
        "created_at",
        "hit",
        "why",
    ]
    assert [line[0] for line in lines] == [f"F{n}" for n in range(14, -1, -1)]
    # The first two only count towards the hits.
    assert {line[2] for line in lines} == {"alice"}
    assert [line[7] for line in lines] == ["yes"] * 13 + ["no"] * 2
    assert Entry.objects.filter(action="export.read", target=f"alert {alert.pk}").count() == 1


def test_whoever_may_not_see_alerts_takes_none_out(client: Client, people: list[User]) -> None:
    alert = open_alert(people[0])
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(f"{QUEUE}{alert.pk}/transactions.csv").status_code == 403
    client.force_login(analyst("ann")[1])
    assert client.get(f"{QUEUE}{alert.pk + 1}/transactions.csv").status_code == 404
    # None of its hits is left.
    assert client.get(f"{QUEUE}{alert.pk}/transactions.csv").content.count(b"\n") == 1
