"""`manage.py rejected`: what it prints, and its exit status."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.intake.test_rejected import GONE, come_back, refused
from tests.support.accepting import queued
from tests.support.outages import postgres_away, redis_away
from transactions.models import RejectedRecord
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> tuple[str, str, bool]:
    """What `manage.py rejected` prints and whether it is content."""
    out, err = StringIO(), StringIO()
    try:
        call_command("rejected", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}", False
    return out.getvalue(), err.getvalue(), True


def test_the_command_lists_the_open_records_newest_first(people: list[User]) -> None:
    first, second, _third = refused(queued("R1", GONE), queued("R2", GONE), queued("R3", GONE))
    run("discard", str(second.pk))
    out, err, content = run("list")
    assert content
    assert err == ""
    lines = out.splitlines()
    assert ["R3" in lines[0], "R1" in lines[1]] == [True, True]
    assert f"user {GONE} does not exist" in lines[1]
    assert lines[1].startswith(f"{first.pk} ")
    assert lines[2:] == ["2 open records"]
    assert "DISCARDED" in run("list", "--all")[0]


def test_the_list_shows_hostile_values_as_text(people: list[User]) -> None:
    RejectedRecord.objects.create(transaction_id="\x1b[2J\n1 R", reason="x", raw=b"\x1b[2J\xff\x00")
    out, _, _ = run("list")
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2
    listed = json.loads(run("list", "--json")[0])
    assert listed["raw"] == "\x1b[2J\\xff\x00"
    assert "\x1b" not in run("list", "--json")[0]


def test_the_list_as_json_is_one_object_a_line(people: list[User]) -> None:
    rows = refused(queued("R1", GONE), queued("R2", GONE))
    listed = [json.loads(line) for line in run("list", "--json")[0].splitlines()]
    assert [entry["id"] for entry in listed] == [rows[1].pk, rows[0].pk]
    assert listed[0]["raw"] == queued("R2", GONE)
    assert (listed[0]["times"], listed[0]["resolution"], listed[0]["batch"]) == (1, None, rows[1].batch_id)


def test_an_empty_list_says_so(transactional_db: None) -> None:
    assert run("list") == ("0 open records\n", "", True)


def test_the_command_replays_by_number_and_all(people: list[User]) -> None:
    first, *_ = refused(queued("R1", GONE), queued("R2", GONE), queued("R3", GONE))
    come_back()
    assert run("replay", str(first.pk)) == ("replayed: 1\n", "", True)
    assert run("replay", "--all") == ("replayed: 2\n", "", True)
    assert flush().stored == 3
    assert run("replay", str(first.pk)) == ("replayed: 0, before: 1\n", "", True)


def test_the_command_fails_where_something_was_left_undone(people: list[User]) -> None:
    rows = refused(queued("R2", GONE, status="NONE"), queued("R1", GONE))
    out, err, content = run("replay", "--all")
    assert (out, content) == ("replayed: 0\n", False)
    assert f"{rows[1].pk} R1: user {GONE} does not exist" in err
    assert f"{rows[0].pk} -: unreadable" in err
    assert err.endswith("could not be replayed: 2")
    assert run("discard", str(rows[0].pk)) == ("discarded: 1\n", "", True)
    assert run("replay", str(rows[0].pk))[2] is False


def test_the_command_tells_of_a_number_that_there_is_not(people: list[User]) -> None:
    (row,) = refused(queued("R1", GONE))
    out, err, content = run("discard", str(row.pk), "987654321")
    assert (out, content) == ("discarded: 1\n", False)
    assert "987654321: there is no such record" in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["replay"],
        ["discard"],
        ["replay", "x"],
        ["replay", "-1"],
        ["discard", "9" * 30],
        ["replay", "--all", "1"],
    ],
)
def test_the_command_refuses_what_it_does_not_understand(
    transactional_db: None, arguments: list[str]
) -> None:
    with pytest.raises(CommandError):
        call_command("rejected", *arguments)


def test_the_command_leaves_everything_open_while_redis_does_not_answer(people: list[User]) -> None:
    (row,) = refused(queued("R1", GONE))
    come_back()
    with redis_away():
        out, err, content = run("replay", "--all")
    assert (out, content) == ("replayed: 0\n", False)
    assert f"{row.pk} R1: The buffer does not answer." in err
    assert run("replay", "--all") == ("replayed: 1\n", "", True)


def test_the_command_says_so_when_postgresql_does_not_answer(transactional_db: None) -> None:
    with postgres_away():
        out, err, content = run("list")
    assert (out, content) == ("", False)
    assert err.startswith("PostgreSQL does not answer")
