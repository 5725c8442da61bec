"""What an operator decides on the admin site."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.support.accepting import queued
from tests.support.admin_pages import GONE, act, insert_many, page, reject, staff, store, url
from transactions.admin_site import lists
from transactions.models import Epoch, RejectedRecord, Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_replay_stores_what_can_be_stored_and_tells_of_the_rest(client: Client, people: list[User]) -> None:
    good, bad = reject(queued("R1", people[0])), reject(queued("R2", GONE), id="R2")
    staff(client, "change_rejectedrecord")
    shown = act(client, "rejectedrecord", "replay", good, bad)
    assert "1 record was replayed: it is stored with the next flush." in shown
    assert f"R2 was refused again: customer {GONE} does not exist." in shown
    assert flush().stored == 1
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.resolution, bad.resolution) == ("REPLAYED", "")


def test_discard_gives_up_the_selected_records_alone(client: Client, people: list[User]) -> None:
    one, other = reject("x"), reject("y")
    staff(client, "change_rejectedrecord")
    assert "1 record was discarded." in act(client, "rejectedrecord", "discard", one)
    assert "Nothing was discarded. 1 had been discarded before." in act(
        client, "rejectedrecord", "discard", one
    )
    assert "was discarded before." in act(client, "rejectedrecord", "replay", one)
    other.refresh_from_db()
    assert other.resolution == ""


def test_a_replay_of_which_nothing_came_is_no_success(root: Client) -> None:
    shown = act(root, "rejectedrecord", "replay", reject(queued("R2", GONE), id="R2"))
    assert "Nothing was replayed." in shown
    assert "banner-good" not in shown


def test_many_failures_are_counted_and_not_all_named(root: Client) -> None:
    rows = [reject("x", id=f"R{n}") for n in range(8)]
    shown = act(root, "rejectedrecord", "replay", *rows)
    assert shown.count("unreadable") == 5
    assert "Could not be replayed: 8 in all." in shown


def test_an_action_refuses_more_rows_than_it_can_take(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "ACTION_ROWS_MAX", 2)
    rows = [reject("x") for _ in range(3)]
    assert "at most 2 rows" in act(root, "rejectedrecord", "discard", rows[0], select_across="1")
    assert RejectedRecord.objects.filter(resolution="").count() == 3
    for n in range(3):
        row = store(people[0], id=f"T{n}")
    assert "at most 2 rows" in act(root, "transaction", "delete_selected", row, select_across="1", post="yes")
    assert Transaction.objects.count() == 3


@pytest.mark.parametrize("confirmed", [{}, {"post": "yes", "reason": "twice"}], ids=["asked", "confirmed"])
def test_where_none_of_the_chosen_is_left_that_is_said(
    root: Client, people: list[User], confirmed: dict[str, str]
) -> None:
    row, user = store(people[0]), User.objects.create_user("gone", is_staff=True)
    Transaction.objects.all().delete()
    User.objects.filter(pk=user.pk).delete()
    for path, key in (
        (url("transaction", "?status=FAILED"), row.pk),
        (reverse("admin:auth_user_changelist"), user.pk),
    ):
        form = {"action": "delete_selected", "_selected_action": key, "index": "0", **confirmed}
        answer = root.post(path, form, follow=True)
        assert answer.redirect_chain == [(path, 302)]
        assert "None of those that were chosen is in this list any more" in answer.content.decode()


def test_an_alarm_is_acknowledged_by_who_may_change_the_books(client: Client, people: list[User]) -> None:
    alarm, quiet = Epoch.objects.create(alarm="vanished"), Epoch.objects.create()
    staff(client, "view_epoch")
    act(client, "epoch", "acknowledge", alarm)
    alarm.refresh_from_db()
    assert alarm.alarm_acknowledged_at is None
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename="change_epoch"))
    assert "Alarms acknowledged: 1." in act(client, "epoch", "acknowledge", alarm, quiet)
    alarm.refresh_from_db()
    quiet.refresh_from_db()
    assert alarm.alarm_acknowledged_at is not None
    assert quiet.alarm_acknowledged_at is None


def test_books_are_chosen_only_where_an_alarm_is_open(root: Client) -> None:
    alarm = Epoch.objects.create(alarm="vanished")
    assert "Acknowledge the alarms" in page(root, url("epoch"))
    assert "Alarms acknowledged: 1." in act(root, "epoch", "acknowledge", alarm)
    shown = page(root, url("epoch"))
    assert "Acknowledge the alarms" not in shown
    assert "_selected_action" not in shown
    assert "Alarms acknowledged: 0." in act(root, "epoch", "acknowledge", alarm)


def test_deleting_a_user_of_many_transactions_does_not_list_them(root: Client, people: list[User]) -> None:
    insert_many(people, 3_000)
    delete = reverse("admin:auth_user_delete", args=[people[0].pk])
    with CaptureQueriesContext(database) as queries:
        shown = page(root, delete)
    assert "more than 100" in shown
    assert len(shown) < 50_000
    assert all("LIMIT 101" in query["sql"] for query in queries if "transactions_transaction" in query["sql"])
    assert root.post(delete, {"post": "yes", "reason": "left"}).status_code == 302
    assert Transaction.objects.count() == 2_000


def test_deleting_a_user_of_few_transactions_lists_them(root: Client, people: list[User]) -> None:
    store(people[0], id="T-listed")
    assert "T-listed" in page(root, reverse("admin:auth_user_delete", args=[people[0].pk]))


def test_only_a_superuser_deletes_a_user_of_many_transactions(client: Client, people: list[User]) -> None:
    insert_many(people, 3_000)
    staff(client, "view_user", "delete_user", "delete_transaction")
    delete = reverse("admin:auth_user_delete", args=[people[0].pk])
    assert "your account doesn't have permission" in page(client, delete).replace("&#x27;", "'")
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=people[0].pk).exists()
