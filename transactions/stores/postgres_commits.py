"""What is committed stands on a standby too, where the server waits for one; or else an error says so.

Whoever cancels a COMMIT that waits for a standby, by hand or by a time-out of their own, ends the wait and
not the transaction: it stands on this machine's disk, maybe on no other, and PostgreSQL says "success", with
a warning. What was promised on that ground would be lost with the machine. So the warning is an error here,
for whoever writes by whichever connection of ours, and what comes after a COMMIT does not come.
"""

import re
from typing import Any

import psycopg2
import psycopg2.extensions

from .postgres_hosts import let_in

# As PostgreSQL says it in English; psycopg2 hands on no code of a warning. A check
# of ours (transactions/checks.py) holds servers that have standbys to that language.
CANCELLED = re.compile("canceling (the )?wait for synchronous replication")


class NotConfirmed(psycopg2.OperationalError):
    """What was committed may stand on this machine alone: the wait for a standby was cancelled."""


class ConfirmedConnection(psycopg2.extensions.connection):
    """One whose commits raise NotConfirmed where a standby was waited for, and the wait was cancelled."""

    def __init__(self, *told: Any) -> None:
        super().__init__(*told)
        if not self.async_:
            let_in(self.info.dsn_parameters, self)

    def commit(self) -> None:
        super().commit()
        insist_on_confirmation(self)


class ConfirmedCursor(psycopg2.extensions.cursor):
    """One for statements that commit by themselves, which do so likewise."""

    def execute(self, query: Any, vars: Any = None) -> None:
        super().execute(query, vars)
        insist_on_confirmation(self.connection)

    def executemany(self, query: Any, vars_list: Any) -> None:
        super().executemany(query, vars_list)
        insist_on_confirmation(self.connection)


def insist_on_confirmation(connection: Any) -> None:
    """Raises NotConfirmed where the server has said so on this connection since it was last asked."""
    if connection.notices:
        said = "".join(connection.notices)
        connection.notices.clear()
        if CANCELLED.search(said):
            raise NotConfirmed(NotConfirmed.__doc__)
