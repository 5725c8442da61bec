"""What waits or was rejected is found by any part of its id too: support never says that it did not come."""

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import queued, record, take
from tests.support.admin_pages import GONE, reject, store
from tests.support.outages import redis_away
from transactions.reading import search
from transactions.reading.search import Matches, Search

pytestmark = pytest.mark.django_db(transaction=True)


def ids(found: Matches) -> list[str]:
    return [row["transaction_id"] for row in found.rows]


@pytest.mark.parametrize("part", ["wait-777", "AIT-77", "t-777-A", "ai"])
def test_what_waits_is_found_by_any_part_in_any_case(people: list[User], part: str) -> None:
    take(record("wait-777-a", people[0]), record("other", people[0]))
    found = Search(part).waiting()
    assert (ids(found), found.more, found.newest) == (["wait-777-a"], False, 0)


@pytest.mark.parametrize("part", ["reject-me", "ME-1", "ct-m", "ej"])
def test_what_was_rejected_is_found_by_any_part_in_any_case(part: str) -> None:
    reject(queued("reject-me-1", GONE), id="reject-me-1")
    reject(queued("other", GONE), id="other")
    found = Search(part).rejected()
    assert (ids(found), found.more, found.newest) == (["reject-me-1"], False, 0)
    assert found.rows[0]["rejected"] == "a test"


@pytest.mark.parametrize("part", ["nothing-like-it", "%", "_", "", "\0", "x" * 200])
def test_a_sign_stands_for_itself_and_nothing_finds_nothing(people: list[User], part: str) -> None:
    take(record("wait-777", people[0]))
    reject(queued("reject-me-1", GONE), id="reject-me-1")
    assert ids(Search(part).waiting()) == ids(Search(part).rejected()) == []


def test_what_was_replayed_or_is_stored_is_not_told_as_rejected(people: list[User]) -> None:
    reject(queued("X-replayed", GONE), id="X-replayed", resolution="REPLAYED")
    reject(queued("X-stored", GONE), id="X-stored")
    reject(queued("X-gone", GONE), id="X-gone", resolution="DISCARDED")
    store(people[0], "X-stored")
    assert ids(Search("X-").rejected()) == ["X-gone"]


def test_an_id_that_was_rejected_twice_is_told_once_and_the_newest_come_first(people: list[User]) -> None:
    for id in ("Y-1", "Y-2", "Y-1"):
        reject(queued(id, GONE), id=id)
    assert ids(Search("y-").rejected()) == ["Y-1", "Y-2"]
    take(*(record(f"Z-{n}", people[0]) for n in range(8)))
    found = Search("z-").waiting()
    assert (ids(found), found.more) == ([f"Z-{n}" for n in range(7, 1, -1)], True)


def test_of_many_the_newest_are_looked_through_and_that_is_told(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "UNSTORED_LOOKED_AT_MAX", 2)
    take(*(record(f"Z-{n}", people[0]) for n in range(3)))
    for n in range(3):
        reject(queued(f"Y-{n}", GONE), id=f"Y-{n}")
    waiting, rejected = Search("z-").waiting(), Search("y-").rejected()
    assert (ids(waiting), waiting.newest) == (["Z-2", "Z-1"], 2)
    assert (ids(rejected), rejected.newest) == (["Y-2", "Y-1"], 2)


def test_without_redis_nothing_waits_as_far_as_is_known_and_it_is_told() -> None:
    with redis_away():
        asked = Search("wait-777")
        assert asked.waiting() == Matches()
        assert asked.redis_away


@pytest.mark.parametrize("part", ["torn-7", "#{number}", "amid"])
def test_what_cannot_be_read_is_found_by_what_it_holds_or_by_its_number(part: str) -> None:
    torn = reject(b"1\ttorn-7 amid\xff", id="")
    reject(b"another\xff", id="")
    found = Search(part.format(number=torn.pk)).rejected()
    assert [(row["record"], row["transaction_id"]) for row in found.rows] == [(torn.pk, "")]


def test_what_can_be_read_is_not_found_by_what_else_it_holds() -> None:
    reject(queued("R-1", GONE, amount=987_654), id="R-1")
    assert Search("987654").rejected() == Matches()
    assert Search(str(GONE)).rejected() == Matches()
