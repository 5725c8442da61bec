"""The trail itself: only ever added to, numbered without gaps, chained, and in the action's transaction."""

import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from tests.support.audit_trail import newest
from transactions.audit import chain
from transactions.audit.actions import Action
from transactions.audit.entries import note
from transactions.audit.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = "the audit trail is only ever added to"


def write(count: int = 1) -> list[Entry]:
    for number in range(count):
        note(Action.USER_CHANGED, f"target {number}")
    return newest(count)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor = 'nobody'",
        "UPDATE audit_entry SET number = number + 1000000, hash = NULL",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE false",
        "TRUNCATE audit_entry",
        "TRUNCATE audit_entry, audit_head CASCADE",
        "UPDATE audit_head SET number = number - 1",
        "UPDATE audit_head SET number = number + 1",
        "UPDATE audit_head SET hash = repeat('0', 64)",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "INSERT INTO audit_head VALUES (1, 0, '')",
    ],
)
def test_postgresql_refuses_whatever_is_no_addition(statement: str) -> None:
    write(2)
    with pytest.raises(IntegrityError, match=REFUSED), connection.cursor() as cursor:
        cursor.execute(statement)
    assert chain.check().number == newest()[0].number


def test_what_is_inserted_by_hand_is_numbered_and_chained_like_all_else() -> None:
    before = write()[0]
    Entry.objects.create(action="x.y", via="command", number=1, hash="f" * 64, previous="e" * 64)
    after = newest()[0]
    assert after.number == before.number + 1
    assert after.previous == before.hash
    assert after.hash == chain.hash_of(after)
    chain.check()


def test_an_entry_goes_with_its_transaction_and_leaves_no_gap() -> None:
    before = write()[0]
    with transaction.atomic():
        note(Action.USER_CHANGED, "rolled back")
        transaction.set_rollback(True)
    after = write()[0]
    assert after.number == before.number + 1
    assert not Entry.objects.filter(target="rolled back").exists()


def test_an_entry_apart_survives_the_transaction_around_it() -> None:
    before = write()[0]
    with transaction.atomic():
        note(Action.USER_CHANGED, "rolled back")
        note(Action.LOG_IN_FAILED, "survives", apart=True)
        transaction.set_rollback(True)
    after = newest()[0]
    assert after.number == before.number + 1
    assert (after.action, after.target) == ("log_in.failed", "survives")
    chain.check()


def at_once(*works: Callable[[], object]) -> None:
    def run(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_writers_at_once_make_one_chain_without_gaps() -> None:
    before = write()[0]

    def many() -> None:
        for number in range(20):
            with transaction.atomic():
                note(Action.USER_CHANGED, "first")
                note(Action.USER_CHANGED, "second")
                if number % 5 == 4:
                    transaction.set_rollback(True)

    at_once(*[many] * 6)
    assert chain.check().number == before.number + 6 * 16 * 2
    pairs = newest(6 * 16 * 2)
    assert [entry.target for entry in pairs] == ["first", "second"] * (6 * 16)


def test_who_has_noted_something_and_goes_on_working_holds_up_nobody() -> None:
    noted, done = threading.Event(), threading.Event()

    def long_work() -> None:
        with transaction.atomic():
            note(Action.USER_CHANGED, "slow")
            noted.set()
            assert done.wait(60)

    def short_work() -> None:
        assert noted.wait(60)
        note(Action.LOGGED_IN, "quick")
        done.set()

    at_once(long_work, short_work)
    assert [entry.target for entry in newest(2)] == ["quick", "slow"]


def tampered(*statements: str) -> str:
    """What the check says of a trail to which the table's owner has done something; "" if nothing."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER ALL")
            cursor.execute("ALTER TABLE audit_head DISABLE TRIGGER ALL")
            for statement in statements:
                cursor.execute(statement)
        try:
            chain.check()
            said = ""
        except chain.ChainBroken as error:
            said = str(error)
        transaction.set_rollback(True)
    return said


INSERT = (
    "INSERT INTO audit_entry (number, at, action, actor, via, token, address, request_id, target, target_id,"
    " reason, details, previous, hash) SELECT {number}, at, action, actor, via, token, address, request_id,"
    " target, target_id, reason, details, previous, {hash} FROM audit_entry WHERE number = {of}"
)


def test_the_first_entry_that_is_wrong_is_told() -> None:
    numbers = [entry.number for entry in write(5)]
    a, b, c, _d, e = numbers
    assert tampered() == ""
    change = "UPDATE audit_entry SET {} WHERE number = {}"
    assert tampered(change.format("actor = 'x'", b), change.format("actor = 'x'", c)) == (
        f"Entry {b} is not what was written."
    )
    assert tampered(change.format("actor_id = 1", b)) == f"Entry {b} is not what was written."
    assert tampered(change.format("at = at + interval '1 us'", b)) == f"Entry {b} is not what was written."
    rehash = f"UPDATE audit_entry e SET hash = audit_hash(e) WHERE number = {b}"
    assert (
        tampered(change.format("actor = 'x'", b), rehash) == f"Entry {c} does not follow the entry before it."
    )
    assert tampered(f"DELETE FROM audit_entry WHERE number = {b}") == f"Entry {b} is missing."
    assert (
        tampered(f"DELETE FROM audit_entry WHERE number IN ({b}, {c})") == f"Entries {b} to {c} are missing."
    )
    assert tampered(f"DELETE FROM audit_entry WHERE number = {e}") == f"Entry {e} is missing."
    assert tampered(f"DELETE FROM audit_entry WHERE number >= {c}") == f"Entries {c} to {e} are missing."
    assert tampered("DELETE FROM audit_entry WHERE number = 1") == "Entry 1 is missing."
    inserted = INSERT.format(number=e + 1, hash="hash", of=a)
    assert tampered(inserted) == f"Entry {e + 1} was put in beside the chain."
    unnumbered = INSERT.format(number="NULL", hash="NULL", of=a)
    assert tampered(unnumbered) == "An entry without a number was put in beside the chain."
    assert tampered("DELETE FROM audit_head") == "The head of the trail is missing."
    back = f"UPDATE audit_head SET number = {a}"
    assert tampered(back) == f"Entry {a} is another one than the head says."


def test_a_tail_cut_off_together_with_the_head_is_found_by_a_head_kept_elsewhere() -> None:
    a, b = write(2)
    head = chain.check()
    cut = [
        f"DELETE FROM audit_entry WHERE number = {b.number}",
        f"UPDATE audit_head SET number = {a.number}, hash = '{a.hash}'",
    ]
    assert tampered(*cut) == ""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER ALL")
            cursor.execute("ALTER TABLE audit_head DISABLE TRIGGER ALL")
            for statement in cut:
                cursor.execute(statement)
        with pytest.raises(chain.ChainBroken, match=f"ends at entry {a.number}, before the head"):
            chain.check(head)
        transaction.set_rollback(True)
    other = chain.Head(a.number, "f" * 64)
    with pytest.raises(
        chain.ChainBroken, match=f"Entry {a.number} is another one than the head that was kept"
    ):
        chain.check(other)
    write()
    assert chain.check(head).number == head.number + 1


def test_verify_prints_the_head_and_takes_one_that_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    entry = write()[0]
    call_command("verify", "--audit")
    head = f"{entry.number}:{entry.hash}"
    assert (
        capsys.readouterr().out
        == f"audit trail: {entry.number} entries, nothing is missing or changed\nhead: {head}\n"
    )
    call_command("verify", "--audit", "--head", head)
    with pytest.raises(CommandError, match="before the head that was kept"):
        call_command("verify", "--audit", "--head", f"{entry.number + 9}:{'a' * 64}")
    with pytest.raises(CommandError, match="--head is a number, a colon and 64 hexadecimal digits"):
        call_command("verify", "--audit", "--head", "7")
    with pytest.raises(CommandError, match="--head goes with --audit"):
        call_command("verify", "--head", head)


def test_flushing_the_tables_of_django_leaves_the_trail() -> None:
    before = write()[0]
    call_command("flush", interactive=False, verbosity=0)
    assert Entry.objects.filter(number=before.number, hash=before.hash).exists()
    chain.check()


def test_whatever_a_name_holds_is_taken_and_no_token_is_kept() -> None:
    hostile = "<script>\0\ud800\n;'--é"
    note(Action.USER_CHANGED, hostile, reason=hostile * 100, said=hostile, key="txmon_" + "a" * 43)
    note(Action.USER_CHANGED, "the token txmon_" + "b" * 43, reason="txmon_" + "c" * 43)
    first, second = newest(2)
    assert first.target == "<script>\\0\\ud800\n;'--é"
    assert len(first.reason) == 500
    assert first.details.isascii()
    for entry in (first, second):
        assert not {"a" * 43, "b" * 43, "c" * 43} & {entry.target, entry.reason, entry.details}
        assert "aaa" not in entry.details
    assert second.target == "the token txmon_(left out)"
    assert second.reason == "txmon_(left out)"
    chain.check()


def test_a_row_is_noted_with_its_key(people: list[User]) -> None:
    note(Action.USER_CHANGED, people[0], b=1, a=["x", None, True])
    entry = newest()[0]
    assert (entry.target, entry.target_id) == ("alice", str(people[0].pk))
    assert entry.details == '{"a":["x",null,true],"b":1}'
