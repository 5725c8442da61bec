"""What looking for entries reads of the trail, which is kept for ever: the entries that are shown."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from pytest_django import DjangoDbBlocker

from tests.support.audit_trail import head
from tests.support.reading import pages_read_by
from transactions.admin_site.audit_trail import AuditTrailAdmin
from transactions.audit.models import Entry
from transactions.reading import audit_trail

pytestmark = pytest.mark.django_db

ENTRIES = 30_000
# The trail and its indexes have some 3,000.
PAGES_MAX = 100
# Purpose: a long trail, whose first entry alone is of "needle", and "both" is the target of that and who has
# done the next. Without its triggers it is not chained, and so made in a moment; all of it is rolled back.
FILL = """
    ALTER TABLE audit_entry DISABLE TRIGGER USER;
    INSERT INTO audit_entry (number, at, action, actor, via, token, address, request_id, target, target_id,
                             reason, details, previous, hash)
    SELECT %(head)s + n, now(), 'user.changed', CASE n WHEN 2 THEN 'both' ELSE kind || 'actor' END,
           CASE n WHEN 1 THEN 'command' ELSE 'api' END, kind || 'token', kind || 'address', kind || 'request',
           CASE n WHEN 1 THEN 'both' ELSE 'target' END, kind || 'id', '', '{}', '', ''
      FROM (SELECT n, CASE n WHEN 1 THEN 'needle ' ELSE '' END AS kind
              FROM generate_series(1, %(rows)s) n) made
"""


@pytest.fixture(scope="module", autouse=True)
def first(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    """The number of the one entry that is looked for. Each test is a savepoint after the trail is filled."""
    with django_db_blocker.unblock(), transaction.atomic(), connection.cursor() as cursor:
        number = head() + 1
        cursor.execute(FILL, {"head": number - 1, "rows": ENTRIES})
        yield number
        transaction.set_rollback(True)


def pages(rows: QuerySet[Entry]) -> int:
    """What showing the newest of some entries reads."""
    return pages_read_by(lambda: list(rows.order_by("-number")[:101]))


@pytest.mark.parametrize(
    "asked",
    [
        {"actor": "needle actor"}, {"token": "needle token"}, {"address": "needle address"},
        {"request_id": "needle request"}, {"target": "both"}, {"target_id": "needle id"},
        {"via": "command"}, {"via": "command", "token": "needle token"},
    ],
)  # fmt: skip
def test_a_filter_reads_what_it_shows(first: int, asked: dict[str, str]) -> None:
    parameters = audit_trail.TrailParameters(data=QueryDict(urlencode(asked)))
    parameters.is_valid(raise_exception=True)
    found = audit_trail.wanted(parameters.validated_data)
    # What other tests did before stays in the trail: nothing is ever taken out of it.
    assert [entry.number for entry in found if entry.number >= first] == [first]
    assert pages(found) <= PAGES_MAX


@pytest.mark.parametrize("term", ["needle actor", "needle token", "needle address", "needle request", "both"])
def test_the_search_of_the_page_reads_what_it_shows(first: int, term: str) -> None:
    found = Entry.objects.none()

    def search() -> None:
        nonlocal found
        page = AuditTrailAdmin(Entry, admin.site)
        found, _ = page.get_search_results(HttpRequest(), Entry.objects.all(), term)

    before = pages_read_by(search)
    assert before + pages(found) <= PAGES_MAX
    shown = [first, first + 1] if term == "both" else [first]
    assert sorted(entry.number for entry in found) == shown
