"""What is wrong with how Redis is asked, which waiting does not mend: a password, or a master's name."""

import redis
import redis.sentinel
from django.conf import settings

from . import sentinel_url, sentinels


def fault(error: redis.RedisError) -> str:
    """What somebody has to put right, without the password; "" of a Redis that just does not answer.

    Asks the sentinels, if any, where none of them has named a primary: half a second, or somewhat more.
    """
    if sentinels.is_refused(error):
        return "Redis refuses the user or the password of REDIS_URL"
    url = sentinel_url.read(settings.REDIS_URL)
    if url is None or not isinstance(error, redis.sentinel.MasterNotFoundError):
        return ""
    return sentinels.fault(url)
