"""Figures of PostgreSQL's standbys: who is the primary, who follows, and how far behind."""

from collections.abc import Iterator

import pytest
from django.db import connection as database
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from dev.waiting import wait_until
from tests.support.standing_by import PATIENCE_S, Confirming, Standby, confirming, connecting_to, standby
from transactions.stores import postgres_replication

pytestmark = pytest.mark.django_db(transaction=True)


def figures(client: Client) -> dict[str, float]:
    """The figures of PostgreSQL that /metrics shows, with their labels."""
    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    return {
        ",".join([sample.name.removeprefix("transactions_postgres_"), *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("transactions_postgres_")
    }


ALONE = {
    "primary_info,local": 1.0,
    "timeline": 1.0,
    "waits_for_standbys": 0.0,
    "standbys_online": 0.0,
    "standbys_in_step": 0.0,
    "standby_behind_seconds": 0.0,
}


@pytest.fixture
def follower(transactional_db: None) -> Iterator[Standby]:
    with standby() as server:
        server.has_caught_up()
        yield server


@pytest.fixture
def server(transactional_db: None) -> Iterator[Confirming]:
    with confirming() as server:
        yield server


def test_a_server_alone_is_the_primary_and_waits_for_nobody(client: Client) -> None:
    assert figures(client) == ALONE


def test_a_standby_that_follows_is_counted_and_one_that_confirms_too(
    client: Client, follower: Standby, server: Confirming
) -> None:
    assert figures(client) == ALONE | {
        "standbys_online": 1.0,
        "standby_behind_seconds": pytest.approx(0, abs=10),
    }
    server.wait_for_any()
    wait_until(lambda: figures(client)["standbys_in_step"] == 1, PATIENCE_S, "a standby is in step")
    assert figures(client)["waits_for_standbys"] == 1
    follower.stop()
    wait_until(lambda: figures(client)["standbys_online"] == 0, PATIENCE_S, "no standby is online")
    assert figures(client)["standbys_in_step"] == 0


def test_a_standby_that_took_over_is_seen_by_its_timeline(client: Client, follower: Standby) -> None:
    follower.promote()
    with connecting_to(follower.host):
        assert figures(client)["timeline"] == 2


def test_where_the_user_may_not_see_standbys_their_figures_are_left_out(follower: Standby) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE ROLE modest")
        cursor.execute("SET ROLE modest")
        found = postgres_replication.read()
        cursor.execute("RESET ROLE")
        cursor.execute("DROP ROLE modest")
    assert found == ("local", 1, False, None, None, None)
