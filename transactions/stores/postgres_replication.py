"""Which PostgreSQL is the primary, and who follows it: for figures of whoever watches."""

from typing import NamedTuple

from django.db import connection

# Purpose: the server that takes writes, by the address at which it is reached (none of a socket); its
# timeline, which counts how often a standby has taken over; whether commits wait for standbys; how many
# follow, how many of them commits wait for, and by how many seconds the last one is behind. A user without
# pg_read_all_stats sees of those that follow that they are there. A base backup is none of them.
SELECT_REPLICATION = """
    SELECT coalesce(host(inet_server_addr()), 'local'),
           CASE WHEN NOT pg_is_in_recovery()
                THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
           current_setting('synchronous_standby_names') <> '',
           count(*) FILTER (WHERE state = 'streaming'),
           count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')),
           coalesce(extract(epoch FROM max(replay_lag)), 0),
           count(*) = count(state)
      FROM pg_stat_replication
"""


class Standbys(NamedTuple):
    """What the primary says; of standbys None where our user may not see how they do.

    `online`: standbys that follow. `in_step`: those of them that commits wait for. `behind_s`: of the last.
    """

    primary: str
    timeline: int | None
    waits: bool
    online: int | None
    in_step: int | None
    behind_s: float | None


def read() -> Standbys:
    """Asks. Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_REPLICATION)
        primary, timeline, waits, online, in_step, behind_s, visible = cursor.fetchone()
    if not visible:
        return Standbys(primary, timeline, waits, None, None, None)
    return Standbys(primary, timeline, waits, online, in_step, float(behind_s))
