"""Lists of users through the API and the command: entries begin, expire and are ended, and never change."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.rulebook.conftest import Caller
from transactions.access.rights import Right, grant
from transactions.rules.models import ListEntry, UserList

pytestmark = pytest.mark.django_db(transaction=True)


def minute_to_come(hours: int = 1) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=hours)


@pytest.fixture
def watched(ann: Caller) -> int:
    made: int = ann.post("lists/", {"name": "Watched", "description": "Chargebacks."}, 201)["id"]
    return made


def test_users_are_put_on_a_list_and_taken_off_it(ann: Caller, watched: int, people: list[User]) -> None:
    path, keys = f"lists/{watched}/entries/", [user.pk for user in people]
    until = minute_to_come()
    sent = {"users": keys[:2], "comment": "chargebacks", "expires_at": until.isoformat()}
    assert ann.post(path, sent) == {"added": 2, "there_already": 0}
    # Sent again, since nobody heard the answer.
    assert ann.post(path, sent) == {"added": 0, "there_already": 2}
    ann.post(path, {"users": [keys[2]]})
    first, _, third = ann.get(path)["results"]
    assert (first["user"], first["comment"], first["made_by"]) == (keys[0], "chargebacks", "api-ann")
    assert datetime.fromisoformat(first["ends_at"]) == until
    assert (third["comment"], third["ends_at"]) == ("", None)
    ended = ann.post(f"{path}{third['id']}/end/")
    assert ended["ends_at"] == ended["starts_at"]
    assert ann.post(f"{path}{third['id']}/end/") == ended
    ListEntry.objects.filter(user=people[1]).delete()
    past = datetime(2026, 1, 1, tzinfo=UTC)
    ListEntry.objects.create(list_id=watched, user=people[1], starts_at=past)
    assert [each["user"] for each in ann.get(f"{path}?standing=true")["results"]] == [keys[1]]
    assert [each["user"] for each in ann.get(f"{path}?standing=false")["results"]] == [keys[0], keys[2]]
    assert [each["user"] for each in ann.get(f"{path}?user={keys[2]}")["results"]] == [keys[2]]
    (shown,) = ann.get("lists/")["results"]
    assert shown == ann.get(f"lists/{watched}/")
    assert (shown["name"], shown["standing"]) == ("Watched", 1)


def test_an_entry_has_no_other_change(ann: Caller, watched: int, people: list[User]) -> None:
    path = f"lists/{watched}/entries/"
    ann.post(path, {"users": [people[0].pk]})
    entry = ListEntry.objects.get().pk
    for method in ("patch", "put", "delete"):
        assert ann.call(method, f"{path}{entry}/end/").status_code == 405
    told = ann.post(f"{path}{entry}/end/", {"comment": "x"}, 400)
    assert told == {"comment": ["Unknown field. There are none."]}


def test_pages_of_entries_show_each_once(ann: Caller, watched: int) -> None:
    users = User.objects.bulk_create(User(username=f"user {n}") for n in range(7))
    path = f"lists/{watched}/entries/"
    ann.post(path, {"users": [user.pk for user in users], "expires_at": minute_to_come().isoformat()})
    ann.post(path, {"users": [users[3].pk]})
    page, seen = ann.get(f"{path}?limit=3"), []
    while True:
        seen += [(entry["user"], entry["id"]) for entry in page["results"]]
        if page["next"] is None:
            break
        page = ann.api.get(page["next"]).json()
    assert seen == list(ListEntry.objects.order_by("user_id", "pk").values_list("user_id", "pk"))
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, {"users": ["This field is required."]}),
        ({"users": []}, {"users": ["Ensure this field has at least 1 elements."]}),
        ({"users": 7}, {"users": ['Expected a list of items but got type "int".']}),
        ({"users": [999_999]}, {"users": ['The user "999999" does not exist.']}),
        (
            {"users": [10**30]},
            {"users": [f'0: The user "1{"0" * 29}…" does not exist.']},
        ),
        (
            {"users": [1, "x"]},
            {"users": ["1: Incorrect type. Expected the key of a user, an integer or a string of digits."]},
        ),
        ({"users": [1] * 1_001}, {"users": ["Ensure this field has no more than 1000 elements."]}),
        ({"users": [1] * 100_000}, {"detail": "The JSON has at most 65,536 bytes."}),
        (
            {"users": [1], "comment": "\u3164"},
            {"comment": ["the comment must have a character that is visible, or be empty"]},
        ),
        *(
            (
                {"users": [1], "comment": no_text},
                {"comment": ["the comment must be a text of at most 200 characters"]},
            )
            for no_text in (12.5, 0, -1, 1e30, True, ["a"], "x" * 201, "\0")
        ),
        (
            {"users": [1], "comment": "\u202eabc"},
            {"comment": ["the comment must have no characters that turn the text around"]},
        ),
        ({"users": [1], "until": None}, {"until": ["Unknown field. Known are: users, comment, expires_at."]}),
    ],
)
def test_what_makes_no_sense_is_told(ann: Caller, watched: int, said: Any, told: Any) -> None:
    assert ann.post(f"lists/{watched}/entries/", said, 400) == told
    assert not ListEntry.objects.exists()


@pytest.mark.parametrize("moment", ["2026-01-31T12:00:00Z", "2999-01-31T12:00:01Z"])
def test_an_entry_ends_at_a_full_minute_to_come(
    ann: Caller, watched: int, people: list[User], moment: str
) -> None:
    told = ann.post(f"lists/{watched}/entries/", {"users": [people[0].pk], "expires_at": moment}, 400)
    assert told == {"expires_at": ["The end of an entry must be a full minute to come."]}


def test_a_name_is_given_once(ann: Caller, watched: int) -> None:
    assert ann.post("lists/", {"name": "Watched"}, 409) == {"name": ["there is a list “Watched” already"]}


def standing(users: int, person: User, *ends: datetime | None) -> list[ListEntry]:
    """Entries of a user that are in force, one for each end."""
    past = datetime(2026, 1, 1, tzinfo=UTC)
    return [ListEntry.objects.create(list_id=users, user=person, starts_at=past, ends_at=end) for end in ends]


def test_the_end_of_one_of_two_entries_takes_the_user_off_the_list(
    ann: Caller, watched: int, people: list[User]
) -> None:
    first, second = standing(watched, people[0], minute_to_come(), None)
    (other,) = standing(watched, people[1], None)
    elsewhere = UserList.objects.create(name="Elsewhere")
    (there,) = standing(elsewhere.pk, people[0], None)
    ended = ann.post(f"lists/{watched}/entries/{first.pk}/end/")
    second.refresh_from_db()
    assert second.ends_at == datetime.fromisoformat(ended["ends_at"])
    for left in (other, there):
        left.refresh_from_db()
        assert left.ends_at is None


def test_the_end_of_an_entry_that_has_ended_leaves_a_later_one_as_it_is(
    ann: Caller, watched: int, people: list[User]
) -> None:
    # Sent again, since nobody heard the answer; meanwhile somebody has put the user there again.
    ended, later = standing(watched, people[0], datetime(2026, 1, 2, tzinfo=UTC), None)
    ann.post(f"lists/{watched}/entries/{ended.pk}/end/")
    later.refresh_from_db()
    assert later.ends_at is None


def test_whoever_stands_on_a_list_twice_is_counted_once(
    ann: Caller, watched: int, people: list[User]
) -> None:
    standing(watched, people[0], minute_to_come(), None)
    standing(watched, people[1], datetime(2026, 1, 2, tzinfo=UTC))
    assert ann.get(f"lists/{watched}/")["standing"] == 1
    assert run("lists") == "Watched: 1 user now. Chargebacks.\n"


# --- The command -------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rules", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("rules", *arguments, stdout=StringIO(), stderr=StringIO())
    return str(caught.value)


def test_the_command_makes_lists_and_puts_users_on_them(people: list[User]) -> None:
    keys = [str(user.pk) for user in people]
    run("list-make", "Watched", "--description", "Chargebacks.")
    grant(people[0], [Right.CHANGE_RULES])
    assert refused("list-make", "Watched") == "There is a list “Watched” already."
    until = minute_to_come().isoformat()
    told = run("list-add", "Watched", *keys[:2], "--by", "alice", "--comment", "seen", "--expires", until)
    assert told == "added: 2, there already: 0\n"
    assert run("list-add", "Watched", keys[0], "--expires", until) == "added: 0, there already: 1\n"
    entry = ListEntry.objects.order_by("pk")[0]
    assert (entry.made_by, entry.comment) == (people[0], "seen")
    assert run("lists").startswith("Watched: 0 users now. Chargebacks.")
    assert run("list-end", "Watched", keys[0]) == "ended: 1\n"
    assert run("list-end", "Watched", keys[0]) == "ended: 0\n"


def test_the_command_takes_users_from_a_file_all_or_nothing(people: list[User], tmp_path: Path) -> None:
    run("list-make", "Watched")
    file = tmp_path / "users.txt"
    file.write_text("".join(f"{user.pk}\n" for user in people))
    assert run("list-add", "Watched", "--file", str(file)) == "added: 3, there already: 0\n"
    for text, reason in (
        ("1\nx\n", "line 2: 'x' is no key of a user"),
        (f"{10**30}\n", "line 1: '1000000000000000000000000000000' is no key of a user"),
        (f"{people[0].pk}\n999999\n", "There is no customer 999999."),
        ("\n", "name the users, or a file of them"),
    ):
        file.write_text(text)
        assert reason in refused("list-add", "Watched", "--file", str(file)), text
    assert ListEntry.objects.count() == 3


def test_the_command_shows_who_is_on_a_list_and_until_when(people: list[User]) -> None:
    run("list-make", "Watched")
    assert run("list-show", "Watched") == "Nobody stands on it.\n"
    watched = UserList.objects.get()
    begin, until = datetime(2026, 1, 31, 12, tzinfo=UTC), minute_to_come() + timedelta(hours=1)
    for user, starts, ends, comment in (
        (people[0], begin, None, "two\nchargebacks"),
        (people[1], begin, until, ""),
        (people[2], until, None, ""),
        (people[2], begin, begin + timedelta(days=1), "ended"),
    ):
        entry = {"starts_at": starts, "ends_at": ends, "comment": comment, "made_by": people[1]}
        ListEntry.objects.create(list=watched, user=user, **entry)
    first, second, third = run("list-show", "Watched").splitlines()
    assert first == (f"{people[0].pk} alice: from 2026-01-31 12:00 UTC, by {people[1]}: two\\nchargebacks")
    assert second.endswith(f"from 2026-01-31 12:00 UTC until {until:%Y-%m-%d %H:%M} UTC, by {people[1]}")
    assert third.startswith(f"{people[2].pk} {people[2]}: from {until:%Y-%m-%d %H:%M} UTC, by")


def test_the_command_tells_which_list_may_be_meant(people: list[User]) -> None:
    run("list-make", "Watched")
    for name in ("watched", "Wached"):
        told = f"There is no list “{name}”; did you mean “Watched”?"
        assert refused("list-add", name, "1") == refused("list-show", name) == told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("list-add", "Watched", "1"), "There is no list “Watched”."),
        (("list-end", "Watched", "1"), "There is no list “Watched”."),
        (("list-make", "a\nb"), "the name must be a printable text"),
        (("list-add", "Watched", "x"), "'x' is no key of a user"),
    ],
)
def test_the_command_tells_what_makes_no_sense(arguments: tuple[str, ...], reason: str) -> None:
    assert reason in refused(*arguments)
    assert not UserList.objects.exists()
