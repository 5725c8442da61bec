"""What the texts of rules read: the rows of a span, however many rows their user has before and after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.support.reading import BEGIN, ROWS, pages_read, tell_the_planner, tell_the_planner_nothing
from transactions.rules import evaluation, slices
from transactions.rules.kinds.kind import Bound
from transactions.rules.kinds.registry import read

pytestmark = pytest.mark.django_db(transaction=True)

# Of these many rows there are as many before as after.
SPAN_ROWS = 20
MIDDLE = BEGIN + timedelta(minutes=ROWS // 2)
SPAN = (MIDDLE, MIDDLE + timedelta(minutes=SPAN_ROWS - 1))
# Of the table and its index, which have some 500 in all: a few for each judged row.
PAGES_MAX = 5 * SPAN_ROWS

RULES: dict[str, dict[str, Any]] = {
    "amount": {"at": "least", "amount": 1},
    "velocity_count": {"count": 3, "window": "10m"},
    "velocity_sum": {"total": 3, "window": "10m"},
    "first_or_dormant": {"days": 60, "least": 0},
    "deviation": {"factor": 1.5, "past_min": 3, "past_max": 3, "least": 0},
}


@contextmanager
def judging(busy: User) -> Iterator[Any]:
    """A cursor in a transaction as rules are judged in, which looks at the span."""
    with transaction.atomic(), connection.cursor() as cursor:
        evaluation.prepare(cursor)
        cursor.execute("INSERT INTO rule_look VALUES (1, %s, %s, %s)", (busy.pk, *SPAN))
        cursor.execute(evaluation.limit())
        yield cursor


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("known", [False, True], ids=["not analyzed", "analyzed"])
def test_a_rule_reads_no_more_of_a_busy_user_than_its_span(busy: User, kind: str, known: bool) -> None:
    (tell_the_planner if known else tell_the_planner_nothing)()
    bound = Bound()
    statement = f"{evaluation.SCOPE} {read(kind, RULES[kind]).sql(bound)}"
    values = {**bound.values, "version": 1, "begin": BEGIN, "end": datetime.now(UTC)}
    with judging(busy) as cursor:
        assert pages_read(cursor, statement, values) <= PAGES_MAX


def test_counting_the_rows_of_a_slice_reads_its_span_alone(busy: User) -> None:
    with judging(busy) as cursor:
        assert slices.count_rows(cursor, 1) == SPAN_ROWS - 1
        assert pages_read(cursor, slices.COUNT_ROWS, (1,)) <= PAGES_MAX
