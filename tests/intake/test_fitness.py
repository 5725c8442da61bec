"""A Redis that lets its user do less: intake goes on without INFO, and readiness tries what intake needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.outages import redis_away
from tests.support.serving import daphne
from transaction_monitoring.observability import health
from transaction_monitoring.observability.prometheus import System
from transactions.intake import fitness
from transactions.intake.outcomes import IntakeUnavailable
from transactions.models import Transaction
from transactions.queue.keys import QUEUE
from transactions.stores import redis_memory
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# What managed Redis takes away, in several ways.
MANAGED = {
    "no dangerous commands": ["+@all", "-@dangerous"],
    "neither those nor admin's": ["+@all", "-@admin", "-@dangerous"],
    "no INFO": ["+@all", "-info"],
    "no INFO, nor CONFIG, nor CLIENT": ["+@all", "-info", "-config", "-client"],
}


@contextmanager
def redis_user(*rules: str, keys: str = "~*") -> Iterator[str]:
    """All in this block come to Redis as a user with these rules; yields its REDIS_URL."""
    owner: Any = connection()
    owner.execute_command("ACL", "SETUSER", "tenant", "reset", "on", ">secret", keys, "&*", *rules)
    url = f"unix://tenant:secret@{urlsplit(settings.REDIS_URL).path}?db=0"
    redis_memory._warn.cache_clear()
    try:
        with override_settings(REDIS_URL=url):
            connection.cache_clear()
            yield url
    finally:
        connection.cache_clear()
        owner.execute_command("ACL", "DELUSER", "tenant")


@pytest.mark.parametrize("kind", MANAGED)
def test_intake_and_the_flush_do_without_what_a_managed_redis_takes_away(
    people: list[User], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_user(*MANAGED[kind]):
        for number in range(3):
            assert take(record(f"T{number}", people[0])) == ["N"]
        assert take(record("T0", people[0])) == ["R"]
        flush()
        assert Transaction.objects.count() == 3
        assert health.look()[0] == []
        figures = {metric.name for metric in System().collect()}
    assert "transactions_accepted" in figures
    assert not {name for name in figures if "redis_memory" in name}
    warnings = [line for line in caplog.messages if "does not tell how full it is" in line]
    assert len(warnings) == 1


@pytest.mark.slow
def test_a_web_process_serves_on_such_a_redis(people: list[User]) -> None:
    with redis_user(*MANAGED["no dangerous commands"]) as url, daphne(REDIS_URL=url) as service:
        client = httpx.Client(base_url=service, trust_env=False)
        document = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
        assert client.post("/api/add-transaction/", json=document).status_code == 200
        assert client.get("/readyz").json()["problems"] == []
        figures = client.get("/metrics").text
        client.close()
    assert "transactions_accepted_total 1.0" in figures
    assert "redis_memory" not in figures


@pytest.mark.parametrize(
    ("rules", "keys", "missing"),
    [
        (["+@all", "-@scripting"], "~*", ""),
        (["+@all", "-rpush"], "~*", "rpush"),
        (["+@all", "-hincrby"], "~*", "hincrby"),
        (["+@all", "-hset"], "~*", "hset"),
        (["+@all", "-ltrim"], "~*", "ltrim"),
        (["+@all", "-unlink"], "~*", "unlink"),
        (["+@all", "-hmget"], "~*", "hmget"),
        (["+@read", "+@scripting", "+@connection"], "~*", ""),
        (["+@all"], "~other:*", ""),
        (["+@all"], "~{transactions_list}:*", ""),
    ],
)
def test_readiness_says_what_intake_is_not_let_do(
    people: list[User], rules: list[str], keys: str, missing: str
) -> None:
    """Whenever a record cannot be taken, it is not ready."""
    with redis_user(*rules, keys=keys):
        if missing != "ltrim":  # which comes once in a thousand records
            with pytest.raises(IntakeUnavailable):
                take(record("T1", people[0]))
        problem, *_ = health.look()[0]
    assert problem.startswith("Redis refuses what intake needs: ")
    assert missing in problem.lower()
    assert len(problem) < 300


def out_of_memory(settings: Settings) -> None:
    settings.REDIS_RESERVE_BYTES = 0
    connection().config_set("maxmemory", 1)


def near_its_limit(settings: Settings) -> None:
    used = connection().info("memory")["used_memory"]
    connection().config_set("maxmemory", used + settings.REDIS_RESERVE_BYTES // 2)


def full(settings: Settings) -> None:
    settings.MAX_QUEUE_LENGTH = 1
    connection().rpush(QUEUE, "waits")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (out_of_memory, "Redis is out of memory"),
        (near_its_limit, "Redis is near its memory limit"),
        (full, "the queue is full"),
    ],
)
def test_readiness_says_what_intake_refuses_for(
    people: list[User], settings: Settings, make: Callable[[Settings], None], problem: str
) -> None:
    before = str(connection().config_get("maxmemory")["maxmemory"])
    make(settings)
    try:
        with pytest.raises(IntakeUnavailable):
            take(record("T1", people[0]))
        assert fitness.hindrance() == problem
    finally:
        connection().config_set("maxmemory", before)
        connection().delete(QUEUE)
    assert fitness.hindrance() == ""


def test_out_of_memory_is_told_without_info_too(people: list[User]) -> None:
    """What Redis itself refuses is a 503 that says so."""
    before = str(connection().config_get("maxmemory")["maxmemory"])
    connection().config_set("maxmemory", 1)
    try:
        with redis_user(*MANAGED["no INFO"]):
            with pytest.raises(IntakeUnavailable, match="out of memory"):
                take(record("T1", people[0]))
            assert fitness.hindrance() == "Redis is out of memory"
    finally:
        connection().config_set("maxmemory", before)


@pytest.mark.parametrize(
    "left", [{}, {"used_memory": 1}, {"maxmemory": 1}, {"used_memory": "?", "maxmemory": 1}]
)
def test_less_of_info_is_none_of_it(left: dict[str, object]) -> None:
    assert redis_memory._memory_in(left) is None


def test_trying_leaves_nothing_behind(people: list[User]) -> None:
    take(record("T1", people[0]))
    before = {key: connection().dump(key) for key in sorted(connection().keys())}
    for _ in range(3):
        assert fitness.hindrance() == ""
    assert {key: connection().dump(key) for key in sorted(connection().keys())} == before


def test_a_redis_that_is_away_is_no_matter_of_rights() -> None:
    with redis_away():
        assert health.look()[0] == ["Redis does not answer"]
