"""The keys of the pipeline in Redis.

All are named after the queue (see `stores.hash_tag`). Accepted data never has a time to live. The keys of
what is not accepted data stand where it is kept: in `metrics`, `access.token_copies`, `access.rate_limits`.
"""

from ..stores.hash_tag import TAG, WORD

QUEUE = WORD
INDEX = f"{TAG}:index"  # hash: id -> latest accepted state, of what is in the queue
# A hash. "epoch": the name of this life of the data. "accepted": how many records were accepted in it.
# "generation": moves whenever ids are let go of. "indexes": those of batches, the newest first. "released":
# the batch let go of last. "emptying": everything is being deleted. "stored": up to which number of
# "accepted" everything is in PostgreSQL.
BOOKS = f"{TAG}:books"
FEED = f"{TAG}:feed"  # list: the latest queued records once more, for dashboards
BATCH = f"{TAG}:batch:"  # + a random name: a reserved batch, a list
BATCH_INDEX = f"{TAG}:index:"  # + the same name: the index that came with it


def index_of(batch: str) -> str:
    """The name of the index of a batch."""
    return BATCH_INDEX + batch.removeprefix(BATCH)


def batch_of(index: str) -> str:
    """The name of the batch of such an index."""
    return BATCH + index.removeprefix(BATCH_INDEX)
