"""What is removed from the table is in the books, whatever way it went."""

import threading
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.support.accepting import record, take
from tests.support.flushing import POINTS, crash_at
from tests.support.serving import database_url
from transactions.books import balance, epochs
from transactions.models import Epoch, Removal, Transaction
from transactions.stores.redis_connection import connection
from transactions.storing import retention
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def stored(user: User, count: int = 5, ids: str = "T", **more: Any) -> None:
    """So many transactions of `user`, stored by the flush."""
    take(*(record(f"{ids}{n}", user, **more) for n in range(count)))
    flush()


def sql(statement: str, *parameters: Any) -> None:
    with database.cursor() as cursor:
        cursor.execute(statement, parameters)


def terms() -> tuple[int | None, int | None, int | None, int | None]:
    """What the books say of the table, after it was counted: it has as many rows as they say."""
    counted = balance.count_rows()
    assert counted.holds, counted
    books = balance.read()
    assert books.balanced is True
    assert books.rows == counted.counted == Transaction.objects.count()
    return books.stored, books.removed, books.pruned, books.rows


def test_nothing_is_removed_at_first(people: list[User]) -> None:
    assert terms() == (0, 0, 0, 0)
    stored(people[0])
    assert terms() == (5, 0, 0, 5)


def test_what_a_superuser_deletes_is_removed(people: list[User], root: Client) -> None:
    stored(people[0])
    first, *others = Transaction.objects.order_by("pk")
    page = reverse("admin:transactions_transaction_delete", args=[first.pk])
    root.post(page, {"post": "yes", "reason": "a test payment"})
    assert terms() == (5, 1, 0, 4)
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in others[:2]]}
    said = {"post": "yes", "reason": "test payments"}
    root.post(reverse("admin:transactions_transaction_changelist"), chosen | said)
    assert terms() == (5, 3, 0, 2)


def test_what_goes_with_its_user_is_removed(people: list[User]) -> None:
    stored(people[0], 300)
    stored(people[1], 2, "U")
    people[0].delete()
    assert terms() == (302, 300, 0, 2)


def test_what_somebody_deletes_by_sql_is_removed(people: list[User]) -> None:
    stored(people[0])
    sql("DELETE FROM transactions_transaction WHERE transaction_id < 'T2'")
    assert terms() == (5, 2, 0, 3)
    sql("DELETE FROM transactions_transaction WHERE false")
    assert not Removal.objects.exclude(removed=2).exists(), "what took nothing leaves nothing"


def test_what_is_deleted_and_taken_back_is_not_removed(people: list[User]) -> None:
    stored(people[0])
    with transaction.atomic():
        Transaction.objects.all().delete()
        transaction.set_rollback(True)
    assert terms() == (5, 0, 0, 5)


def test_what_is_old_and_goes_is_pruned(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK_ROWS", 2)
    stored(people[0], 5, status="SUCCESS")
    stored(people[0], 3, "N", status="SUCCESS")
    rows = Transaction.objects.filter(transaction_id__startswith="T")
    for row in rows:
        row.created_at = row.accepted_at = row.created_at - timedelta(days=20)
        row.save()
    assert retention.prune(10) == 5
    assert terms() == (8, 0, 5, 3)
    Transaction.objects.filter(transaction_id="N0").delete()
    assert terms() == (8, 1, 5, 2)
    flush()
    assert terms() == (8, 1, 5, 2)


def test_the_next_flush_counts_it_once_and_keeps_no_row_of_it(people: list[User]) -> None:
    stored(people[0])
    for id in ("T0", "T1"):
        Transaction.objects.get(transaction_id=id).delete()
    assert Removal.objects.count() == 2
    assert terms() == (5, 2, 0, 3)
    for _ in range(2):
        flush()
        assert not Removal.objects.exists()
        assert terms() == (5, 2, 0, 3)
    assert Epoch.objects.get().removed == 2


@pytest.mark.parametrize("point", POINTS)
def test_a_flush_that_crashes_leaves_it_balanced(
    people: list[User], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(people[0])
    Transaction.objects.get(transaction_id="T0").delete()
    take(record("N1", people[0]))
    crash_at(f"flush.{point}", monkeypatch)
    assert balance.count_rows().holds
    flush()
    assert terms() == (6, 1, 0, 5)


def test_counting_it_cut_off_leaves_it_balanced(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    stored(people[0])
    Transaction.objects.get(transaction_id="T0").delete()
    monkeypatch.setattr(epochs, "NOTE_FLUSH", "SELECT 1 / 0")
    with pytest.raises(psycopg2.DataError):
        flush()
    assert Removal.objects.exists(), "counted and taken away together, or not at all"
    monkeypatch.undo()
    assert terms() == (5, 1, 0, 4)
    flush()
    assert terms() == (5, 1, 0, 4)


def test_a_deletion_that_is_not_committed_holds_up_no_flush(people: list[User]) -> None:
    stored(people[0])
    other = psycopg2.connect(database_url())
    try:
        other.cursor().execute("DELETE FROM transactions_transaction WHERE transaction_id = 'T0'")
        # Another quarter of an hour: the rollups' own rows are not what this is about.
        stored(people[1], 2, "N", created_at=people[0].date_joined - timedelta(days=1))
        assert terms() == (7, 0, 0, 7)
        other.commit()
    finally:
        other.close()
    assert terms() == (7, 1, 0, 6)


def test_deletions_beside_one_another_and_beside_flushes_are_all_counted(people: list[User]) -> None:
    stored(people[0], 200, status="SUCCESS")
    done = threading.Event()

    def delete(first: int) -> None:
        with psycopg2.connect(database_url()) as own, own.cursor() as cursor:
            own.autocommit = True
            for n in range(first, 200, 2):
                cursor.execute("DELETE FROM transactions_transaction WHERE transaction_id = %s", (f"T{n}",))

    deleters = [threading.Thread(target=delete, args=[first]) for first in (0, 1)]
    for each in deleters:
        each.start()
    while not done.is_set():
        if not any(each.is_alive() for each in deleters):
            done.set()
        flush()
        assert balance.count_rows().holds
    assert terms() == (200, 200, 0, 0)


def test_a_table_that_was_truncated_has_no_rows_by_the_books_either(people: list[User]) -> None:
    stored(people[0])
    Transaction.objects.get(transaction_id="T0").delete()
    sql("TRUNCATE transactions_transaction")
    assert terms() == (5, 5, 0, 0)
    stored(people[0], 2, "N")
    assert terms() == (7, 5, 0, 2)


def test_after_everything_was_deleted_new_books_begin_at_nothing(people: list[User]) -> None:
    stored(people[0])
    Transaction.objects.get(transaction_id="T0").delete()
    epochs.empty_everything()
    assert terms() == (0, 0, 0, 0)
    closed = Epoch.objects.exclude(closed_at=None).get()
    assert (closed.stored, closed.removed) == (5, 5)
    stored(people[0], 2)
    assert terms() == (2, 0, 0, 2)


def test_new_books_speak_of_the_rows_of_the_old_ones(people: list[User]) -> None:
    stored(people[0])
    Transaction.objects.get(transaction_id="T0").delete()
    connection().flushdb()
    flush()
    assert terms() == (0, 0, 0, 4), "removed before, so it is in the books that were closed"
    Transaction.objects.get(transaction_id="T1").delete()
    assert terms() == (0, 1, 0, 3)
    stored(people[0], 2, "N")
    assert terms() == (2, 1, 0, 5)


def test_pruning_amid_the_reading_does_not_hide_the_balance(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(people[0], 50)
    waiting = balance._waiting

    def remove_first(*arguments: Any) -> Any:
        sql("DELETE FROM transactions_transaction WHERE id = (SELECT min(id) FROM transactions_transaction)")
        return waiting(*arguments)

    monkeypatch.setattr(balance, "_waiting", remove_first)
    assert balance.read().balanced is True


# --- What was removed before it was counted ---------------------------------------------------------


def test_what_was_removed_before_the_upgrade_is_reckoned_from_rollups_and_rows(people: list[User]) -> None:
    stored(people[0], 10)
    call_command("migrate", "transactions", "0007", verbosity=0)
    try:
        sql("DELETE FROM transactions_transaction WHERE transaction_id < 'T3'")
        with transaction.atomic():
            sql("SELECT set_config('transactions.keep_rollups', 'on', true)")
            sql("DELETE FROM transactions_transaction WHERE transaction_id > 'T7'")
    finally:
        call_command("migrate", "transactions", verbosity=0)
    assert terms() == (10, 3, 2, 5)
    flush()
    assert terms() == (10, 3, 2, 5)


# --- As it is told --------------------------------------------------------------------------------


def test_verify_counts_the_rows_where_it_is_asked_to(
    people: list[User], capsys: pytest.CaptureFixture[str]
) -> None:
    stored(people[0])
    Transaction.objects.get(transaction_id="T0").delete()
    call_command("verify", "--deep")
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    told = (lines["stored"], lines["removed"], lines["pruned"], lines["rows"], lines["counted"])
    assert told == ("5", "1", "0", "4", "4")


@pytest.mark.parametrize("change", ["put in", "taken out"])
def test_verify_finds_rows_put_in_or_taken_out_behind_the_systems_back(
    people: list[User], change: str
) -> None:
    stored(people[0])
    if change == "put in":
        Transaction.objects.create(transaction_id="X", user=people[0], amount=1)
    else:
        with transaction.atomic():
            sql("SET LOCAL session_replication_role = replica")
            sql("DELETE FROM transactions_transaction WHERE transaction_id = 'T0'")
    call_command("verify")
    found = 6 if change == "put in" else 4
    with pytest.raises(CommandError, match=f"The table has {found} rows, by the books it has 5."):
        call_command("verify", "--deep")
