"""How much of the database a statement reads."""

from typing import Any


def pages_read(cursor: Any, statement: str, values: Any) -> int:
    """The pages of tables and indexes that PostgreSQL looks at while it executes the statement."""
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values)
    ((plan,),) = cursor.fetchone()
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
