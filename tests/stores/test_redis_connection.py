"""A client of Redis is closed, and nobody's answer is lost over it."""

import asyncio
import time

from transactions.stores.redis_connection import close, intake_connection


def test_a_machine_that_stands_still_while_a_client_is_closed_is_no_error() -> None:
    """redis-py says that closing took longer than connecting may: an acknowledged request became a 500."""

    async def close_on_a_machine_that_stands_still() -> None:
        client = intake_connection()
        await client.ping()
        client.connection_pool._available_connections[0].socket_connect_timeout = 0.05
        closing = asyncio.create_task(close(client))
        while not closing.done():
            asyncio.get_running_loop().call_soon(time.sleep, 0.1)
            await asyncio.sleep(0)
        await closing

    asyncio.run(close_on_a_machine_that_stands_still())
