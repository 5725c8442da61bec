"""The figures above the list of transactions: they tell what the list shows, or of what they tell."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.test import Client

from tests.support.accepting import queued, record, take
from tests.support.admin_pages import GONE, insert_many, listed, page, reject, store, url
from transactions import money
from transactions.models import Transaction
from transactions.queue.keys import BATCH, QUEUE
from transactions.reading import narrowed
from transactions.stores.redis_connection import connection as redis
from transactions.storing import flush as flushing

pytestmark = pytest.mark.django_db(transaction=True)


def total(client: Client, query: str = "") -> str:
    said = re.search(r'role="status"><strong>([^<]*)</strong>', page(client, url("transaction", query)))
    assert said
    return said[1]


@pytest.fixture
def minutes(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """A row a minute, of as large an amount, from 2026-03-01 00:01 until 05:00; ten are counted."""
    monkeypatch.setattr(narrowed, "COUNTED_MAX", 10)
    insert_many(people, 300)


def prune(minutes_old: int) -> None:
    """Removes the settled rows up to this minute, as retention does it: the rollups stay."""
    until = datetime.fromisoformat("2026-03-01T00:00Z") + timedelta(minutes=minutes_old)
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SELECT set_config('transactions.keep_rollups', 'on', true)")
        Transaction.objects.filter(created_at__lte=until).exclude(status="PENDING").delete()


def about(first: int, last: int) -> str:
    """In three digits, and short."""
    amounts = range(first, last + 1)
    return f"about {len(amounts):,} transactions · succeeded about {money.about(sum(amounts))}"


def exactly(first: int, last: int) -> str:
    amounts = range(first, last + 1)
    return f"{len(amounts):,} transactions · succeeded {sum(amounts):,}"


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("from=2026-03-01T00:07&to=2026-03-01T04:08", 7, 247),
        ("from=2026-03-01T00:07:01", 8, 300),
        ("to=2026-03-01T04:14", 1, 253),
        ("from=2026-03-01T02:16&to=2026-03-01T02:29", 136, 148),
        ("from=0001-01-01&to=9999-12-31T23:59:59Z", 1, 300),
    ],
)
def test_what_is_about_so_many_ends_where_the_list_does(
    root: Client, minutes: None, query: str, first: int, last: int
) -> None:
    """The rollups have quarters of an hour, a bound may be any moment."""
    query = f"?status=SUCCESS&timezone=UTC&{query}"
    assert total(root, query) in (about(first, last), exactly(first, last))


def test_what_is_about_so_many_leaves_out_what_is_of_another_day(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute after midnight the clocks of St John's went back to 23:01 of the day before."""
    monkeypatch.setattr(narrowed, "COUNTED_MAX", 10)
    start = datetime.fromisoformat("2006-10-29T02:00Z")
    Transaction.objects.bulk_create(
        Transaction(transaction_id=f"N{n}", user=people[0], amount=1, created_at=start + timedelta(seconds=n))
        for n in range(0, 7200, 30)
    )
    shown = total(root, "?to=2006-10-28&timezone=America/St_Johns")
    assert shown == "about 178 transactions · pending about 178"


@pytest.mark.parametrize("bound", ["amount_min=2", "amount_max=299", "amount_min=2&amount_max=299"])
def test_of_a_part_of_the_amounts_no_sum_is_guessed(root: Client, minutes: None, bound: str) -> None:
    """Those that are counted may be the smallest: they tell nothing of the others."""
    assert re.fullmatch("about [0-9,]+ transactions", total(root, f"?{bound}"))


def test_of_one_amount_the_sum_is_as_good_as_the_count(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowed, "COUNTED_MAX", 10)
    for n in range(narrowed.ROWS + 1):
        store(people[0], f"S{n}", amount=7, status="SUCCESS")
    told = re.fullmatch(
        r"about ([0-9,]+) transactions · succeeded about ([0-9,]+)", total(root, "?amount_min=7&amount_max=7")
    )
    assert told is not None
    count, amount = (int(each.replace(",", "")) for each in told.groups())
    assert amount == 7 * count


def test_what_was_pruned_is_in_no_figure_of_the_list(root: Client, people: list[User], minutes: None) -> None:
    early = datetime.fromisoformat("2026-03-01T00:20Z")
    for n in range(20):
        store(people[0], f"P{n}", amount=0, status="PENDING", created_at=early + timedelta(minutes=n))
    prune(120)
    # Those that wait to settle stay, however old they are.
    assert total(root).startswith("about 200 transactions · succeeded about ")
    assert total(root).endswith(" · pending 0") or total(root).endswith(" · pending about 0")
    assert total(root).split()[6] == "37.9K"
    assert sum(range(121, 301)) == 37_890
    assert total(root, "?status=SUCCESS").startswith("about 180 transactions")
    assert total(root, "?status=PENDING") == "20 transactions · pending 0"
    assert total(root, "?from=2026-03-01T02:37") == about(157, 300)


def test_what_was_pruned_before_everything_was_deleted_is_nothing_to_the_figures(
    root: Client, people: list[User], minutes: None
) -> None:
    prune(120)
    with database.cursor() as cursor:
        cursor.execute("TRUNCATE transactions_transaction CASCADE")
    insert_many(people, 300)
    # As by the flush, in whose books they are.
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO transactions_removal (removed) VALUES (-300)")
    assert total(root) == about(1, 300)


def test_of_what_waits_the_newest_are_looked_through_and_that_is_said(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few of them are shown: two records of one transaction are one row."""
    monkeypatch.setattr(narrowed, "UNSTORED_LOOKED_AT_MAX", 4)
    take(record("OLDEST", people[0], amount=9))
    take(record("W1", people[0], amount=1), record("W2", people[0], amount=2))
    assert total(root, "?state=waiting") == "3 transactions · pending 12"
    take(record("W1", people[0], amount=1, status="SUCCESS"))
    assert total(root, "?state=waiting") == "3 transactions · succeeded 1 · pending 11"
    flushing.take_queue(f"{BATCH}one")
    take(record("W2", people[0], amount=2, status="FAILED"))
    for order in ("oldest", "largest"):
        query = f"?state=waiting&order={order}"
        assert sorted(listed(root, query)) == ["W1", "W2"]
        assert total(root, query) == (
            "2 transactions · succeeded 1 · failed 2, of the newest 4 records: older ones are neither counted"
            " nor sorted"
        )


def test_of_what_was_rejected_the_newest_are_looked_through_and_that_is_said(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowed, "UNSTORED_LOOKED_AT_MAX", 3)
    for n in range(2):
        reject(queued(f"NO-{n}", GONE), id=f"NO-{n}")
    assert total(root, "?state=rejected") == "2 transactions · pending 2,000"
    reject(b"\xff", id="NO-2")
    assert total(root, "?state=rejected") == (
        "2 transactions · pending 2,000; 1 record that cannot be read is left out"
    )
    reject(queued("NO-3", GONE), id="NO-3")
    assert total(root, "?state=rejected") == (
        "2 transactions · pending 2,000, of the newest 3 records: older ones are neither counted nor sorted;"
        " 1 record that cannot be read is left out"
    )


@pytest.mark.parametrize(
    "line",
    [
        queued("BAD", 1, created="2026-99-99T99:99:99.999999Z"),
        queued("BAD", 1, at="2026-02-30T00:00:00.000000Z"),
        queued("BAD", 1).encode().replace(b"BAD", b"B\xff"),
        "no record at all",
    ],
)
def test_a_record_that_cannot_be_read_is_left_out_of_what_waits_and_counted(
    root: Client, people: list[User], line: str | bytes
) -> None:
    take(record("GOOD", people[0], amount=7))
    redis().rpush(QUEUE, line)
    assert listed(root, "?state=waiting") == ["GOOD"]
    assert total(root, "?state=waiting") == (
        "1 transaction · pending 7; 1 record that cannot be read is left out"
    )
