"""Could a record be accepted now? Asked by readiness, which a PING would tell too little."""

import redis.exceptions
from django.conf import settings

from ..queue.keys import BOOKS, FEED, INDEX, QUEUE
from ..stores.confirmation import Unconfirmed, run_confirmed
from ..stores.redis_connection import reader
from ..stores.redis_memory import memory
from ..stores.scripts import lua

TRY_OUT = lua(__file__, "try_out")
# Nothing is in them but while the script runs.
OWN = ("{transactions_list}:try_out:hash", "{transactions_list}:try_out:list")


# How the sentence begins that says so of replicas.
TOO_FEW_DISKS = "it is on too few disks"


def hindrance() -> str:
    """Why intake would refuse every record now, "" where it would not. Raises redis.RedisError."""
    try:
        length = int(run_confirmed(TRY_OUT, [QUEUE, INDEX, BOOKS, FEED, *OWN], client=reader()))
    except redis.exceptions.OutOfMemoryError:
        return "Redis is out of memory"
    except Unconfirmed as error:
        return f"{TOO_FEW_DISKS}: {error}"
    except redis.ResponseError as error:
        return f"Redis refuses what intake needs: {error}"
    if length >= settings.MAX_QUEUE_LENGTH:
        return "the queue is full"
    known = memory(reader())
    if known is not None and known.near(settings.REDIS_RESERVE_BYTES):
        return "Redis is near its memory limit"
    return ""
