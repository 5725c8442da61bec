"""What a statement may take, within what another may."""

import pytest
from django.db import OperationalError, connection, transaction

from transactions.stores.bounded_queries import all_within, bounded, in_time

pytestmark = pytest.mark.django_db(transaction=True)


def limit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def sleep() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    return True


def test_within_a_bound_another_holds_for_its_own_statements_alone() -> None:
    with bounded(4_000):
        assert in_time(limit, 200) == "200ms"
        assert limit() == "4s"


def test_what_is_given_up_within_a_transaction_leaves_its_bound_and_its_work() -> None:
    with transaction.atomic():
        before = limit()
        assert in_time(sleep, 50) is None
        assert limit() == before


def test_all_statements_of_a_block_together_have_no_more_than_it_has() -> None:
    with all_within(4_000), all_within(200):
        with pytest.raises(OperationalError), bounded():
            sleep()
        # Nothing is left, and a bound of no time at all would be none.
        with bounded(5_000):
            assert limit() == "1ms"
    with bounded(4_000):
        assert limit() == "4s"
