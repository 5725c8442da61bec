"""Which replicas have to confirm: all that count, and one that is missing counts on."""

from typing import Any

import pytest

from transactions.stores.replicas import CountedReplicas, Replication, replication_in

ONE, TWO, THREE = "10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"
GONE_S = 12.0


def told(*online: str, history: str = "first") -> Replication:
    return Replication(history, frozenset(online))


def seen(counted: CountedReplicas, *online: str, until: float, since: float = 0.0) -> int:
    """Looks twice a second, as the lookout does; how many have to confirm in the end."""
    now, needed = since, 0
    while now <= until:
        needed = counted.look(told(*online), 2, now)
        now += 0.5
    return needed


def pass_time(counted: CountedReplicas, *online: str, until: float, since: float = 0.0) -> int:
    """The same where the sentinels name this primary: those that are overdue are let go."""
    now, needed = since, 0
    while now <= until:
        counted.look(told(*online), 2, now)
        counted.let_go("first", counted.overdue("first", GONE_S, now))
        needed = counted.needed(2)
        now += 0.5
    return needed


def test_before_anything_is_seen_as_many_have_to_confirm_as_there_should_be() -> None:
    assert CountedReplicas().needed(2) == 2


def test_every_one_that_is_online_has_to_confirm_also_beyond_those_that_there_should_be() -> None:
    counted = CountedReplicas()
    assert counted.look(told(ONE, TWO), 2, 0.0) == 2
    assert counted.look(told(ONE, TWO, THREE), 2, 0.5) == 3


def test_one_that_was_never_seen_counts_until_it_is_let_go() -> None:
    counted = CountedReplicas()
    assert pass_time(counted, ONE, until=GONE_S) == 2
    assert pass_time(counted, ONE, since=GONE_S + 0.5, until=GONE_S + 1) == 1


def test_one_that_left_counts_until_it_is_let_go() -> None:
    counted = CountedReplicas()
    seen(counted, ONE, TWO, until=100)
    assert pass_time(counted, ONE, since=100.5, until=100.5 + GONE_S) == 2
    assert pass_time(counted, ONE, since=101 + GONE_S, until=101 + GONE_S) == 1


def test_none_is_let_go_by_time_alone() -> None:
    counted = CountedReplicas()
    seen(counted, ONE, TWO, until=100)
    assert seen(counted, ONE, since=100.5, until=1000) == 2
    assert counted.overdue("first", GONE_S, 1000.0) == {TWO: 100.5}


def test_time_in_which_nobody_looked_does_not_count() -> None:
    """The primary may have been frozen, and another have taken its place: here the wait begins anew."""
    counted = CountedReplicas()
    seen(counted, ONE, TWO, until=100)
    seen(counted, ONE, since=100.5, until=103)
    assert pass_time(counted, ONE, since=123, until=123 + GONE_S) == 2
    assert pass_time(counted, ONE, since=123.5 + GONE_S, until=123.5 + GONE_S) == 1


def test_one_that_comes_back_is_asked_again_and_its_absence_counts_from_its_beginning() -> None:
    counted = CountedReplicas()
    assert pass_time(counted, ONE, until=20) == 1
    assert counted.look(told(ONE, TWO), 2, 20.5) == 2
    assert pass_time(counted, ONE, since=21, until=21 + GONE_S) == 2


def test_another_in_place_of_one_that_left_does_not_make_up_for_it() -> None:
    """By number two confirm, and the one that was promoted meanwhile is not among them."""
    counted = CountedReplicas()
    seen(counted, ONE, TWO, until=100)
    assert counted.look(told(ONE, THREE), 2, 100.5) == 3


def test_one_that_came_back_in_the_meantime_is_not_let_go() -> None:
    counted = CountedReplicas()
    seen(counted, ONE, TWO, until=1)
    seen(counted, ONE, since=1.5, until=20)
    gone = counted.overdue("first", GONE_S, 20.0)
    counted.look(told(ONE, TWO), 2, 20.5)
    counted.look(told(ONE), 2, 21.0)
    counted.let_go("first", gone)
    assert counted.needed(2) == 2


def test_of_another_primary_nothing_is_known_yet() -> None:
    counted = CountedReplicas()
    assert pass_time(counted, ONE, until=20) == 1
    assert counted.look(told(TWO, history="second"), 2, 20.5) == 2
    assert counted.overdue("first", GONE_S, 1000.0) == {}
    counted.let_go("first", {TWO: 20.5})
    assert counted.needed(2) == 2


def test_one_has_to_confirm_where_all_are_let_go() -> None:
    counted = CountedReplicas()
    assert pass_time(counted, until=100) == 1
    assert counted.missing(100.0) == 1


def test_those_that_are_missing_are_told_as_long_as_it_was_looked_a_moment_ago() -> None:
    counted = CountedReplicas()
    assert counted.missing(0.0) == 0
    counted.look(told(ONE), 2, 10.0)
    assert counted.missing(10.5) == 1
    assert counted.missing(15.0) == 0


@pytest.mark.parametrize(
    ("info", "read"),
    [
        ({"role": "slave", "master_replid": "a", "slave_read_only": 1}, Replication("", frozenset())),
        ({"role": "master", "master_replid": "a", "connected_slaves": 0}, Replication("a", frozenset())),
        (
            {
                "role": "master",
                "master_replid": "a",
                "slave0": {"ip": "10.0.0.1", "port": 6379, "state": "online", "offset": 5, "lag": 0},
                "slave1": {"ip": "10.0.0.2", "port": 6379, "state": "send_bulk", "offset": 0, "lag": 0},
            },
            Replication("a", frozenset({ONE})),
        ),
    ],
)
def test_what_a_server_says_of_its_replicas(info: dict[str, Any], read: Replication) -> None:
    """One that is still loading is not there yet; a server that follows another has none that count."""
    assert replication_in(info) == read
