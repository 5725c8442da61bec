"""The simulated stream: that it is believable, and that the API has nothing against it."""

import io
import re
import statistics
from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.support.interrupting import interrupted
from tests.support.serving import daphne
from transactions.books import balance
from transactions.client.incidents import Posted
from transactions.client.simulation import FIRST_USER, Stream
from transactions.models import Transaction
from transactions.storing.flush import flush

USERS = range(1, 201)


def story(seed: int, prefix: str = "A", count: int = 5000) -> list[Posted]:
    stream = Stream(USERS, seed, prefix)
    return [stream.next(number / 100) for number in range(count)]


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


def test_a_seed_tells_the_same_story_under_new_ids() -> None:
    def told(records: list[Posted]) -> list[tuple[object, ...]]:
        return [(record["user"], record["amount"], record["status"]) for record in records]

    first, again = story(7, "A"), story(7, "B")

    assert told(first) == told(again)
    assert told(first) != told(story(8))
    ids = {record["transaction_id"] for record in first}
    assert ids.isdisjoint(record["transaction_id"] for record in again)


def test_a_few_users_make_most_of_it() -> None:
    counts = Counter(record["user"] for record in story(7))

    assert len(counts) > 150
    assert sum(count for _, count in counts.most_common(20)) > 2500


def test_most_amounts_are_small_and_a_few_are_large() -> None:
    amounts = [int(record["amount"]) for record in story(7)]

    assert min(amounts) > 0
    assert statistics.mean(amounts) > 1.5 * statistics.median(amounts)
    assert max(amounts) > 20 * statistics.median(amounts)


def test_pending_ones_settle_later_once_and_some_records_are_sent_again() -> None:
    told: dict[object, list[Posted]] = {}
    for record in story(7):
        told.setdefault(record["transaction_id"], []).append(record)
    pending = [records for records in told.values() if records[0]["status"] == "PENDING"]
    settled = [records for records in pending if len({record["status"] for record in records}) == 2]
    sent_again = sum(
        len(records) - len({record["status"] for record in records}) for records in told.values()
    )

    assert all(
        len({(record["user"], record["amount"]) for record in records}) == 1 for records in told.values()
    )
    assert all(len({record["status"] for record in records} - {"PENDING"}) <= 1 for records in told.values())
    assert len(pending) > 800
    assert 0.7 * len(pending) < len(settled) < len(pending)
    assert 25 < sent_again < 250


@pytest.mark.django_db(transaction=True)
def test_the_api_refuses_nothing_of_it_and_the_books_balance(url: str) -> None:
    said = []
    for _ in range(2):
        out = io.StringIO()
        options = ("--rate", "500", "--seconds", "4", "--users", "30", "--seed", "7", "--url", url)
        call_command("simulate", "--plain", *options, stdout=out)
        said.append(out.getvalue().splitlines())
    flush()

    assert [line for lines in said for line in lines if "users made" in line] == ["30 users made"]
    # Each run ends with its sum; one that takes longer than it was given tells its progress before.
    sums = [re.search(r"([\d,]+) accepted", lines[-1]) for lines in said]
    assert not any("refused" in line for lines in said for line in lines)
    accepted = sum(int(found[1].replace(",", "")) for found in sums if found)
    found = balance.read()
    assert (found.balanced, found.accepted) == (True, accepted)
    assert found.stored == Transaction.objects.count()
    assert set(Transaction.objects.values_list("status", flat=True)) == {"PENDING", "SUCCESS", "FAILED"}
    assert found.settled
    users = User.objects.filter(pk__gte=FIRST_USER).order_by("pk")
    assert [user.username for user in users] == [f"customer-{FIRST_USER + number}" for number in range(30)]
    assert Transaction.objects.exclude(user__in=users).count() == 0


@pytest.mark.django_db(transaction=True)
def test_it_runs_until_ctrl_c_which_is_a_good_end(url: str) -> None:
    status, out, error = interrupted("simulate", "--rate", "100", PORT=url.rpartition(":")[2])

    assert (status, error) == (0, "")
    assert re.search(r" s  [\d,]+ accepted  \d+ replayed$", out.splitlines()[-1])


@pytest.mark.django_db(transaction=True)
def test_what_is_refused_is_told_with_its_reason(transactional_db: None) -> None:
    User.objects.create_user("customer-100001")  # The name is taken, so the key is not made.
    out = io.StringIO()

    # A server of its own, which has not met the customer of another test.
    with daphne() as url:
        call_command("simulate", "--plain", "--seconds", "0.2", "--users", "1", "--url", url, stdout=out)

    assert re.search(r" 0 accepted  0 replayed  \d+ refused \(.*does not exist", out.getvalue())
    assert "users made" not in out.getvalue()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--url", "http://127.0.0.1:9", "--patience", "0.3"), "gave up after 0.3 s: http://127.0.0.1:9"),
        (("--users", "1000001"), "at most 1,000,000 users can be simulated"),
        (("--url", "nowhere"), "is no URL"),
    ],
)
def test_what_cannot_go_on_ends_with_2_and_one_line(options: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told) as ended:
        call_command("simulate", *options, stdout=io.StringIO())

    assert ended.value.returncode == 2
    assert "\n" not in str(ended.value)
