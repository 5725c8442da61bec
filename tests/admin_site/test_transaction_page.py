"""The page of one transaction: stored, waiting or rejected; the drawer of the dashboard says the same."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from tests.support.accepting import push, queued, record, take
from tests.support.admin_pages import GONE, HOSTILE, change, page, staff, store
from tests.support.alerts import burst, burst_rule
from tests.support.markup import markup
from tests.support.outages import redis_away
from tests.support.rules import rule_in_force
from transactions.alerts.models import Alert
from transactions.models import FlushBatch, RejectedRecord, Transaction
from transactions.queue.keys import INDEX
from transactions.reading.story import story
from transactions.review import notes
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def at(id: str) -> str:
    return f"{reverse('admin:transactions_transaction_story')}?transaction_id={quote(id, safe='')}"


def drawer(client: Client, id: str) -> str:
    """What the dashboard's drawer shows, which stands in the page as it is."""
    told = markup(client.get(reverse("dashboard-story"), {"transaction_id": id}))
    assert told.strip() in markup(client.get(at(id)))
    return told


def known(id: str, *, alerts: bool = False) -> dict[str, Any]:
    found = story(id, alerts=alerts)
    assert found is not None
    return found


def test_it_goes_from_accepted_to_settled(root: Client, people: list[User]) -> None:
    take(record("T1", people[0], amount=1_234_567))
    waiting = page(root, at("T1"))
    assert "waits to be stored" in waiting
    assert "not yet" in waiting
    flush()
    take(record("T1", people[0], amount=1_234_567, status="SUCCESS"))
    flush()
    shown = page(root, at("T1"))
    row = Transaction.objects.get()
    for part in (
        "1,234,567",
        "alice",
        "Succeeded",
        f"stored as number {row.pk}",
        "accepted",
        "stored",
        "settled",
    ):
        assert part in shown, part
    assert "not yet" not in shown
    # At the row's own address there is the same; what stands around it is of another second.
    assert content(page(root, change(row))) == content(shown)


def content(shown: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", shown.partition('id="content"')[2])


def test_it_names_the_batch_of_the_flush_that_stored_it(root: Client, people: list[User]) -> None:
    for id in ("T1", "T2", "T3"):
        take(record(id, people[0]))
        flush()
    batches = list(FlushBatch.objects.filter(length__isnull=False).order_by("pk"))
    assert [known(id)["batch"]["id"] for id in ("T1", "T2", "T3")] == [each.pk for each in batches]
    assert reverse("admin:transactions_flushbatch_change", args=[batches[1].pk]) in page(root, at("T2"))
    FlushBatch.objects.all().delete()
    assert known("T2")["batch"] is None
    assert "batch" not in drawer(root, "T2")


def test_a_rejected_record_has_its_page_with_the_reason(root: Client, people: list[User]) -> None:
    push(queued("R1", GONE))
    flush()
    shown = page(root, at("R1"))
    refused = RejectedRecord.objects.get()
    assert f"user {GONE} does not exist" in shown
    assert change(refused) in shown


def test_hits_and_alerts_are_there_for_who_may_see_them(
    client: Client, people: list[User], settings: Any
) -> None:
    settings.FOUR_EYES = False
    burst_rule()
    burst(people[0])
    client.force_login(User.objects.create_superuser("root"))
    (hit,) = known("F3", alerts=True)["hits"]
    assert hit["rule"] == "Failures in a row"
    assert reverse("admin:alerts_alert_change", args=[hit["alert"]]) in drawer(client, "F3")
    reader = Client()
    staff(reader, "view_transaction")
    assert known("F3")["hits"] == []
    assert "Failures in a row" not in drawer(reader, "F3")


def test_a_transaction_that_was_counted_in_an_alert_says_in_which(
    root: Client, people: list[User], settings: Any
) -> None:
    settings.FOUR_EYES = False
    burst_rule()
    ago = {minutes: datetime.now(UTC) - timedelta(minutes=minutes) for minutes in (6, 60)}
    take(
        record("OLD", people[0], 1, "FAILED", created_at=ago[60]),
        record("FINE", people[0], 1, "SUCCESS", created_at=ago[6]),
    )
    burst(people[0])
    alert = Alert.objects.latest("id").pk
    (found,) = known("F0", alerts=True)["counted_in"]
    assert found == (alert, "Failures in a row")
    there = reverse("admin:alerts_alert_change", args=[alert])
    assert f'Counted in<a href="{there}">alert {alert}</a>, Failures in a row' in drawer(root, "F0")
    for id in ("F3", "OLD", "FINE"):
        assert known(id, alerts=True)["counted_in"] == [], id
    assert known("F0")["counted_in"] == []


def test_of_the_same_amount_again_others_are_not_counted(
    root: Client, people: list[User], settings: Any
) -> None:
    settings.FOUR_EYES = False
    rule_in_force("rapid_repeat", name="Again", count=2, window="10m")
    begin = datetime.now(UTC) - timedelta(minutes=5)
    for id, amount in (("A0", 7), ("B0", 8), ("A1", 7)):
        take(record(id, people[0], amount, "SUCCESS", created_at=begin))
    flush()
    assert [each.rule for each in known("A0", alerts=True)["counted_in"]] == ["Again"]
    assert known("B0", alerts=True)["counted_in"] == []


def test_the_drawer_leads_to_the_customer_and_has_the_payload_and_a_command(
    root: Client, people: list[User]
) -> None:
    store(people[0], id="a/b?c&d")
    told = drawer(root, "a/b?c&d")
    assert reverse("admin:transactions_customer_change", args=[people[0].pk]) in told
    assert "alice" in told
    assert "&quot;amount&quot;: 1000" in told
    assert "http://testserver/api/transactions/a%2Fb%3Fc%26d/" in told


def test_the_payload_posted_again_is_a_replay_to_the_microsecond(api: APIClient, people: list[User]) -> None:
    moment = datetime(2026, 11, 27, 7, 30, 0, 45964, tzinfo=UTC)
    take(record("MICRO", people[0], 12, "SUCCESS", created_at=moment))
    flush()
    again = json.loads(known("MICRO")["payload"])
    assert datetime.fromisoformat(again["created_at"]) == moment
    answer = api.post(reverse("add-transaction"), again, format="json")
    assert (answer.status_code, answer["Idempotent-Replayed"]) == (200, "true")


def test_a_transaction_is_not_among_the_latest_others_of_its_customer(
    root: Client, people: list[User]
) -> None:
    rows = [store(people[0], f"T{n:02}") for n in range(12)]
    store(people[1], "SOMEBODY-ELSES")
    for row in (rows[0], rows[11]):
        shown = root.get(reverse("admin:transactions_transaction_change", args=[row.pk])).content.decode()
        latest = re.findall(r'data-transaction="([^"]+)"', shown)
        others = [each.transaction_id for each in reversed(rows) if each.pk != row.pk]
        assert latest == others[:10]
    alone = store(people[2], "ALONE")
    shown = root.get(reverse("admin:transactions_transaction_change", args=[alone.pk])).content.decode()
    assert "No other is stored." in shown


def test_it_shows_the_latest_notes_on_its_customer(root: Client, people: list[User]) -> None:
    store(people[0])
    written = [notes.write(people[0], f"note {n}", people[1]) for n in range(5)]
    notes.mark_reviewed(people[0], written[4].pk, people[2])
    told = drawer(root, "T1")
    assert re.findall(r"note \d", told) == ["note 4", "note 3", "note 2"]
    assert told.count("reviewed by carol") == 1


def test_hostile_ids_are_shown_as_text(root: Client, people: list[User]) -> None:
    store(people[0], id=HOSTILE)
    shown = page(root, at(HOSTILE))
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


def test_garbage_in_the_index_is_no_transaction_to_any_page(root: Client, people: list[User]) -> None:
    connection().hset(INDEX, mapping={"g1": "garbage", "g2": "PENDING\t1\t5\t\\N\t2026-11-26T13:40:00\tx"})
    row = store(people[0], "g1")
    assert f"stored as number {row.pk}" in page(root, at("g1"))
    assert f"stored as number {row.pk}" in page(root, change(row))
    for path in (at("g2"), f"{reverse('dashboard-story')}?transaction_id=g2"):
        assert root.get(path).status_code == 404
    for path in ("/admin/find/?q=g2", "/admin/find/found/?q=g2"):
        assert "g2 ·" not in page(root, path)


@pytest.mark.parametrize("id", ["", "\0", "nobody's", "x" * 5000])
def test_what_is_no_transaction_is_404(root: Client, id: str) -> None:
    assert root.get(at(id)).status_code == 404


def test_without_redis_it_says_so(root: Client, people: list[User]) -> None:
    with redis_away():
        answer = root.get(at("T1"))
    assert answer.status_code == 503
    assert "Redis does not answer" in answer.content.decode()
    assert "Whether it waits cannot be told" in answer.content.decode()


def test_without_redis_what_is_stored_is_shown_and_that_a_settlement_may_wait(
    root: Client, people: list[User]
) -> None:
    row = store(people[0])
    store(people[0], "S1", status="SUCCESS")
    with redis_away():
        told = drawer(root, "T1")
        assert "Redis does not answer: a settlement may wait there." in told
        assert "Redis does not answer: a settlement may wait there." in page(root, change(row))
        settled = drawer(root, "S1")
    assert f"stored as number {row.pk}" in told
    # Nothing follows a settlement: of such a one all is known.
    assert "may wait" not in settled
    assert "may wait" not in drawer(root, "T1")


def test_without_redis_a_rejected_record_is_shown_and_what_cannot_be_told(
    root: Client, people: list[User]
) -> None:
    push(queued("R1", GONE))
    flush()
    with redis_away():
        told = drawer(root, "R1")
    assert f"user {GONE} does not exist" in told
    assert "whether it was accepted once more cannot be told" in told


def test_it_is_for_who_may_read_and_only_a_superuser_deletes(client: Client, people: list[User]) -> None:
    row = store(people[0])
    staff(client, "view_alert")
    assert client.get(at("T1")).status_code == 403
    reader = Client()
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_transaction"))
    reader.force_login(user)
    delete = reverse("admin:transactions_transaction_delete", args=[row.pk])
    assert delete not in page(reader, at("T1"))
    reader.force_login(User.objects.create_superuser("root"))
    assert delete in page(reader, at("T1"))
