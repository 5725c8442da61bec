"""Averages of amounts: half even to the smallest unit, the same in Python and in PostgreSQL."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transactions.models import AMOUNT_MAX
from transactions.rounding import half_even, half_even_sql

SELECT = f"SELECT {half_even_sql('%(total)s', '%(count)s')}"


def in_sql(total: int, count: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(SELECT, {"total": total, "count": count})
        (average,) = cursor.fetchone()
    assert average == int(average)
    return int(average)


def by_decimal(total: int, count: int) -> int:
    """What the decimal module says, with digits enough for the quotient to be exact at every half."""
    with localcontext(prec=200):
        return int((Decimal(total) / count).quantize(Decimal(1), ROUND_HALF_EVEN))


# Sums of two times as many amounts as there will be, each of the largest.
totals = st.one_of(st.integers(0, 50), st.integers(0, AMOUNT_MAX), st.integers(0, AMOUNT_MAX * 10**12))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(total=totals, count=st.one_of(st.integers(1, 20), st.integers(1, 10**12)))
@pytest.mark.django_db
def test_it_is_what_decimal_makes_of_it(total: int, count: int) -> None:
    assert half_even(total, count) == in_sql(total, count) == by_decimal(total, count)


@pytest.mark.parametrize(
    ("total", "count", "average"),
    [
        (1, 2, 0), (3, 2, 2), (5, 2, 2), (7, 2, 4), (1, 3, 0), (2, 3, 1), (5, 10, 0), (15, 10, 2),
        (0, 7, 0), (AMOUNT_MAX, 1, AMOUNT_MAX), (2 * AMOUNT_MAX, 2, AMOUNT_MAX),
        # Halves and what is next to them, of sums that no float holds.
        (2 * 10**30 + 1, 2, 10**30), (2 * 10**30 + 3, 2, 10**30 + 2), (2 * AMOUNT_MAX + 1, 2, 2**63),
        (10**42 + 5 * 10**11 - 1, 10**12, 10**30), (10**42 + 5 * 10**11, 10**12, 10**30),
        (10**42 + 5 * 10**11 + 1, 10**12, 10**30 + 1),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_a_half_goes_to_the_even_one_and_anything_beside_it_to_the_nearest(
    total: int, count: int, average: int
) -> None:
    assert half_even(total, count) == in_sql(total, count) == average == by_decimal(total, count)
