"""Up to when the dashboard's figures tell everything; what they are is in test_overview and test_wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record, take
from transactions.dashboard import figures
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_figures_end_where_the_last_flush_took_the_queue(people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    stored = Transaction.objects.get()
    until = figures.as_of(datetime.now(UTC))
    assert stored.accepted_at < until <= stored.stored_at
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert figures.as_of(later) == later
