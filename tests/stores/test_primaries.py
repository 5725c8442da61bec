"""When the primary took over is told of another server alone, and of the latest."""

from transactions.stores import primaries
from transactions.stores.redis_connection import connection

HERE, THERE = "10.0.0.1:6379", "10.0.0.2:6379"


def noted(address: str) -> float | None:
    primaries.note(connection(), address)
    return primaries.taken_over_at()


def test_the_first_took_over_from_nobody() -> None:
    assert primaries.taken_over_at() is None
    assert (noted(HERE), noted(HERE)) == (None, None)


def test_another_server_took_over_when_it_is_noted_and_one_that_is_noted_again_did_not() -> None:
    noted(HERE)
    first = noted(THERE)
    assert first is not None
    assert noted(THERE) == first


def test_a_server_that_is_the_primary_once_more_has_taken_over_anew() -> None:
    noted(HERE)
    first = noted(THERE)
    second = noted(HERE)
    assert first is not None
    assert second is not None
    assert second > first


def test_once_redis_was_emptied_the_next_one_is_noted_all_the_same() -> None:
    noted(HERE)
    noted(THERE)
    connection().flushdb()
    assert noted(THERE) is None
    assert noted(HERE) is not None


def test_a_moment_that_is_none_is_told_as_none() -> None:
    noted(HERE)
    noted(THERE)
    connection().hset(primaries.NOTED, "taken_over_at", "yesterday")
    assert primaries.taken_over_at() is None
