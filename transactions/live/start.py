"""Where a page that was just opened begins in the feed: a little back, so that it has something to show."""

from typing import NamedTuple

from ..queue.keys import BOOKS
from ..stores import hash_numbers
from ..stores.redis_connection import reader, text
from .feed import FEED_RECORDS

# Records that a page shows at first.
FIRST_RECORDS = 100
# Records among which it looks for them with a filter. The newer half of the feed: the oldest may have
# left it by the time that the page has connected.
FIRST_RECORDS_FILTERED = FEED_RECORDS // 2


class Start(NamedTuple):
    """The epoch ("" before the first record), and the numbers after which to begin in it."""

    epoch: str
    since: int
    since_filtered: int


def start() -> Start:
    """Where to begin now. Raises redis.RedisError."""
    epoch, accepted = reader().hmget(BOOKS, "epoch", "accepted")
    last = hash_numbers.whole(BOOKS, "accepted", accepted) or 0
    return Start(text(epoch), max(last - FIRST_RECORDS, 0), max(last - FIRST_RECORDS_FILTERED, 0))
