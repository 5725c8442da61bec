"""Files of which all is stated, and what would be posted of them."""

from collections.abc import Sequence
from typing import Any

from tests.importing.tables import EveryKey, table
from transactions.importing.mapping import Mapping
from transactions.importing.plan import Plan, plan

HEADER = ("id", "customer", "amount", "status", "when")
STATED = Mapping(
    {
        "transaction_id": "id",
        "user": "customer",
        "amount": "amount",
        "status": "status",
        "created_at": "when",
    },
    ids="column",
    users="key",
    decimals=2,
    unit="whole",
    mark=".",
    dates="iso",
    timezone="UTC",
)
WHEN = "2026-01-31 12:00:00"
AT = "2026-01-31T12:00:00Z"


def made(*rows: Sequence[str], by: Mapping = STATED, users: Any = None) -> Plan:
    return plan(table(HEADER, *rows), by, users=users or EveryKey())


def records(found: Plan) -> list[dict[str, Any] | None]:
    return [each.record for each in found.planned()]


def refusal(*cells: str, by: Mapping = STATED) -> tuple[str, str]:
    found = made(cells, by=by)
    (planned,) = found.planned()
    assert planned.record is None
    assert (found.summary.rows, found.summary.records, found.summary.refusals.total()) == (1, 0, 1)
    return planned.code, planned.reason
