"""The list: newest first, page by page, whatever arrives meanwhile."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.reading.test_averages import ODD, local_day
from tests.support.accepting import record, take
from tests.support.rows import NOON, row, store
from transactions.models import Transaction
from transactions.reading.listing import ListParameters, Wanted, page
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db
URL = "/api/transactions/"
EXAMPLES = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def payer(db: None) -> User:
    return User.objects.create_user("payer")


def ids(body: dict[str, Any]) -> list[str]:
    return [shown["transaction_id"] for shown in body["results"]]


def newest_first(rows: Sequence[Transaction]) -> list[str]:
    ordered = sorted(rows, key=lambda each: (each.created_at, each.pk), reverse=True)
    return [each.transaction_id for each in ordered]


def test_it_shows_transactions_newest_first(api: APIClient, payer: User) -> None:
    older, newer = store(row(payer, NOON, 5, "FAILED"), row(payer, NOON + timedelta(microseconds=1)))
    body = api.get(URL).json()
    assert ids(body) == [newer.transaction_id, older.transaction_id]
    assert body["next"] is None
    assert body["results"][1] == {
        "id": older.pk,
        "transaction_id": older.transaction_id,
        "user": payer.pk,
        "amount": 5,
        "status": "FAILED",
        "created_at": "2026-01-31T12:00:00Z",
    }


def test_it_is_empty_where_there_is_nothing(api: APIClient, db: None) -> None:
    for url in (URL, URL.rstrip("/")):
        assert api.get(url).json() == {"results": [], "next": None}


def test_pages_hold_a_hundred_or_what_was_asked_for(api: APIClient, payer: User) -> None:
    rows = store(*(row(payer, NOON + timedelta(seconds=n % 7)) for n in range(1002)))
    body = api.get(URL).json()
    assert ids(body) == newest_first(rows)[:100]
    body = api.get(URL, {"limit": 1000}).json()
    assert ids(body) == newest_first(rows)[:1000]
    rest = api.get(body["next"]).json()
    assert ids(rest) == newest_first(rows)[1000:]
    assert rest["next"] is None


def test_the_last_page_is_told_from_one_that_is_just_full(api: APIClient, payer: User) -> None:
    store(*(row(payer) for _ in range(4)))
    body = api.get(URL, {"limit": 2}).json()
    body = api.get(body["next"]).json()
    assert (len(body["results"]), body["next"]) == (2, None)


@EXAMPLES
@given(
    there=st.lists(st.integers(0, 3), max_size=12),
    arriving=st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=8),
    limit=st.integers(1, 4),
)
def test_no_row_is_skipped_or_repeated_while_others_arrive(
    payer: User, there: list[int], arriving: list[list[int]], limit: int
) -> None:
    with transaction.atomic():
        first = store(*(row(payer, NOON + timedelta(seconds=n)) for n in there))
        seen: list[str] = []
        found = page(Wanted(limit=limit))
        seen += [shown["transaction_id"] for shown in found.results]
        while found.cursor is not None:
            seconds = arriving.pop() if arriving else []
            store(*(row(payer, NOON + timedelta(seconds=n)) for n in seconds))
            asked = ListParameters(data=QueryDict(urlencode({"cursor": found.cursor, "limit": limit})))
            assert asked.is_valid()
            found = page(asked.wanted())
            seen += [shown["transaction_id"] for shown in found.results]
        everything = newest_first(list(Transaction.objects.all()))
        assert len(seen) == len(set(seen))
        assert seen == [id for id in everything if id in set(seen)]
        assert {each.transaction_id for each in first} <= set(seen)
        transaction.set_rollback(True)


@EXAMPLES
@given(
    facts=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans(), st.booleans()), max_size=12
    ),
    asked=st.fixed_dictionaries(
        {},
        optional={
            "amount_min": st.integers(0, 5),
            "amount_max": st.integers(0, 5),
            "since": st.integers(0, 5).map(lambda n: NOON + timedelta(seconds=n)),
            "until": st.integers(0, 5).map(lambda n: NOON + timedelta(seconds=n)),
            "status": st.sampled_from(["PENDING", "FAILED"]),
        },
    ),
    of_a_user=st.booleans(),
)
def test_it_finds_all_that_is_wanted_and_nothing_else(
    payer: User, facts: list[tuple[int, int, bool, bool]], asked: dict[str, Any], of_a_user: bool
) -> None:
    with transaction.atomic():
        other = User.objects.create(username="other")
        rows = store(
            *(
                row(
                    payer if mine else other,
                    NOON + timedelta(seconds=n),
                    amount,
                    "FAILED" if bad else "PENDING",
                )
                for n, amount, mine, bad in facts
            )
        )
        wanted = Wanted(user=payer.pk if of_a_user else None, **asked)
        kept = [
            each
            for each in rows
            if (not of_a_user or each.user_id == payer.pk)
            and each.status == (wanted.status or each.status)
            and asked.get("amount_min", 0) <= each.amount <= asked.get("amount_max", 5)
            and (wanted.since or each.created_at) <= each.created_at
            and (wanted.until is None or each.created_at < wanted.until)
        ]
        assert [shown["transaction_id"] for shown in page(wanted).results] == newest_first(kept)
        for each in rows:
            alone = Wanted(transaction_id=each.transaction_id, user=wanted.user, **asked)
            assert len(page(alone).results) == (each in kept)
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({"from": "2026-01-31", "to": "2026-01-31"}, ["first", "last"]),
        ({"to": "2026-01-30"}, ["before"]),
        ({"from": "2026-02-01"}, ["after"]),
        ({"from": "2026-01-31T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, ["first", "last"]),
        ({"from": "2026-01-31T03:30:00+03:30", "to": "2026-01-31T03:30:00.000001+03:30"}, ["first"]),
        ({"from": "2026-01-31T00:00:00.000001Z", "to": "2026-01-31"}, ["last"]),
        ({"from": "2026-01-31T00:00:00Z", "to": "2026-01-31T00:00:00Z"}, []),
        ({"from": "0001-01-01", "to": "9999-12-31"}, ["before", "first", "last", "after"]),
    ],
)
def test_days_are_included_whole_and_the_moment_at_the_end_is_not(
    api: APIClient, payer: User, bounds: dict[str, str], found: list[str]
) -> None:
    day, tick = datetime(2026, 1, 31, tzinfo=UTC), timedelta(microseconds=1)
    moments = {
        "before": day - tick,
        "first": day,
        "last": day + timedelta(days=1) - tick,
        "after": day + timedelta(days=1),
    }
    store(*(row(payer, moment, id=id) for id, moment in moments.items()))
    assert ids(api.get(URL, bounds).json()) == found[::-1]


def test_days_are_those_of_the_zone_that_is_asked_for(api: APIClient, payer: User) -> None:
    moments = {
        "before": datetime(2026, 3, 8, 18, 29, 59, 999_999, tzinfo=UTC),
        "first": datetime(2026, 3, 8, 18, 30, tzinfo=UTC),
        "last": datetime(2026, 3, 9, 18, 29, 59, 999_999, tzinfo=UTC),
        "after": datetime(2026, 3, 9, 18, 30, tzinfo=UTC),
    }
    store(*(row(payer, moment, id=id) for id, moment in moments.items()))
    asked = {"from": "2026-03-09", "to": "2026-03-09", "timezone": "Asia/Kolkata"}
    assert ids(api.get(URL, asked).json()) == ["last", "first"]
    page = api.get(URL, {**asked, "limit": "1"}).json()
    assert ids(page) == ["last"]
    assert "timezone=Asia%2FKolkata" in page["next"]
    assert ids(api.get(page["next"]).json()) == ["first"]
    # A moment is one everywhere.
    asked["from"] = "2026-03-08T18:29:59.999999Z"
    assert ids(api.get(URL, asked).json()) == ["last", "first", "before"]


def test_a_day_that_a_zone_skipped_has_no_rows(api: APIClient, payer: User) -> None:
    midnight = datetime(2011, 12, 30, 10, tzinfo=UTC)
    store(row(payer, midnight - timedelta(minutes=1)), row(payer, midnight))
    asked = {"from": "2011-12-30", "to": "2011-12-30", "timezone": "Pacific/Apia"}
    assert ids(api.get(URL, asked).json()) == []
    assert len(ids(api.get(URL, {**asked, "from": "2011-12-29", "to": "2011-12-31"}).json())) == 2


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), zone=st.sampled_from(sorted(ODD)))
def test_days_of_odd_zones_are_those_of_their_clocks(
    api: APIClient, payer: User, data: st.DataObject, zone: str
) -> None:
    anchors = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in ODD[zone]]
    near = st.integers(-1440, 1440).map(lambda n: timedelta(minutes=n)) | st.integers(-90, 90).map(
        lambda n: timedelta(seconds=n)
    )
    moments = st.builds(lambda anchor, by: anchor + by, st.sampled_from(anchors), near)
    found = data.draw(st.lists(moments, min_size=1, max_size=20))
    days = [local_day(moment, ZoneInfo(zone)) for moment in found]
    first, last = sorted(data.draw(st.tuples(st.sampled_from(days), st.sampled_from(days))))
    with transaction.atomic():
        rows = store(*(row(payer, moment) for moment in found))
        asked = {"from": first.isoformat(), "to": last.isoformat(), "timezone": zone, "limit": "1000"}
        for name in data.draw(st.sampled_from([(), ("from",), ("to",)])):
            del asked[name]
        expected = {
            each.transaction_id
            for each, day in zip(rows, days, strict=True)
            if ("from" not in asked or first <= day) and ("to" not in asked or day <= last)
        }
        answer = api.get(URL, asked).json()
        assert set(ids(answer)) == expected, asked
        for each, day in zip(rows, days, strict=True):
            alone = api.get(URL, {**asked, "transaction_id": each.transaction_id}).json()
            assert ids(alone) == [each.transaction_id] * (each.transaction_id in expected), day
        transaction.set_rollback(True)


def test_a_plus_sign_that_was_not_encoded_is_one_all_the_same(api: APIClient, payer: User) -> None:
    store(row(payer, NOON))
    assert len(api.get(f"{URL}?from=2026-01-31T15:30:00+03:30").json()["results"]) == 1
    assert len(api.get(f"{URL}?from=2026-01-31T15:30:01+03:30").json()["results"]) == 0


ODD_IDS = [
    "average",
    "a/b/",
    ".",
    "..",
    "x?y=1&z",
    "50%",
    "%2F",
    "a+b",
    "ü€😀",
    "'\"\\",
    "1",
    "{}",
    "a b",
    "\u200b",
]


@pytest.mark.parametrize("id", ODD_IDS)
def test_an_id_is_found_whatever_its_characters(api: APIClient, payer: User, id: str) -> None:
    store(row(payer, id=id), row(payer, id=f"{id}{id}"))
    assert ids(api.get(URL, {"transaction_id": id}).json()) == [id]


def test_an_id_is_not_taken_for_a_primary_key(api: APIClient, payer: User) -> None:
    (stored,) = store(row(payer, id="some"))
    assert api.get(URL, {"transaction_id": str(stored.pk)}).json()["results"] == []


@pytest.mark.django_db(transaction=True)
def test_an_id_is_found_while_it_waits(api: APIClient, people: list[User]) -> None:
    take(record("average", people[0]))
    (waiting,) = api.get(URL, {"transaction_id": "average"}).json()["results"]
    assert (waiting["id"], waiting["status"]) == (None, "PENDING")
    assert api.get(URL, {"transaction_id": "average", "status": "FAILED"}).json()["results"] == []
    flush()
    (stored,) = api.get(URL, {"transaction_id": "average"}).json()["results"]
    assert stored == {**waiting, "id": Transaction.objects.get().pk}


def test_next_keeps_what_was_asked_for(api: APIClient, payer: User) -> None:
    store(*(row(payer, amount=n) for n in range(6)))
    asked = {"user": str(payer.pk), "amount_min": "2", "from": "2026-01-31T15:30:00+03:30", "limit": "3"}
    body = api.get(URL, asked).json()
    url = urlsplit(body["next"])
    assert (url.scheme, url.netloc, url.path) == ("http", "testserver", URL)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert {**asked, "cursor": query["cursor"]} == query
    assert [shown["amount"] for shown in api.get(body["next"]).json()["results"]] == [2]


def test_a_cursor_that_is_not_ours_is_refused(api: APIClient, payer: User) -> None:
    store(*(row(payer) for _ in range(3)))
    cursor = parse_qs(urlsplit(api.get(URL, {"limit": 1}).json()["next"]).query)["cursor"][0]
    assert api.get(URL, {"cursor": cursor}).status_code == 200
    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        tampered = cursor[:place] + other + cursor[place + 1 :]
        response = api.get(URL, {"cursor": tampered})
        assert (response.status_code, list(response.json())) == (400, ["cursor"])
    for tampered in (cursor[:-1], cursor + "A", "W10", ":", "é", "\0", "A" * 5000):
        assert api.get(URL, {"cursor": tampered}).status_code == 400
