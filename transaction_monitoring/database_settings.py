"""What Django is told of a PostgreSQL by its URL: what the URL says goes before what is said here."""

from typing import Any

from .environment import env

# Sockets' own time-outs, in seconds and milliseconds. Nothing here goes to the server: PgBouncer refuses what
# it does not know. See transactions/stores/postgres_parameters.py.
TIME_OUTS = {
    # For each host. Of several, the next one is tried after it.
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# A machine that is gone answers nothing, and the next one waits meanwhile.
CONNECT_TIMEOUT_S_OF_SEVERAL = 3
# libpq's least.
CONNECT_TIMEOUT_S_OF_READS = 2


def configuration(url: str, *, writes: bool = True) -> dict[str, Any]:
    """The entry of DATABASES for a URL in which `server_urls` finds no fault; by some nobody `writes`."""
    told: dict[str, Any] = dict(env.db_url_config(url))
    options = told.get("OPTIONS", {})
    # An address of IPv6 is bracketed in a URL, and nowhere else.
    hosts = ",".join(host.strip("[]") for host in told.get("HOST", "").split(","))
    ours: dict[str, Any] = dict(TIME_OUTS)
    if "," in (hosts or options.get("host", "")):
        # Whichever of them is the primary by then, or is none.
        which = "read-write" if writes else "prefer-standby"
        ours |= {"connect_timeout": CONNECT_TIMEOUT_S_OF_SEVERAL, "target_session_attrs": which}
    if not writes:
        # Whoever waits for it has the primary to ask.
        ours["connect_timeout"] = CONNECT_TIMEOUT_S_OF_READS
    return told | {
        "ENGINE": "transactions.stores.postgres_engine",
        "HOST": hosts,
        # Connections that last are for threads that last: those of `serving.threads` keep theirs.
        "CONN_MAX_AGE": 0,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": ours | options,
    }
