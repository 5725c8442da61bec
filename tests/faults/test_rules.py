"""Faults of rules: one that raises, one that takes for ever, and tables that somebody locks."""

from typing import Any

import pytest

from dev.waiting import wait_until
from tests.faults.conftest import Stage
from tests.faults.system import System
from transactions.alerts.models import Alert
from transactions.rules.models import Debt, Hit, Version
from transactions.tables import TRANSACTIONS

pytestmark = pytest.mark.slow

HIT, ALERT, DEBT, VERSION = (model._meta.db_table for model in (Hit, Alert, Debt, Version))

# A flush ends within this, in seconds, whatever rules do. Without a fault it is a second.
FLUSHED_S = 15.0

# Purpose: one version's hits cannot be written, another's take for ever.
BREAK = f"""
    CREATE FUNCTION break_rules() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.version_id = (SELECT id FROM {VERSION} WHERE kind = 'velocity_count') THEN
            RAISE EXCEPTION 'broken';
        ELSIF NEW.version_id = (SELECT id FROM {VERSION} WHERE kind = 'failure_burst') THEN
            PERFORM pg_sleep(60);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER break_rules BEFORE INSERT ON {HIT} FOR EACH ROW EXECUTE FUNCTION break_rules();
"""
MEND = f"DROP TRIGGER break_rules ON {HIT}"
SELECT_FAILING = f"""
    SELECT v.kind FROM {DEBT} d JOIN {VERSION} v ON v.id = d.version_id WHERE d.error <> '' GROUP BY v.kind
"""


def test_fault_24_rules_that_raise_and_that_take_for_ever(stage: Stage) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(300)
        with system.sql() as cursor:
            cursor.execute(BREAK)
            wait_until(lambda: _failing(cursor) == {"failure_burst", "velocity_count"}, 30, "both fail")
        load.wait(300)
        _stores_on(system, load)
        assert any("broken" in problem for problem in system.get("/readyz")[1]["problems"])
        with system.sql() as cursor:
            cursor.execute(MEND)
        load.wait(300)
    stage.settle()
    assert system.get("/readyz")[1]["problems"] == []


@pytest.mark.parametrize("tables", [f"{HIT}, {ALERT}", VERSION], ids=["of hits and alerts", "of versions"])
def test_fault_24_tables_of_rules_are_locked(stage: Stage, tables: str) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(300)
        with system.sql() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            load.wait(300)
            _stores_on(system, load)
            cursor.execute("ROLLBACK")
        load.wait(300)
    stage.settle()


def _failing(cursor: Any) -> set[str]:
    cursor.execute(SELECT_FAILING)
    return {kind for (kind,) in cursor.fetchall()}


def _stores_on(system: System, load: Any) -> None:
    """What is acknowledged is stored soon, again and again."""
    for _ in range(3):
        before = _stored(system)
        load.wait(100)
        wait_until(lambda: _stored(system) > before, FLUSHED_S, "a flush has stored something")  # noqa: B023


def _stored(system: System) -> int:
    """Asked past the application."""
    with system.sql() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TRANSACTIONS}")
        return int(cursor.fetchone()[0])
