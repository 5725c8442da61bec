"""A password or a master's name that is wrong is told as that, and never shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.test import override_settings

from dev.ports import free_port
from dev.trio import IN_A_URL, OF_SENTINELS, Member, Trio
from transaction_monitoring.observability import health
from transactions.stores import redis_faults, sentinel_url, sentinels
from transactions.stores.redis_connection import connection
from transactions.system import conditions, reading
from transactions.system.parts import PartState, condition_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Member]:
    """A sentinel with a password, which watches nobody that is there."""
    member = Member(
        tmp_path / "closed", OF_SENTINELS + 'requirepass "{password}"\n', master="nobody", primary=free_port()
    )
    member.start()
    yield member
    member.kill()


def fault_of(url: str) -> str:
    with override_settings(REDIS_URL=url):
        connection.cache_clear()
        try:
            with pytest.raises(redis.RedisError) as refused:
                connection().ping()
            return redis_faults.fault(refused.value)
        finally:
            connection.cache_clear()


def test_a_wrong_masters_name_is_told_by_the_sentinels_that_were_asked(three: Trio) -> None:
    told = "3 of 3 sentinels know no master of the name “nobody”, which REDIS_URL has"
    assert fault_of(three.url.replace("payments", "nobody")) == told


def test_a_wrong_password_of_the_servers_is_told(three: Trio) -> None:
    told = "Redis refuses the user or the password of REDIS_URL"
    assert fault_of(three.url.replace(IN_A_URL, "wrong")) == told
    assert fault_of(three.primary_url.replace(IN_A_URL, "wrong")) == told
    assert fault_of(three.primary_url.replace(f":{IN_A_URL}@", "")) == told


def test_a_password_that_sentinels_refuse_is_told(closed: Member) -> None:
    told = "1 of 1 sentinels refuse the password of REDIS_URL"
    assert fault_of(f"sentinel://:wrong@127.0.0.1:{closed.port}/nobody") == told
    assert fault_of(f"sentinel://127.0.0.1:{closed.port}/nobody") == told


def test_sentinels_that_all_are_silent_are_told(three: Trio) -> None:
    assert (
        fault_of(f"sentinel://127.0.0.1:{free_port()}/payments") == "none of 1 sentinels in REDIS_URL answers"
    )


def test_a_redis_that_is_away_and_a_failover_are_no_fault_of_the_settings(three: Trio) -> None:
    assert fault_of("redis://127.0.0.1:1/0") == ""
    url = sentinel_url.read(three.url)
    assert url is not None
    assert sentinels.fault(url) == ""


def test_readiness_health_and_the_alarm_name_it_and_show_no_password(three: Trio) -> None:
    with override_settings(REDIS_URL=three.url.replace(IN_A_URL, "a-secret")):
        connection.cache_clear()
        problems, _ = health.look()
        found = condition_of(reading.read()).gravest
        alarm = conditions.seen()["redis"]
    connection.cache_clear()
    told = "Redis refuses the user or the password of REDIS_URL"
    assert problems == [told]
    assert (found.name, found.state, found.brief) == ("redis", PartState.ILL, "Redis cannot be asked")
    assert found.cause == f"{told}. No transaction is accepted, and none is stored."
    assert "Put REDIS_URL right" in found.advice.text
    assert alarm == f"Redis does not answer: {told}."
    assert "a-secret" not in found.cause + alarm
