"""The triggers: rollups follow the rows, whatever changes them."""

import threading
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.accepting import record, take
from tests.support.outages import until_somebody_waits
from tests.support.rows import NOON, rolled_up, row, store, summed
from transactions.models import AMOUNT_MAX, Rollup, Status, Transaction
from transactions.storing.flush import flush

INSERT_ROW = """
    INSERT INTO transactions_transaction
           (transaction_id, user_id, status, created_at, amount, accepted_at, stored_at)
    VALUES (%s, %s, 'SUCCESS', %s, %s, now(), now())
"""


@pytest.fixture
def payer(db: None) -> User:
    return User.objects.create_user("payer")


@pytest.fixture
def hour(payer: User) -> list[Transaction]:
    """A row a minute for an hour, of every status."""
    return store(
        *(
            row(payer, NOON + timedelta(minutes=minute), 100 + minute, list(Status)[minute % 3])
            for minute in range(60)
        )
    )


def test_they_have_a_bucket_for_every_quarter_of_an_hour_and_status(hour: list[Transaction]) -> None:
    assert rolled_up() == summed(hour)
    assert len(rolled_up()) == 4 * 3


def test_they_begin_a_bucket_with_its_first_microsecond(payer: User) -> None:
    microsecond = timedelta(microseconds=1)
    moments = (NOON - microsecond, NOON, NOON + timedelta(minutes=15) - microsecond)
    store(*(row(payer, moment) for moment in moments))
    assert list(Rollup.objects.order_by("bucket").values_list("bucket", "count")) == [
        (NOON - timedelta(minutes=15), 1),
        (NOON, 2),
    ]


@pytest.mark.parametrize("moment", [datetime.min, datetime.max, datetime(1969, 12, 31, 23, 59, 59, 999_999)])
def test_they_hold_the_ends_of_the_calendar_and_times_before_the_epoch(payer: User, moment: datetime) -> None:
    store(row(payer, moment.replace(tzinfo=UTC)))
    assert rolled_up() == summed()


def test_they_hold_sums_that_no_whole_number_of_the_database_holds(payer: User) -> None:
    store(row(payer, amount=AMOUNT_MAX), row(payer, amount=AMOUNT_MAX))
    store(row(payer, amount=AMOUNT_MAX))
    assert [int(rollup.total) for rollup in Rollup.objects.all()] == [3 * AMOUNT_MAX]


def test_they_follow_a_change_of_status_amount_and_time(hour: list[Transaction]) -> None:
    Transaction.objects.filter(status="PENDING").update(status="FAILED")
    assert rolled_up() == summed()
    Transaction.objects.filter(amount__lt=130).update(amount=AMOUNT_MAX)
    assert rolled_up() == summed()
    Transaction.objects.filter(amount=140).update(created_at=NOON - timedelta(days=1))
    assert rolled_up() == summed()


def test_they_are_not_written_when_nothing_that_they_hold_changes(hour: list[Transaction]) -> None:
    def versions() -> list[tuple[str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ctid::text FROM transactions_rollup ORDER BY bucket, status")
            found: list[tuple[str]] = cursor.fetchall()
        return found

    before = versions()
    Transaction.objects.update(user=User.objects.create_user("heir"))
    assert versions() == before


def test_they_follow_deleted_rows_and_leave_no_empty_bucket(hour: list[Transaction]) -> None:
    Transaction.objects.filter(created_at__lt=NOON + timedelta(minutes=20)).delete()
    assert rolled_up() == summed()
    Transaction.objects.all().delete()
    assert not Rollup.objects.exists()


def test_they_follow_the_rows_of_a_deleted_user(hour: list[Transaction], payer: User) -> None:
    kept = store(row(User.objects.create_user("other"), amount=7))
    payer.delete()
    assert rolled_up() == summed(kept)


@pytest.mark.django_db(transaction=True)
def test_they_go_with_a_truncated_table(people: list[User]) -> None:
    store(row(people[0]), row(people[1]))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE transactions_transaction")
    assert not Rollup.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_they_stay_when_old_rows_are_pruned_and_only_then(people: list[User]) -> None:
    old = store(row(people[0]), row(people[1]))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL transactions.keep_rollups = 'on'")
        Transaction.objects.filter(user=people[0]).delete()
    assert rolled_up() == summed(old)
    Transaction.objects.all().delete()
    assert rolled_up() == summed(old[:1])


@pytest.mark.django_db(transaction=True)
def test_they_follow_what_the_flush_stores_and_settles(people: list[User]) -> None:
    take(*(record(f"T{n}", people[n % 3], amount=n) for n in range(30)))
    flush()
    assert rolled_up() == summed()
    take(*(record(f"T{n}", people[n % 3], amount=n, status="SUCCESS") for n in range(0, 30, 2)))
    flush()
    assert Transaction.objects.filter(status="SUCCESS").count() == 15
    assert rolled_up() == summed()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["store", "settle", "move", "change", "delete", "nothing"]),
        st.lists(st.integers(0, 40), max_size=8),
        st.integers(0, AMOUNT_MAX),
    ),
    max_size=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_they_are_right_after_any_sequence_of_changes(
    payer: User, steps: list[tuple[str, list[int], int]]
) -> None:
    with transaction.atomic():
        for action, numbers, amount in steps:
            chosen = Transaction.objects.filter(settled_at=None, amount__in=[n * 7 for n in numbers])
            minutes = timedelta(minutes=amount % 60)
            match action:
                case "store":
                    store(*(row(payer, NOON + timedelta(minutes=n), n * 7, "PENDING") for n in numbers))
                case "settle":
                    chosen.update(status="SUCCESS")
                case "move":
                    chosen.update(created_at=NOON - minutes)
                case "change":
                    chosen.update(amount=amount)
                case "delete":
                    chosen.delete()
                case _:
                    chosen.update(amount=0, settled_at=NOON)
            assert rolled_up() == summed()
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_they_are_right_when_several_write_at_once(people: list[User]) -> None:
    failures: list[Exception] = []

    def come_and_go(user: User, seed: int) -> None:
        chance = Random(seed)
        try:
            for _ in range(20):
                minutes = chance.sample(range(120), 40)
                store(*(row(user, NOON + timedelta(minutes=m), m) for m in minutes))
                Transaction.objects.filter(user=user, amount__in=minutes[:30]).delete()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=come_and_go, args=(user, user.pk)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rolled_up() == summed()


def write(event: str, user: User) -> None:
    """Changes a bucket in each of 30 quarters of an hour by one statement, in no order of time."""
    try:
        match event:
            case "insert":
                store(*(row(user, NOON + timedelta(minutes=15 * (n * 7 % 30)), 2) for n in range(30)))
            case "update":
                Transaction.objects.update(amount=2)
            case "delete":
                Transaction.objects.filter(amount=1).delete()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("event", ["insert", "update", "delete"])
def test_they_change_buckets_in_order_so_that_two_never_deadlock(people: list[User], event: str) -> None:
    store(*(row(people[0], NOON + timedelta(minutes=15 * (n * 11 % 30)), 1) for n in range(30)))
    middle = NOON + timedelta(minutes=15 * 15)
    writer = threading.Thread(target=write, args=(event, people[1]))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM transactions_rollup WHERE bucket = %s FOR UPDATE", [middle])
        writer.start()
        until_somebody_waits()
        cursor.execute("SELECT bucket FROM transactions_rollup ORDER BY bucket FOR UPDATE SKIP LOCKED")
        untouched = [bucket for (bucket,) in cursor.fetchall()]
    writer.join()
    assert untouched == [middle + timedelta(minutes=15 * n) for n in range(15)]
    assert rolled_up() == summed()


@pytest.mark.django_db(transaction=True)
def test_they_are_made_from_the_rows_there_are_when_the_triggers_come(people: list[User]) -> None:
    try:
        call_command("migrate", "transactions", "0001", verbosity=0)
        with connection.cursor() as cursor:  # The model of today has more columns.
            for n in range(100):
                cursor.execute(INSERT_ROW, [str(n), people[n % 3].pk, NOON + timedelta(minutes=n), n])
        assert not Rollup.objects.exists()
    finally:
        call_command("migrate", "transactions", verbosity=0)
    assert rolled_up() == summed()
    Transaction.objects.filter(amount__lt=50).delete()
    assert rolled_up() == summed()
