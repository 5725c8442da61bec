"""What the pages of rules, alerts and customers name leads to its own page."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.accepting import record, take
from tests.support.alert_pages import QUEUE, step
from tests.support.alert_pages import at as page_of
from tests.support.rows import row, store
from tests.support.rule_pages import at
from tests.support.rules import rule_in_force
from transactions.alerts.models import Alert
from transactions.models import Transaction
from transactions.review import links
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_alert_of_the_failure_rate_leads_to_what_failed_in_its_quarter_of_an_hour(
    ann: tuple[Client, User], people: list[User]
) -> None:
    quarter = datetime.now(UTC).replace(minute=15, second=0, microsecond=0) - timedelta(hours=3)
    store(row(people[0], quarter - timedelta(days=1)))
    store(*(row(people[0], quarter + timedelta(minutes=n // 2), status="FAILED") for n in range(20)))
    store(row(people[0], quarter + timedelta(minutes=15), status="FAILED"))
    rule_in_force("failure_rate", factor=3, percent=20, begin=quarter - timedelta(minutes=5))
    flush()
    said = ann[0].get(page_of(Alert.objects.get())).content.decode()
    link = re.search(r'<a href="([^"]*)">What failed from (\d\d:\d\d) to (\d\d:\d\d)</a>', said)
    assert link
    assert link[2:4] == (f"{quarter:%H:%M}", f"{quarter + timedelta(minutes=15):%H:%M}")
    assert "20 transactions · failed" in ann[0].get(html.unescape(link[1])).content.decode()


def test_hits_queue_and_snoozes_lead_to_alerts_transactions_and_customers(
    ann: tuple[Client, User], people: list[User]
) -> None:
    rule_in_force("amount", amount=1000)
    for name in ("T1", "T2"):
        take(record(name, people[0], 1000))
        flush()
        if name == "T1":
            alert = Alert.objects.get()
            step(ann[0], alert, "close", disposition="EXPECTED", reason="A sale.", days="30")
    kept_away = Transaction.objects.get(transaction_id="T2")
    customer = links.customer(people[0].pk)
    for path, there in (
        (at("rule_change", alert.rule), links.alert(alert.pk)),
        (page_of(alert), links.transaction(kept_away.pk)),
        (f"{QUEUE}?tab=closed", customer),
    ):
        assert f'href="{there}' in ann[0].get(path).content.decode(), path
    snoozed = ann[0].get(customer).content.decode().partition("<h3>Snoozed")[2]
    assert f'href="{links.alert(alert.pk)}">{alert.rule_name}</a>' in snoozed
    assert "1 hit kept away" in " ".join(snoozed.split())
