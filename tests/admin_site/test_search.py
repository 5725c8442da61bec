"""Searching and filtering on the admin site, with terms from anywhere."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.accepting import queued, record, take
from tests.support.admin_pages import DAY, GONE, listed, reject, store, url
from tests.support.markup import markup
from tests.support.outages import redis_away
from transactions.reading import narrowed

pytestmark = pytest.mark.django_db(transaction=True)


def test_search_finds_by_id_its_beginning_and_by_user(root: Client, people: list[User]) -> None:
    for n, (id, user) in enumerate([("INV-1", 0), ("INV-12", 1), ("alice-7", 1), ("X%_", 2), ("INV_1", 2)]):
        store(people[user], id=id, created_at=DAY + timedelta(minutes=n))
    assert listed(root, "?q=INV-1") == ["INV-12", "INV-1"]
    assert listed(root, "?q=INV-12") == ["INV-12"]
    assert listed(root, "?q=nv-1") == ["INV-12", "INV-1"]
    assert listed(root, "?q=INV_") == ["INV_1"]
    assert listed(root, "?q=nv%251") == []
    assert listed(root, "?user=alice") == ["INV-1"]
    assert listed(root, f"?user={people[2].pk}") == ["INV_1", "X%_"]
    assert listed(root, "?q=+INV-12+") == ["INV-12"]
    # What is left empty is not in the address that it leads to.
    assert root.get(url("transaction", "?q=")).headers["Location"] == url("transaction", "?")


@pytest.mark.parametrize(
    ("term", "answered"),
    [
        ("9" * 30, 200),
        # Longer than any id, without three letters or digits in a row, or with what no text has.
        ("0" * 30 + "9" * 5000, 400),
        ("a" * 5000, 400),
        ("%E2%82%82", 400),
        ("'", 400),
        ("%ED%A0%80", 400),
        ("%00", 400),
    ],
)
def test_search_stands_any_term(root: Client, people: list[User], term: str, answered: int) -> None:
    store(people[0])
    assert root.get(url("rejectedrecord", f"?q={term}")).status_code == 200
    assert root.get(url("transaction", f"?q={term}")).status_code == answered


def test_filters_narrow_by_status_and_date(root: Client, people: list[User]) -> None:
    store(people[0], id="OLD", status="FAILED", created_at=datetime(2011, 12, 31, 23, 59, tzinfo=UTC))
    store(people[0], id="NEW", created_at=datetime.now(UTC))
    assert listed(root, "?status=FAILED") == ["OLD"]
    assert listed(root, "?from=2011-01-01&to=2011-12-31") == ["OLD"]
    assert listed(root, "?from=2011-12-31T23:59&to=2012-01-01T00:00") == ["OLD"]
    assert listed(root, "?from=2011-11-01&to=2011-11-30") == []
    assert listed(root, "?from=2011-12-31T22:00&to=2011-12-31T23:59&timezone=Europe/London") == []
    assert listed(root, "?from=2012-01-01T00:59&to=2012-01-01T01:00&timezone=Europe/Paris") == ["OLD"]


@pytest.mark.parametrize(
    "query",
    [
        "from=9999-13-01", "from=2026-02-30", "from=2026-01-01T25:00", "from=x", "to=0000-01-01",
        "from=2026-02-01&to=2026-01-01", "status=NONE", "user=x", f"user={'9' * 30}", "user=-1", "state=gone",
        "order=sideways", "cursor=x", "cursor=", "amount_min=1.5", "amount_max=-1", "amount_min=x",
        "amount_min=5&amount_max=4", f"amount_max={'9' * 30}", "timezone=Mars", "view=x", "view=%00",
        "q=a%00b", "q=ab", "status=FAILED&status=FAILED", "p=1", "status__exact=FAILED", "all=",
    ],
)  # fmt: skip
def test_a_list_stands_any_parameter(root: Client, people: list[User], query: str) -> None:
    store(people[0])
    response = root.get(url("transaction", f"?{query}"))
    if query == "cursor=":
        assert response.status_code == 200
        return
    assert response.status_code == 400
    name = query.split("&")[-1].partition("=")[0]
    assert re.search(
        rf'id="wrong-{name}"\s+role="alert"><strong>[^<]+</strong>: [^<]+', response.content.decode()
    )


@pytest.mark.parametrize(
    "query",
    ["transaction_id__regex=(a%2B)%2B", "user__password__startswith=p", "amount__gte=1", "stored_at=1"],
)
def test_a_list_takes_no_filter_that_it_does_not_offer(root: Client, people: list[User], query: str) -> None:
    assert root.get(url("transaction", f"?{query}")).status_code == 400


def test_rejected_records_are_the_open_ones_unless_asked_otherwise(root: Client) -> None:
    reject("x", id="OPEN")
    reject("x", id="GONE", resolution="DISCARDED")
    reject("x", id="BACK", resolution="REPLAYED")
    assert listed(root, "", "rejectedrecord") == ["OPEN"]
    assert listed(root, "?resolution=REPLAYED", "rejectedrecord") == ["BACK"]
    assert listed(root, "?resolution=all", "rejectedrecord") == ["BACK", "GONE", "OPEN"]
    assert listed(root, "?resolution=all&q=GO", "rejectedrecord") == ["GONE"]


def test_an_empty_list_says_in_which_state_it_looked_and_leads_to_where_they_are(
    root: Client, people: list[User]
) -> None:
    reject(queued("reject-me-1", GONE), id="reject-me-1")
    take(record("wait-777", people[0]))
    shown = markup(root.get(url("transaction", "?q=reject-me")))
    assert "There is no such transaction among those that are stored." in shown
    assert "waiting to be stored: 0" in shown
    (link,) = re.findall(r'<a class="unbroken" href="([^"]+)">rejected: 1</a>', shown)
    assert listed(root, link.partition("?")[2].replace("&amp;", "&").join(("?", ""))) == ["reject-me-1"]
    shown = markup(root.get(url("transaction", "?q=777&amount_min=1&state=rejected")))
    assert "among those that are rejected." in shown
    assert ">waiting to be stored: 1</a>" in shown
    assert "stored: 0," in shown
    with redis_away():
        assert ">waiting to be stored: not known now</a>" in markup(root.get(url("transaction", "?q=777")))


def test_of_many_in_another_state_it_says_that_there_are_more(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        store(people[0], id=f"THERE-{number}")
    for most, said in ((3, "3"), (2, "more than 2")):
        monkeypatch.setattr(narrowed, "COUNTED_MAX", most)
        assert f">stored: {said}</a>" in markup(root.get(url("transaction", "?state=waiting")))


@pytest.mark.parametrize("typed", ["1200000", "1,200,000", "1,200,000 "])
def test_an_amount_is_taken_as_the_page_writes_it(root: Client, people: list[User], typed: str) -> None:
    store(people[0], id="JUST", amount=1_200_000)
    store(people[0], id="MORE", amount=1_200_001)
    assert listed(root, f"?amount_max={typed}") == ["JUST"]
    assert listed(root, f"?amount_min={typed}&amount_max={typed}") == ["JUST"]


@pytest.mark.parametrize("typed", ["12,00", "1.5", "1 200", "x", "-5", "9" * 19, "1,200,000,", "٣"])
def test_what_is_no_amount_is_refused_in_words_of_the_page(root: Client, typed: str) -> None:
    answer = root.get(url("transaction", f"?amount_max={typed}"))
    assert answer.status_code == 400
    told = re.search(r'id="wrong-amount_max".*?</p>', answer.content.decode(), re.DOTALL)
    assert told is not None
    assert (
        "mount is" in told[0]
        or "no amount" in told[0]
        or "groups digits" in told[0]
        or "stands in" in told[0]
    )
    assert "string of digits" not in told[0]
