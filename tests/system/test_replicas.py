"""Readiness, health, alarms and figures tell who the primary of Redis is, and who is missing."""

import time
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client, override_settings

from dev.trio import Trio
from dev.waiting import wait_until
from tests.support.accepting import record, take
from tests.support.living import everybody_works
from transaction_monitoring.observability import health
from transactions.intake.outcomes import IntakeUnavailable
from transactions.stores import primaries
from transactions.stores.confirmation import confirmed
from transactions.stores.redis_connection import connection
from transactions.system import advice, conditions, reading
from transactions.system.parts import PartState, SystemPart, condition_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
GONE = override_settings(REPLICA_GONE_SECONDS=3)


def redis_part() -> SystemPart:
    (found,) = (part for part in condition_of(reading.read()).parts if part.name == "redis")
    return found


def figures(client: Client) -> dict[str, str]:
    lines = client.get("/metrics").content.decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def address(three: Trio) -> str:
    return f"127.0.0.1:{three.primary.port}"


def test_all_three_are_told(three: Trio, people: list[User], client: Client) -> None:
    take(record("T1", people[0]))
    everybody_works()
    problems, details = health.look()
    assert problems == []
    told: dict[str, Any] = details["primary"]
    assert (told["address"], told["replicas_online"], told["replicas_wanted"]) == (address(three), 2, 2)
    part = redis_part()
    assert (part.state, part.cause) == (
        PartState.OK,
        f"It answers, and takes what is accepted; 2 of 2 replicas of {address(three)} are online.",
    )
    assert "replicas" not in conditions.seen()
    shown = figures(client)
    assert shown[f'transactions_redis_primary_info{{address="{address(three)}"}}'] == "1.0"
    assert shown["transactions_replicas_online"] == shown["transactions_replicas_wanted"] == "2.0"
    assert float(shown["transactions_confirmation_wait_seconds_count"]) >= 1
    assert "transactions_confirmations_failed_total" in shown


def test_one_that_is_missing_and_one_that_is_frozen_are_told(
    three: Trio, people: list[User], client: Client
) -> None:
    take(record("T1", people[0]))
    three.replicas[0].freeze()
    with pytest.raises(IntakeUnavailable):
        take(record("T2", people[0]))
    problems, _ = health.look()
    assert "it is on too few disks: 1 of 2 replicas confirm what was written" in problems
    part = redis_part()
    assert (part.state, part.advice) == (PartState.ILL, advice.UNCONFIRMED)
    assert float(figures(client)["transactions_confirmations_failed_total"]) >= 1
    three.replicas[0].wake()

    three.replicas[0].kill()
    with GONE:
        told = lambda: "replicas" in conditions.seen() and redis_part().state == PartState.SLOW  # noqa: E731
        wait_until(told, 60, "somebody is told")
    assert conditions.seen()["replicas"] == "1 of 2 replicas of Redis are online."
    assert redis_part().brief == "A replica of Redis is missing"
    assert figures(client)["transactions_replicas_online"] == "1.0"


def test_a_sentinel_that_is_dead_or_silent_is_told(three: Trio, people: list[User], client: Client) -> None:
    take(record("T1", people[0]))
    everybody_works()
    shown = figures(client)
    assert shown["transactions_sentinels_answering"] == shown["transactions_sentinels_wanted"] == "3.0"
    assert "sentinels" not in conditions.seen()

    three.sentinels[0].freeze()
    began = time.monotonic()
    found = primaries.read()
    assert found is not None
    assert (found.sentinels, found.sentinels_missing) == (2, 1)
    # Asked in turn for the primary, and then all at once; each for half a second twice.
    assert time.monotonic() - began < 3
    three.sentinels[0].wake()

    three.sentinels[1].kill()
    assert figures(client)["transactions_sentinels_answering"] == "2.0"
    assert conditions.seen()["sentinels"] == "2 of 3 sentinels of Redis answer."
    part = redis_part()
    assert (part.state, part.brief) == (PartState.SLOW, "A sentinel of Redis is missing")
    problems, details = health.look()
    assert problems == []
    assert (details["primary"]["sentinels_answering"], details["primary"]["sentinels_wanted"]) == (2, 3)
    # Nothing that is accepted waits for it.
    take(record("T2", people[0]))


def test_a_primary_that_took_over_says_when(three: Trio, client: Client) -> None:
    with GONE:
        confirmed(lambda pipeline: pipeline.set("x", "1"))
        wait_until(lambda: connection().hlen(primaries.NOTED), 60, "the first is noted")
        before = primaries.read()
        assert before is not None
        three.primary.kill()

        def another() -> bool:
            try:
                now = primaries.read()
            except redis.RedisError:
                return False
            return now is not None and now.address != before.address and now.taken_over_at is not None

        wait_until(another, 60, "another one takes over")
    shown = figures(client)
    assert float(shown["transactions_last_failover_timestamp_seconds"]) > 1_700_000_000


def test_of_one_redis_nothing_of_this_is_told(people: list[User], client: Client) -> None:
    take(record("T1", people[0]))
    everybody_works()
    problems, details = health.look()
    assert problems == []
    assert "primary" not in details
    assert redis_part().cause == "It answers, and takes what is accepted."
    assert not [name for name in figures(client) if "replica" in name or "confirmations_failed" in name]
