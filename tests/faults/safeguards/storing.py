"""Safeguards of storing: of the flush and of its chunks."""

from .mutation import Mutation

BULK = "transactions/storing/bulk_insert.py"
FLUSH = "transactions/storing/flush.py"
COMMITS = ("tests/stores/test_postgres_commits.py",)
MUTATIONS = (
    Mutation("the fence: a chunk's claim", BULK, " AND done = %(offset)s", ""),
    Mutation(
        "the lock: one flusher at a time",
        FLUSH,
        "if not session.try_lock(FLUSH_LOCK):",
        "if not session.try_lock(FLUSH_LOCK) and False:",
    ),
    Mutation("the conflict clause", BULK, "        ON CONFLICT (transaction_id) DO NOTHING\n", ""),
    Mutation("users are locked until COMMIT", BULK, " FOR KEY SHARE) payer", ") payer"),
    Mutation(
        "users are locked until COMMIT, of what is stored straight",
        BULK,
        'CHECK_USERS = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"',
        'CHECK_USERS = "SELECT 1"',
    ),
    Mutation("the queue's order, in judging", BULK, "(ORDER BY i.place)", "(ORDER BY i.ctid)"),
    Mutation("the queue's order, in storing", BULK, "ORDER BY i.place\n", "ORDER BY i.ctid\n"),
    Mutation(
        "poison is isolated",
        FLUSH,
        "except (psycopg2.DataError, psycopg2.IntegrityError) as error:\n                if len(",
        "except ZeroDivisionError as error:\n                if len(",
    ),
    Mutation(
        "a batch is let go of only when all of it is committed",
        FLUSH,
        "if _store(session, batch, report, deadline, rules):",
        "if _store(session, batch, report, deadline, rules) or True:",
    ),
    Mutation(
        "a COMMIT whose wait for a standby was cancelled is an error",
        "transactions/stores/postgres_commits.py",
        "if CANCELLED.search(said):",
        "if CANCELLED.search(said) and False:",
        COMMITS,
    ),
    Mutation(
        "what an earlier flush stored is confirmed before Redis lets go of it",
        FLUSH,
        "            if not prepared:\n",
        "            if not prepared and batch.done < (batch.length or 0):\n",
        COMMITS,
    ),
    Mutation(
        "promises are looked after",
        FLUSH,
        "        if batch.length is None:\n",
        "        if batch.length == -1:\n",
    ),
    Mutation(
        "batches are numbered as they come to be",
        FLUSH,
        ", id = nextval(pg_get_serial_sequence('{BATCHES}', 'id'))",
        "",
    ),
    Mutation(
        "of what is being stored, the newest is known",
        "transactions/storing/reserve.lua",
        "KEYS[4] .. ' ' .. (older or '')",
        "(older or '') .. ' ' .. KEYS[4]",
    ),
    Mutation(
        "a batch that is there is not overwritten",
        "transactions/storing/reserve.lua",
        " or redis.call('EXISTS', KEYS[2]) == 1",
        "",
    ),
    Mutation(
        "the generation moves with each release",
        "transactions/storing/release.lua",
        "redis.call('HINCRBY', books, 'generation', 1)\n",
        "",
    ),
)
