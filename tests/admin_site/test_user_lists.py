"""Lists of users on the admin site: made, entries added and ended, and none is edited."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.reading import statements_of
from tests.support.rule_pages import HOSTILE_NAME, at, drafted, member, sent, text_of
from transactions.admin_site.rules import user_lists
from transactions.rules import lifecycle
from transactions.rules.list_entries import add_entries
from transactions.rules.models import ListEntry, UserList

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(people: list[User]) -> Client:
    return member("ann", "view", "change")[0]


@pytest.fixture
def watched() -> UserList:
    return UserList.objects.create(name="Watched", description="To be looked at.")


def minute(hours: int) -> datetime:
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(second=0, microsecond=0)


def test_a_list_is_made(ann: Client) -> None:
    assert "No lists yet" in text_of(ann, at("userlist_changelist"))
    said = sent(ann, at("userlist_new"), name="Watched", description="To be looked at.")
    assert "To be looked at." in said
    assert "Nobody stands on it yet." in said
    assert "Watched To be looked at. 0 none" in text_of(ann, at("userlist_changelist"))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"name": ""}, "The name is empty: it has 1 to 100 characters."),
        ({"name": "a\0"}, "The name must be a printable text of 1 to 100 characters."),
        ({"name": "Watched"}, "There is a list “Watched” already."),
        ({"name": "x", "description": "\0"}, "The description must be a text of at most 2000 characters."),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(
    ann: Client, watched: UserList, typed: dict[str, str], told: str
) -> None:
    assert told in sent(ann, at("userlist_new"), **typed)
    assert UserList.objects.count() == 1


def test_users_are_put_on_it_by_name_or_number_and_taken_off(
    ann: Client, watched: UserList, people: list[User]
) -> None:
    path = at("userlist_change", watched.pk)
    assert "alice stands on the list from" in sent(ann, path, user="alice", comment="Charged back twice")
    end = minute(48)
    sent(ann, path, user=str(people[1].pk), expires=f"{end:%Y-%m-%dT%H:%M}")
    first, second = ListEntry.objects.select_related("user", "made_by").order_by("pk")
    assert (first.user, first.comment, first.ends_at) == (people[0], "Charged back twice", None)
    assert first.made_by is not None
    assert (second.user, second.ends_at, first.made_by.username) == (people[1], end, "ann")
    said = text_of(ann, path)
    assert "about to begin" in said
    assert "Charged back twice" in said
    assert "alice stands on the list until" in sent(ann, at("userlist_end", watched.pk, first.pk))
    first.refresh_from_db()
    assert first.ends_at == first.starts_at


def test_several_users_are_put_on_it_at_once_or_none(
    ann: Client, watched: UserList, people: list[User]
) -> None:
    path = at("userlist_change", watched.pk)
    assert "There is no customer “mallory”, “zoe”." in sent(ann, path, user="alice, mallory zoe")
    assert not ListEntry.objects.exists()
    sent(ann, path, user="alice")
    said = sent(ann, path, user=f"alice, {people[1].pk}\t{people[1].username}", comment="chargebacks")
    assert "2 customers stand on the list from the next full minute on. 1 of them stood there already" in said
    assert [entry.user for entry in ListEntry.objects.order_by("pk")] == [people[0], people[1]]
    assert "2 customers stand on the list already" in sent(ann, path, user=f"alice {people[1].pk}")


def test_an_entry_is_not_made_twice(ann: Client, watched: UserList, people: list[User]) -> None:
    path = at("userlist_change", watched.pk)
    sent(ann, path, user="alice")
    assert "alice stands on the list already, and as long." in sent(ann, path, user="alice")
    assert ListEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"user": "nobody at all"}, "There is no customer “nobody at all”."),
        ({"user": "9" * 18}, "There is no customer “999999999999999999”."),
        ({"user": "9" * 40}, "There is no customer"),
        ({"user": ""}, "Fill this in."),
        ({"user": "a\0b"}, "Null characters are not allowed."),
        ({"user": "alice", "comment": "x" * 201}, "At most 200 characters: this has 201."),
        (
            {"user": "alice", "expires": "2020-01-01T00:00"},
            "The end of an entry must be a full minute to come.",
        ),
        ({"user": "alice", "expires": "2999-01-01T00:00:30"}, "must be a full minute to come."),
        ({"user": "alice", "expires": "some day"}, "Enter a valid date/time."),
    ],
)
def test_an_entry_that_makes_no_sense_is_told_and_stays(
    ann: Client, watched: UserList, typed: dict[str, str], told: str
) -> None:
    assert told in sent(ann, at("userlist_change", watched.pk), **typed)
    assert not ListEntry.objects.exists()
    if "comment" in typed:
        shown = ann.post(at("userlist_change", watched.pk), typed).content.decode()
        assert 'value="alice"' in shown


def test_only_those_who_may_write_change_a_list(watched: UserList, people: list[User]) -> None:
    add_entries(watched, [people[0].pk])
    entry = ListEntry.objects.get()
    eve, _ = member("eve", "view", "approve")
    path = at("userlist_change", watched.pk)
    assert "Put users on it" not in text_of(eve, path)
    assert eve.post(path, {"user": "bob"}).status_code == 403
    assert eve.post(at("userlist_end", watched.pk, entry.pk)).status_code == 403
    assert eve.post(at("userlist_new"), {"name": "x"}).status_code == 403
    nobody, _ = member("nobody")
    for each in (path, at("userlist_changelist"), at("userlist_new")):
        assert nobody.get(each).status_code == 403
    entry.refresh_from_db()
    assert entry.ends_at is None


def test_a_long_list_is_searched(
    ann: Client, watched: UserList, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_lists, "SHOWN_MAX", 2)
    add_entries(watched, [user.pk for user in people])
    path = at("userlist_change", watched.pk)
    said = text_of(ann, path)
    assert "alice" not in said
    assert "The newest 100." in said
    assert "alice" in text_of(ann, f"{path}?q=alice")
    assert "That customer is not on the list" in text_of(ann, f"{path}?q=nobody%00")


def test_the_rules_that_name_a_list_are_named_and_text_is_text(ann: Client, people: list[User]) -> None:
    users = UserList.objects.create(name=HOSTILE_NAME, description=HOSTILE_NAME)
    add_entries(users, [people[0].pk], comment=HOSTILE_NAME)
    version = drafted("listed", list_name=HOSTILE_NAME, name=HOSTILE_NAME)
    lifecycle.submit(version)
    for path in (at("userlist_change", users.pk), at("userlist_changelist")):
        shown = ann.get(path).content.decode()
        assert "<script>alert" not in shown
        assert "&lt;script&gt;alert" in shown
    assert re.search(
        rf"Named by +{re.escape(HOSTILE_NAME)} *\.", text_of(ann, at("userlist_change", users.pk))
    )


@pytest.mark.parametrize("key", ["0", "x", "9" * 40])
def test_a_list_that_there_is_not_is_a_404(ann: Client, key: str) -> None:
    assert ann.get(f"{at('userlist_changelist')}{key}/change/").status_code == 404


def test_the_end_of_one_of_two_entries_takes_the_user_off_the_list(
    ann: Client, watched: UserList, people: list[User]
) -> None:
    past = datetime(2026, 1, 1, tzinfo=UTC)
    first, second = (
        ListEntry.objects.create(list=watched, user=people[0], starts_at=past, ends_at=end)
        for end in (minute(48), None)
    )
    assert "Watched To be looked at. 1 none" in text_of(ann, at("userlist_changelist"))
    said = sent(ann, at("userlist_end", watched.pk, first.pk))
    second.refresh_from_db()
    assert second.ends_at is not None
    assert f"alice stands on the list until {second.ends_at:%Y-%m-%d %H:%M}." in said


def test_a_page_of_lists_takes_as_many_statements_for_many_as_for_one(ann: Client, watched: UserList) -> None:
    drafted("listed", list_name="Watched").rule.versions.update(state="SUBMITTED")
    ann.get(at("userlist_changelist"))
    assert "0 Large" in text_of(ann, at("userlist_changelist"))
    one = statements_of(lambda: text_of(ann, at("userlist_changelist")))
    for number in range(5):
        UserList.objects.create(name=f"Another {number}")
    assert "Another 4" in text_of(ann, at("userlist_changelist"))
    assert statements_of(lambda: text_of(ann, at("userlist_changelist"))) == one
