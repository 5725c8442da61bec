"""The search: what a part of an id, a name, a number or an amount leads to, whatever is typed."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection as database
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.support.accepting import queued, record, take
from tests.support.admin_pages import DAY, GONE, insert_many, reject, store
from tests.support.outages import locked, redis_away, redis_frozen, transactions_locked
from transactions.alerts.models import Alert
from transactions.reading import part_indexes, search
from transactions.reading.search import FOUND_MAX, Search
from transactions.stores import bounded_queries

pytestmark = pytest.mark.django_db(transaction=True)


def ids(text: str) -> list[str]:
    return [row["transaction_id"] for row in Search(text).transactions().rows]


def names(text: str) -> list[str]:
    return [row["name"] for row in Search(text).customers().rows]


@pytest.fixture
def old(people: list[User], monkeypatch: pytest.MonkeyPatch) -> list[User]:
    """Rows that are not among the newest, so that the indexes alone find them."""
    for n, id in enumerate(("INV-2026-000123", "order_77%x\\y", "9f8e7d6c-aaaa", "ÄPFEL-1", "مرحبا-12")):
        store(people[0], id, created_at=DAY + timedelta(minutes=n), amount=1000 + n)
    store(people[1], "newest", created_at=DAY + timedelta(days=1))
    monkeypatch.setattr(search, "NEWEST_ROWS", 1)
    return people


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("INV-2026-000123", "INV-2026-000123"), ("2026-000", "INV-2026-000123"),
        ("inv-2026", "INV-2026-000123"),
        ("000123", "INV-2026-000123"), ("  v-2026 ", "INV-2026-000123"), ("9F8E7D", "9f8e7d6c-aaaa"),
        ("7D6C-AAA", "9f8e7d6c-aaaa"), ("_77%X\\", "order_77%x\\y"), ("in", "INV-2026-000123"),
        ("In", "INV-2026-000123"), ("ÄPF", "ÄPFEL-1"), ("äpfel", "ÄPFEL-1"), ("pfel-1", "ÄPFEL-1"),
        ("مرح", "مرحبا-12"), ("swen", None), ("i%v", None), ("IN_-2026", None), ("%", None), ("_", None),
        ("\\", None), ("\0", None), ("INV-2026-000123\0", None), ("%%%", None), ("___", None),
        ("---", None), ("' OR 1=1 --", None), ("x" * 10_000, None), ("\u202e321", None),
        ("", None), (" ", None),
    ],
)  # fmt: skip
def test_an_id_is_found_by_any_part_in_any_case_and_a_sign_stands_for_itself(
    old: list[User], text: str, id: str | None
) -> None:
    assert ids(text) == ([] if id is None else [id])


def test_the_newest_come_first_and_more_of_them_are_told(people: list[User]) -> None:
    insert_many(people, 100)
    found = Search("m").transactions()
    assert [row["transaction_id"] for row in found.rows] == [f"M{n}" for n in range(100, 94, -1)]
    assert (len(found.rows), found.more, found.slow) == (FOUND_MAX, True, False)
    assert not Search("M100").transactions().more


def test_a_transaction_is_found_by_its_whole_id_wherever_it_is(people: list[User]) -> None:
    take(record("WAITS-1", people[0]))
    reject(queued("NO-1", GONE), id="NO-1")
    row = store(people[0], "stored-1")
    assert [(row["id"], row["transaction_id"]) for row in Search("WAITS-1").transactions().rows] == [
        (None, "WAITS-1")
    ]
    assert Search("NO-1").transactions().rows[0]["rejected"] == "a test"
    assert ids(str(row.pk)) == ["stored-1"]


def test_without_redis_what_is_stored_is_found_and_it_is_told(people: list[User]) -> None:
    store(people[0], "stored-1")
    with redis_away():
        asked = Search("stored")
        assert [row["transaction_id"] for row in asked.transactions().rows] == ["stored-1"]
        assert asked.redis_away


def test_a_redis_that_is_frozen_takes_nothing_of_the_time_for_what_is_stored(
    people: list[User], settings: Settings
) -> None:
    settings.SEARCH_MS_MAX = 3_000
    row = store(people[0], "stored-1")
    with redis_frozen():
        for text in ("stored", str(row.pk)):
            asked = Search(text)
            found = asked.transactions()
            assert [row["transaction_id"] for row in found.rows] == ["stored-1"]
            assert (asked.redis_away, found.slow) == (True, False)


def test_a_redis_that_is_frozen_is_waited_for_no_longer_where_postgresql_has_more_time(
    people: list[User], settings: Settings
) -> None:
    settings.SEARCH_MS_MAX = 60_000
    store(people[0], "stored-1")
    with redis_frozen():
        began = time.monotonic()
        asked = Search("stored")
        assert [row["transaction_id"] for row in asked.transactions().rows] == ["stored-1"]
        took_s = time.monotonic() - began
    assert asked.redis_away
    # A second, on a busy machine.
    assert took_s < 30


def test_customers_are_found_by_any_part_of_their_name_and_by_number(people: list[User]) -> None:
    assert names("LIC") == ["alice"]
    assert names("al") == ["alice"]
    assert names(str(people[1].pk)) == ["bob"]
    assert names(f"#{people[1].pk}") == ["bob"]
    assert names("%") == names("\0") == names("9" * 40) == []


def test_who_works_here_is_no_customer_and_is_not_found_as_one(people: list[User]) -> None:
    others = [
        User.objects.create_user("alice-of-the-staff", is_staff=True),
        User.objects.create_user("alice-who-logs-in", password="correct horse battery"),
        User.objects.create_superuser("alice-above-all"),
    ]
    assert names("alice") == names("lic") == names("al") == ["alice"]
    for other in others:
        assert names(str(other.pk)) == []


@override_settings(SEARCH_PARTS=False)
def test_a_customer_is_found_by_how_the_name_begins_in_any_letter_case(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_user("Aline")
    User.objects.create_user("zoe")
    monkeypatch.setattr(search, "NEWEST_ROWS", 1)
    for text in ("alin", "ALIN", "aLiN", "Al"):
        assert "Aline" in names(text)


def test_alerts_are_found_by_their_number_alone(people: list[User]) -> None:
    alert = Alert.objects.create(rule=7, rule_name="Bursts", severity="HIGH", user=people[0].pk)
    assert Search(str(alert.pk)).alerts().rows == [
        {"id": alert.pk, "rule": alert.rule_name, "user": alert.user, "state": "Open"}
    ]
    for text in (str(alert.pk + 1), "9" * 30, "x", f"{alert.pk}x", "-1", "١"):
        assert Search(text).alerts().rows == []


@pytest.mark.parametrize("text", ["1234567", "1,234,567", "1 234 567", "1'234'567", "01234567"])
def test_an_amount_is_found_as_people_write_it(people: list[User], text: str) -> None:
    store(people[0], "A", amount=1_234_567)
    store(people[0], "B", amount=1_234_567, created_at=DAY + timedelta(days=1))
    store(people[0], "C", amount=1_234_568)
    assert [row["transaction_id"] for row in Search(text).amounts().rows] == ["B", "A"]


@pytest.mark.parametrize("text", ["1,23", "12,34,567", "-1", "1.5", "1e3", "x", "9" * 19, "9" * 150, ""])
def test_what_is_no_amount_finds_none(people: list[User], text: str) -> None:
    store(people[0], amount=1)
    assert Search(text).amounts().rows == []


@override_settings(SEARCH_PARTS=False)
def test_without_the_setting_the_beginnings_are_found(old: list[User]) -> None:
    assert ids("INV-2026") == ids("inv-2026") == ["INV-2026-000123"]
    assert ids("2026-000") == []
    asked = Search("2026")
    asked.transactions()
    assert not asked.any_part


def test_what_takes_too_long_is_given_up_and_told(people: list[User], settings: Settings) -> None:
    settings.SEARCH_MS_MAX = 140
    store(people[0], amount=5)
    # Until it was given up it would wait for ever.
    with transactions_locked():
        asked = Search("500")
        assert asked.amounts().slow
        assert asked.transactions().slow


def test_all_that_one_search_asks_has_its_time_together(people: list[User], settings: Settings) -> None:
    """However many statements there are, and were each of them slow: a part of an id has five."""
    settings.SEARCH_MS_MAX = 1_000
    with locked("alerts_alert"), locked("auth_user"), transactions_locked():
        asked = Search("500")
        # This takes all there is: of the others nothing is asked any more.
        assert asked.alerts().rows == []
        with CaptureQueriesContext(database) as later:
            assert asked.amounts().slow
            assert asked.customers().slow
            assert asked.transactions().slow
        assert len(later) == 0


def test_statements_that_are_together_in_bounds_share_the_time(people: list[User]) -> None:
    def slowly() -> str:
        with database.cursor() as cursor:
            for _ in range(4):
                cursor.execute("SELECT pg_sleep(0.3)")
        return "told"

    assert bounded_queries.in_time_together(slowly, 500) is None
    assert bounded_queries.in_time_together(slowly, 60_000) == "told"


def valid() -> set[str]:
    with database.cursor() as cursor:
        cursor.execute(part_indexes.SELECT_VALID, [list(part_indexes.INDEXES)])
        return {name for (name,) in cursor.fetchall()}


def test_the_command_makes_and_takes_away_the_indexes_as_the_setting_says(
    people: list[User], capsys: pytest.CaptureFixture[str]
) -> None:
    assert valid() == part_indexes.INDEXES.keys()
    try:
        with override_settings(SEARCH_PARTS=False):
            call_command("search_index")
            assert "SEARCH_PARTS is off" in capsys.readouterr().out
            assert valid() == set()
        assert not part_indexes.present()
    finally:
        call_command("search_index")
    assert "are indexed" in capsys.readouterr().out
    assert part_indexes.present()


def test_an_extension_that_we_may_not_make_is_told_with_what_to_do(people: list[User]) -> None:
    store(people[0], "INV-2026-000123")
    with database.cursor() as cursor:
        cursor.execute(f"DROP EXTENSION {part_indexes.EXTENSION} CASCADE")
        cursor.execute("CREATE ROLE without_rights")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO without_rights")
    try:
        with database.cursor() as cursor:
            cursor.execute("SET ROLE without_rights")
        told = part_indexes.follow_setting()
        assert "permission denied" in told
        assert "CREATE EXTENSION pg_trgm" in told
        assert ids("INV-2") == ["INV-2026-000123"]
    finally:
        with database.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY without_rights")
            cursor.execute("DROP ROLE without_rights")
        part_indexes.follow_setting()
    assert part_indexes.present()
