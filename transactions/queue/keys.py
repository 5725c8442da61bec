"""The keys of the pipeline in Redis.

All have the queue's name in braces: by this hash tag a cluster keeps them on one node, where a script may
use all of them. Accepted data never has a time to live.
"""

QUEUE = "transactions_list"
INDEX = "{transactions_list}:index"  # hash: id -> latest accepted state, of what is in the queue
# A hash. "epoch": the name of this life of the data. "accepted": how many records were accepted in it.
# "generation": moves whenever ids are let go of. "indexes": those of batches, the newest first. "released":
# the batch let go of last. "emptying": everything is being deleted. "stored": up to which number of
# "accepted" everything is in PostgreSQL.
BOOKS = "{transactions_list}:books"
FEED = "{transactions_list}:feed"  # list: the latest queued records once more, for dashboards
BATCH = "{transactions_list}:batch:"  # + a random name: a reserved batch, a list
BATCH_INDEX = "{transactions_list}:index:"  # + the same name: the index that came with it


def index_of(batch: str) -> str:
    """The name of the index of a batch."""
    return BATCH_INDEX + batch.removeprefix(BATCH)
