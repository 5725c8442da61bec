"""Faults of PostgreSQL: killed, stopped, cut off, locked, in conflict, away, silent, poisoned."""

import signal

import pytest

from dev.waiting import wait_until
from tests.faults.conftest import Stage
from tests.faults.ledger import Sent
from tests.faults.load import pause
from transactions.stores.postgres_session import LIMITS_MS
from transactions.tables import REJECTED, TRANSACTIONS

pytestmark = pytest.mark.slow

# How long PostgreSQL is away in fault 12, in seconds.
AWAY_S = 120.0

TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
# Purpose: fails the first statements on the table with an error that PostgreSQL may give at any
# time under load; the sequence counts them, as it does not roll back.
INJECT = f"""
    CREATE SEQUENCE injected;
    CREATE FUNCTION inject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('injected') <= 4 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '%s'; END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER inject BEFORE INSERT ON {TRANSACTIONS} FOR EACH STATEMENT EXECUTE FUNCTION inject();
"""


def test_fault_10_postgresql_killed_stopped_and_sessions_ended(stage: Stage) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(300)
        system["postgres"].kill()
        load.wait(300)
        system.wait_answers(system.postgres)
        system["postgres"].send(signal.SIGQUIT)  # an immediate stop
        load.wait(300)
        system.wait_answers(system.postgres)
        for _ in range(20):
            with system.sql() as cursor:
                cursor.execute(TERMINATE)
            load.wait(50)
    stage.settle()


@pytest.mark.parametrize("forward", [True, False], ids=["after it arrived", "before it arrives"])
def test_fault_10_connection_cut_in_commit(stage: Stage, forward: bool) -> None:
    system = stage.set_up(rules=True, proxied=("postgres",))
    with stage.load() as load:
        for _ in range(6):
            load.wait(150)
            rule = system.proxies["postgres"].rule(b"COMMIT", forward=forward)
            wait_until(rule.hit.is_set, 20, "a COMMIT is in doubt")
        load.wait(200)
    stage.settle()


def test_fault_11_table_locked_past_the_time_out(stage: Stage) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(500)
        with system.sql() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {TRANSACTIONS} IN ACCESS EXCLUSIVE MODE")
            pause(LIMITS_MS["lock_timeout"] / 1000 + 3)
            cursor.execute("ROLLBACK")
        assert "lock timeout" in system.logs("worker")
        load.wait(500)
    stage.settle()


@pytest.mark.parametrize("error", ["40001", "40P01"])
def test_fault_11_conflict_between_transactions(stage: Stage, error: str) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(300)
        with system.sql() as cursor:
            cursor.execute(INJECT % error)
            wait_until(lambda: "injected" in system.logs("worker"), 20, "a flush meets the error")
        load.wait(700)
    stage.settle()


def test_fault_12_postgresql_away_under_load(stage: Stage) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(500)
        system.hold("postgres")
        refused, taken = load.statuses[503], load.acknowledged
        pause(AWAY_S)
        # Intake stays up: nobody is refused for it.
        assert load.statuses[503] == refused
        assert load.acknowledged > taken + 500
        assert system.get("/api/pipeline/")[1]["balanced"] is None
        system.release("postgres")
        load.wait(300)
    stage.settle()


def test_fault_13_postgresql_goes_silent(stage: Stage) -> None:
    system = stage.set_up(proxied=("postgres",))
    with stage.load() as load:
        load.wait(500)
        system.proxies["postgres"].silence()
        taken = load.acknowledged
        pause(15)
        assert load.acknowledged > taken + 500
        system.proxies["postgres"].heal()
        load.wait(300)
    stage.settle()


def test_fault_19_one_poison_record_among_ten_thousand(stage: Stage) -> None:
    system = stage.set_up()
    system.hold("worker")
    with system.sql() as cursor:
        cursor.execute("SELECT max(id) FROM auth_user")
        doomed = cursor.fetchone()[0]
        records = [Sent(f"T{n}", 1 + n % 40, n, "PENDING") for n in range(9_999)]
        records.insert(stage.seed % 9_999, Sent("POISON", doomed, 1, "PENDING"))
        assert stage.post(*records) == 200
        cursor.execute("DELETE FROM auth_user WHERE id = %s", (doomed,))
        system.release("worker")
        verdict = stage.settle()
        assert (verdict.stored, verdict.rejected) == (9_999, 1)
        cursor.execute(f"SELECT transaction_id, reason FROM {REJECTED}")
        assert cursor.fetchall() == [("POISON", f"user {doomed} does not exist")]
