"""The admin site: who may do what, and what is shown."""

import html
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from tests.support.accepting import push, queued, record, take
from tests.support.admin_pages import (
    DAY,
    GONE,
    HOSTILE,
    MODELS,
    act,
    change,
    listed,
    page,
    reject,
    staff,
    store,
    url,
)
from transactions.models import Epoch, FlushBatch, RejectedRecord, Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_every_list_needs_a_member_of_the_staff_who_may_view_it(
    client: Client, people: list[User], model: str
) -> None:
    assert client.get(url(model)).headers["Location"].startswith(reverse("admin:login"))
    client.force_login(people[0])
    assert client.get(url(model)).headers["Location"].startswith(reverse("admin:login"))
    staff(client)
    assert client.get(url(model)).status_code == 403
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    assert client.get(url(model)).status_code == 200


def row_of(model: str, user: User) -> Transaction | RejectedRecord | Epoch | FlushBatch:
    match model:
        case "transaction":
            return store(user)
        case "rejectedrecord":
            return reject("x")
        case "epoch":
            return Epoch.objects.create()
    return FlushBatch.objects.create(name="b", epoch=Epoch.objects.create(), length=1)


@pytest.mark.parametrize("model", MODELS)
def test_every_page_of_a_row_needs_a_member_of_the_staff_who_may_view_it(
    client: Client, people: list[User], model: str
) -> None:
    row = row_of(model, people[0])
    assert client.get(change(row)).status_code == 302
    staff(client)
    assert client.get(change(row)).status_code == 403
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    assert client.get(change(row)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_nobody_adds_or_changes_a_fact(root: Client, people: list[User], model: str) -> None:
    assert root.get(reverse(f"admin:transactions_{model}_add")).status_code == 403
    row = row_of(model, people[0])
    assert 'name="_save"' not in page(root, change(row))
    before = type(row).objects.values().get()
    given = {"amount": "1", "status": "FAILED", "resolution": "DISCARDED", "stored": "7", "_save": "Save"}
    assert root.post(change(row), given).status_code == 403
    assert type(row).objects.values().get() == before


def test_only_a_superuser_deletes_a_transaction(client: Client, people: list[User]) -> None:
    row = store(people[0])
    staff(client, "view_transaction", "change_transaction", "delete_transaction")
    delete = reverse("admin:transactions_transaction_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    act(client, "transaction", "delete_selected", row, post="yes")
    assert Transaction.objects.exists()
    client.force_login(User.objects.create_superuser("root"))
    act(client, "transaction", "delete_selected", row, post="yes", reason="a test")
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("model", ["rejectedrecord", "flushbatch", "epoch"])
def test_nobody_deletes_the_books(root: Client, people: list[User], model: str) -> None:
    delete = reverse(f"admin:transactions_{model}_delete", args=[row_of(model, people[0]).pk])
    assert root.post(delete, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_who_may_only_look_decides_nothing(client: Client, people: list[User], action: str) -> None:
    row = reject(queued("R1", people[0]))
    staff(client, "view_rejectedrecord")
    assert f'value="{action}"' not in page(client, url("rejectedrecord"))
    act(client, "rejectedrecord", action, row)
    row.refresh_from_db()
    assert row.resolution == ""


def test_rollups_are_not_on_the_site(root: Client) -> None:
    assert "rollup" not in page(root, reverse("admin:index")).lower()


# --- What is shown --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_list_without_rows_opens(root: Client, model: str) -> None:
    assert 'class="card empty"' in page(root, url(model))


def test_a_transaction_is_shown_with_its_user_and_its_amount_in_thousands(
    root: Client, people: list[User]
) -> None:
    row = store(people[1], amount=1_234_567)
    for shown in (page(root, url("transaction")), page(root, change(row))):
        assert "1,234,567" in shown
        assert "bob" in shown


def test_hostile_values_are_shown_as_text_everywhere(root: Client, people: list[User]) -> None:
    User.objects.filter(pk=people[0].pk).update(username=HOSTILE)
    row = store(people[0], id=HOSTILE)
    refused = reject(queued(HOSTILE, people[0]) + "\x1b\u202e", id=HOSTILE)
    epoch = Epoch.objects.create(alarm=HOSTILE)
    batch = FlushBatch.objects.create(name=HOSTILE, epoch=epoch, length=1, rejected=1)
    paths = [url(model) for model in MODELS] + [change(row), change(refused), change(epoch), change(batch)]
    paths += [url("transaction", f"?user={people[0].pk}"), reverse("admin:transactions_customer_changelist")]
    paths += [url("transaction", "?q=%3Cscript%3Ealert"), url("rejectedrecord", "?q=%3Cscript%3Ealert")]
    for path in paths:
        shown = page(root, path)
        assert "<script>alert" not in shown, path
        # The list of flushes names none, but the books' alarm stands in the frame once it is read anew.
        if path != url("flushbatch"):
            assert "&lt;script&gt;alert" in shown, path
        assert "\u202e" not in shown
        assert "\x1b" not in shown
    assert "&lt;script&gt;" in act(root, "rejectedrecord", "discard", refused)


def test_long_raw_bytes_are_cut(root: Client) -> None:
    shown = page(root, change(reject(b"\xff" * 1_000_000)))
    assert "996,000 bytes more" in shown
    assert len(shown) < 100_000


def test_the_flush_history_hides_promises_and_tells_speed(root: Client) -> None:
    epoch = Epoch.objects.create()
    FlushBatch.objects.create(name="promise", epoch=epoch)
    FlushBatch.objects.create(name="work", epoch=epoch, length=10)
    times = {"reserved_at": DAY, "stored_at": DAY + timedelta(seconds=2)}
    FlushBatch.objects.create(name="stored", epoch=epoch, length=5000, done=5000, **times)
    shown = page(root, url("flushbatch"))
    assert "2 flushes" in shown
    assert "in work" in shown
    assert "2.00 s" in shown
    assert "2,500" in shown


def test_a_flush_leads_to_its_rejected_records(root: Client) -> None:
    push(queued("R1", GONE))
    flush()
    push(queued("R2", GONE), queued("R3", GONE))
    flush()
    act(root, "rejectedrecord", "discard", RejectedRecord.objects.get(transaction_id="R3"))
    link = html.unescape(re.findall(r'href="([^"]*batch=[^"]*)">2<', page(root, url("flushbatch")))[0])
    assert listed(root, link.partition("/rejectedrecord/")[2], "rejectedrecord") == ["R3", "R2"]


def test_a_user_leads_to_their_transactions(root: Client, people: list[User]) -> None:
    store(people[0], id="A1")
    store(people[1], id="B1")
    bob = reverse("admin:auth_user_change", args=[people[1].pk])
    link = url("transaction", f"?user={people[1].pk}")
    assert link in page(root, bob)
    assert link in page(root, reverse("admin:transactions_customer_changelist"))
    assert listed(root, f"?user={people[1].pk}") == ["B1"]
    assert page(root, reverse("admin:auth_user_add"))


def test_the_pipelines_own_rows_are_shown(root: Client, people: list[User]) -> None:
    take(record("T1", people[0], amount=5_000))
    push(queued("R1", GONE))
    flush()
    assert listed(root) == ["T1"]
    assert listed(root, "", "rejectedrecord") == ["R1"]
    rows: list[Model] = [Transaction.objects.get(), RejectedRecord.objects.get(), Epoch.objects.get()]
    for row in [*rows, FlushBatch.objects.latest("pk")]:
        assert page(root, change(row))


def test_numbers_that_count_are_read_in_thousands(root: Client, people: list[User]) -> None:
    epoch = Epoch.objects.create(accepted_seen=4779, stored=3564, removed=1_000_000)
    batch = FlushBatch.objects.create(name="b", epoch=epoch, length=2111, stored=2000, chunks=1)
    for path, texts in (
        (url("epoch"), ("4,779", "3,564", "1,000,000")),
        (change(epoch), ("4,779", "3,564", "1,000,000")),
        (url("flushbatch"), ("2,111", "2,000")),
        (change(batch), ("2,111", "2,000")),
    ):
        shown = re.sub("<[^>]*>", " ", page(root, path))
        assert [text for text in texts if f" {text} " not in " ".join(shown.split())] == [], path
