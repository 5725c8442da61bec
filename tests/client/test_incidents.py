"""What the simulation plays for rules: each is found, and what is usual is not."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.support.accepting import take
from tests.support.rules import pay_debt, rule_in_force
from transactions.alerts.models import Alert
from transactions.client.incidents import CAST, Incidents, Posted
from transactions.client.simulation import Stream
from transactions.queue.records import Record
from transactions.rules import documents
from transactions.rules.models import Hit, Version
from transactions.storing.flush import flush

RATE = 20.0
USERS, PLAYERS = range(5001, 5201), range(6001, 6001 + CAST)
BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def story(seed: int, seconds: float, *, plain: bool = False, began: datetime = BEGAN) -> list[Posted]:
    incidents = None if plain else Incidents(PLAYERS, seed, "A", began)
    stream = Stream(USERS, seed, "A", incidents)
    return [stream.next(number / RATE) for number in range(int(seconds * RATE))] + stream.rest(seconds)


@pytest.fixture
def starter_rules(transactional_db: None, settings: Settings) -> None:
    settings.FOUR_EYES = False
    User.objects.bulk_create(User(pk=key, username=f"player-{key}") for key in [*USERS, *PLAYERS])
    documents.start_with(documents.parse(documents.STARTER.read_text()))


def play(records: list[Posted]) -> None:
    """Through the door, and into the table."""
    for start in range(0, len(records), 500):
        take(
            *(
                Record(
                    str(each["transaction_id"]),
                    int(each["user"]),
                    int(each["amount"]),
                    str(each["status"]),
                    datetime.fromisoformat(str(each["created_at"])) if "created_at" in each else None,
                )
                for each in records[start : start + 500]
            )
        )
    flush()
    pay_debt()


def hits_by_rule() -> Counter[str]:
    return Counter(Hit.objects.values_list("version__rule__name", flat=True))


def test_a_seed_plays_the_same_incidents_and_leaves_what_is_usual_as_it_was() -> None:
    told = story(7, 60)

    assert told == story(7, 60)
    assert told != story(8, 60)
    usual = [record["transaction_id"] for record in told if int(record["user"]) in USERS]
    alone = [record["transaction_id"] for record in story(7, 60, plain=True)]
    assert 0.8 * len(alone) < len(usual) < len(alone)


def test_few_of_the_records_are_played_and_those_within_the_first_half_minute() -> None:
    told = story(7, 900)
    places = [place for place, record in enumerate(told) if int(record["user"]) in PLAYERS]

    assert len(places) < 0.01 * len(told)
    assert max(places) < 30 * RATE


def test_all_begins_anew_each_quarter_of_an_hour() -> None:
    told = Counter(record["user"] for record in story(7, 1000) if int(record["user"]) in PLAYERS)

    assert told == Counter({user: 2 * number for user, number in _first_round().items()})


def _first_round() -> Counter[str | int]:
    return Counter(record["user"] for record in story(7, 100) if int(record["user"]) in PLAYERS)


def test_for_half_a_minute_most_fail_and_in_the_end_one_alone_is_pending() -> None:
    told = story(7, 60)
    settled = {record["transaction_id"] for record in told if record["status"] != "PENDING"}
    failed = [record["status"] == "FAILED" for record in told if record["status"] != "PENDING"]

    assert len({record["transaction_id"] for record in told} - settled) == 1
    assert sum(failed[: int(18 * RATE * 0.6)]) < 0.2 * 18 * RATE * 0.6
    assert sum(failed) > 0.2 * len(failed)


@pytest.mark.usefixtures("starter_rules")
def test_what_is_played_is_found_by_the_starter_rules_of_those_users_alone() -> None:
    play(story(7, 60, began=datetime.now(UTC) - timedelta(seconds=60)))

    assert hits_by_rule() == {
        "A very large amount": 1,
        "Amounts just under the limit": 2,
        "A large round amount": 2,
        "Many large transactions within ten minutes": 2,
        "A large sum within a day": 1,
        "Small amounts that fail": 4,
        "The same amount again and again": 2,
        "Far above what is usual for the customer": 1,
        "A sleeping account wakes": 2,
    }
    assert set(Alert.objects.values_list("user", flat=True)) <= set(PLAYERS)
    assert Alert.objects.count() == 10


@pytest.mark.usefixtures("starter_rules")
def test_the_provider_that_is_down_shows_once_the_quarter_of_an_hour_has_ended() -> None:
    bucket = datetime.now(UTC) - timedelta(minutes=15)
    bucket -= timedelta(minutes=bucket.minute % 15, seconds=bucket.second, microseconds=bucket.microsecond)
    parameters = Version.objects.get(kind="failure_rate").parameters
    begun_before = rule_in_force("failure_rate", begin=bucket, **parameters)

    told = story(7, 60, began=bucket)
    happened = ((bucket + timedelta(seconds=n / RATE)).isoformat() for n in range(len(told)))
    play([{"created_at": moment, **record} for moment, record in zip(happened, told, strict=True)])

    assert list(Hit.objects.filter(version=begun_before).values_list("bucket", flat=True)) == [bucket]


@pytest.mark.usefixtures("starter_rules")
def test_a_quarter_of_an_hour_of_what_is_usual_raises_next_to_nothing() -> None:
    play(story(7, 900, plain=True))

    assert Version.objects.filter(state="ACTIVE").count() == 12
    assert Alert.objects.count() <= 2, hits_by_rule()
