"""Safeguards that show in real processes and servers alone."""

from .mutation import Mutation, fault

MUTATIONS = (
    Mutation(
        "a write is sent once",
        "transactions/stores/redis_connection.py",
        "once, bounds = AsyncRetry(NoBackoff(), 0)",
        "once, bounds = AsyncRetry(NoBackoff(), 3)",
        fault("fault_09 and dropped"),
    ),
    Mutation(
        "an idle session loses the lock",
        "transactions/stores/postgres_session.py",
        '"idle_session_timeout": 30_000',
        '"idle_session_timeout": 90_000',
        fault("fault_04 and after_promise"),
    ),
    Mutation(
        "an idle transaction loses the lock",
        "transactions/stores/postgres_session.py",
        '"idle_in_transaction_session_timeout": 10_000',
        '"idle_in_transaction_session_timeout": 90_000',
        fault("fault_04 and amid_insert"),
    ),
    Mutation(
        "the worker's own ticks",
        "transactions/tasks.py",
        "        watchdog.start_clock()",
        "        pass",
        fault("fault_06"),
    ),
    Mutation(
        "bounds on bodies",
        "transaction_monitoring/asgi.py",
        "(connections, request_heads, body_limits, websocket_frames",
        "(connections, request_heads, websocket_frames",
        fault("fault_18"),
    ),
    Mutation(
        "on the disk before the answer",
        "dev/servers.py",
        '"appendfsync": "always"',
        '"appendfsync": "everysec"',
        ("tests/operating/test_private_servers.py",),
    ),
)
