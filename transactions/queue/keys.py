"""The keys of the pipeline in Redis.

Everything hangs under the hash tag of the queue's own name, so that it lives on one node of a
cluster. Accepted data never has a time to live.
"""

QUEUE = "transactions_list"
INDEX = "{transactions_list}:index"  # hash: id -> latest accepted state, of what is in the queue
BOOKS = "{transactions_list}:books"  # hash: epoch, accepted, generation, indexes, released, emptying, stored
FEED = "{transactions_list}:feed"  # list: the latest queued records once more, for dashboards
BATCH = "{transactions_list}:batch:"  # + a random name: a reserved batch, a list
BATCH_INDEX = "{transactions_list}:index:"  # + the same name: the index that came with it


def index_of(batch: str) -> str:
    """The name of the index of a batch."""
    return BATCH_INDEX + batch.removeprefix(BATCH)
