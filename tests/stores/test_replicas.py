"""Which replicas have to confirm: all that count, and one that is missing counts on."""

from typing import Any

import pytest

from transactions.stores.replicas import CountedReplicas, Replication, replication_in

ONE, TWO, THREE = "10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"
GONE_S = 12.0


def told(*online: str, history: str = "first") -> Replication:
    return Replication(history, frozenset(online), in_step=frozenset(online))


def late(*names: str, also: str = ONE, history: str = "first") -> Replication:
    """These are online and have not acknowledged anything yet; the other one is well."""
    return Replication(history, frozenset({*names, also}), frozenset({also}), frozenset(names))


def of_a_full_disk(at: int) -> Replication:
    """TWO is sent a copy, is online, fails to write it down, is away, and begins again."""
    sent = Replication("first", frozenset({ONE}), frozenset({ONE}), frozenset({TWO}))
    return (sent, late(TWO), told(ONE))[at % 3]


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


@pytest.mark.parametrize("step", [0.5, 1.5], ids=["each is seen", "it is online whenever somebody looks"])
def test_one_that_copies_again_and_again_and_never_acknowledges_is_missing(step: float) -> None:
    """Its disk is full. Each time that its copy was sent it is online, and confirms nothing."""
    counted = CountedReplicas()
    seen(counted, ONE, TWO, until=100)
    # Three looks are one round of it.
    for at in range(100):
        now = 100.5 + at / 2
        counted.look(of_a_full_disk(1 if step == 1.5 else at), 2, now)
        counted.let_go("first", counted.overdue("first", GONE_S, now))
        if now <= 100.5 + GONE_S:
            assert counted.needed(2) == 2
        if now > 100.5 + GONE_S + 5:
            assert (counted.needed(2), counted.missing(now)) == (1, 0)
    # Its first acknowledgement says that it has everything.
    assert counted.look(told(ONE, TWO), 2, now + 0.5) == 2


def test_one_that_goes_on_from_where_it_was_counts_before_it_acknowledges() -> None:
    """It could replace the primary at any moment."""
    counted = CountedReplicas()
    assert pass_time(counted, ONE, until=20) == 1
    assert counted.look(late(TWO), 2, 20.5) == 2
    # And its absence is over: it would have to be away for as long again.
    assert counted.missing(20.5) == 0
    assert counted.look(told(ONE, TWO), 2, 21.5) == 2
    assert pass_time(counted, ONE, since=22, until=22 + GONE_S) == 2


def test_a_copy_that_was_begun_long_ago_says_nothing_of_one_that_comes_back() -> None:
    counted = CountedReplicas()
    for at in range(10):
        counted.look(late(TWO), 2, at / 2)
    assert counted.missing(4.5) == 1
    assert pass_time(counted, ONE, since=5, until=30) == 1
    assert counted.look(late(TWO), 2, 30.5) == 2


@pytest.mark.parametrize(("history", "at"), [("second", 5.0), ("first", 10.0)])
def test_a_copy_from_another_primary_or_before_nobody_looked_says_nothing(history: str, at: float) -> None:
    counted = CountedReplicas()
    for half in range(10):
        counted.look(late(TWO), 2, half / 2)
    assert counted.missing(4.5) == 1
    counted.look(late(TWO, history=history), 2, at)
    assert counted.missing(at) == 0


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
        ({"role": "slave", "master_replid": "a", "slave_read_only": 1}, Replication("")),
        ({"role": "master", "master_replid": "a", "connected_slaves": 0}, Replication("a")),
        (
            {
                "role": "master",
                "master_replid": "a",
                "slave0": {"ip": "10.0.0.1", "port": 6379, "state": "online", "offset": 5, "lag": 0},
                "slave1": {"ip": "10.0.0.2", "port": 6379, "state": "send_bulk", "offset": 0, "lag": 0},
                "slave2": {"ip": "10.0.0.3", "port": 6379, "state": "online", "offset": 0, "lag": 0},
            },
            Replication("a", frozenset({ONE, THREE}), frozenset({ONE}), frozenset({TWO, THREE})),
        ),
    ],
)
def test_what_a_server_says_of_its_replicas(info: dict[str, Any], read: Replication) -> None:
    """One that is still loading is not there yet; a server that follows another has none that count."""
    assert replication_in(info) == read
