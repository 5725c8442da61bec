"""Safeguards of a Redis that has replicas: what is promised is confirmed, by all that count."""

from .mutation import Mutation

CONFIRMATION = "transactions/stores/confirmation.py"
REPLICAS = "transactions/stores/replicas.py"
EPOCHS = "transactions/books/epochs.py"
FLUSH = "transactions/storing/flush.py"
RULE = ("tests/stores/test_replicas.py",)
CONFIRMED = "tests/stores/test_confirmation.py"
ACCEPTED = "tests/intake/test_confirmed.py"
FLUSHED = "tests/storing/test_confirmed.py"


def of(file: str, words: str) -> tuple[str, ...]:
    """Of tests that need three servers, those that are to notice."""
    return (file, "-k", words)


MUTATIONS = (
    Mutation(
        "WAIT before WAITAOF",
        CONFIRMATION,
        'pipeline.execute_command("WAIT", asked, settings.REPLICA_TIMEOUT_MS),\n',
        'pipeline.execute_command("ECHO", 2),\n',
        of(CONFIRMED, "no_time"),
    ),
    Mutation(
        "WAITAOF: disks are waited for",
        CONFIRMATION,
        '"WAITAOF", 1, asked, settings',
        '"WAITAOF", 0, 0, settings',
        of(CONFIRMED, "no_time or one_replica"),
    ),
    Mutation(
        "every replica that counts confirms",
        CONFIRMATION,
        "self.confirmed >= self.needed",
        "self.confirmed >= 1",
        of(CONFIRMED, "one_replica"),
    ),
    Mutation(
        "a read is confirmed by a write",
        CONFIRMATION,
        "(add(pipeline), _write(pipeline))",
        "(add(pipeline), pipeline.ping())",
        of(CONFIRMED, "read_is_confirmed_by"),
    ),
    Mutation(
        "the write behind a read is one that the memory limit allows",
        "transactions/stores/confirm.lua",
        "redis.call('UNLINK', KEYS[1])\n",
        "",
        of(CONFIRMED, "memory_limit"),
    ),
    Mutation("never none", REPLICAS, "max(1, len(self._missing_since))", "len(self._missing_since)", RULE),
    Mutation(
        "one that is missing counts until it has been gone for long",
        REPLICAS,
        "since is not None and now - since > gone_s",
        "since is not None",
        RULE,
    ),
    Mutation(
        "time that nobody saw does not count", REPLICAS, "since is None or unseen", "since is None", RULE
    ),
    Mutation(
        "another does not make up for one that left",
        REPLICAS,
        "        self._missing_since[name] = None\n\n    def",
        "        for known, since in list(self._missing_since.items()):\n"
        "            if since is not None:\n"
        "                del self._missing_since[known]\n"
        "        self._missing_since[name] = None\n\n    def",
        RULE,
    ),
    Mutation(
        "of another primary's replicas nothing is known",
        REPLICAS,
        "if told.history != self._history:",
        "if not self._history:",
        RULE,
    ),
    Mutation(
        "a majority of the sentinels names this very primary",
        "transactions/stores/lookout.py",
        'if gone and named.is_this(info["run_id"]):',
        "if gone:",
        of(CONFIRMED, "majority"),
    ),
    Mutation(
        "a majority, and not any",
        "transactions/stores/sentinels.py",
        "return named >= self._url.majority",
        "return named >= 1",
        of(CONFIRMED, "majority"),
    ),
    Mutation(
        "sentinels are asked once, and for half a second",
        "transactions/stores/sentinels.py",
        '"retry": Retry(NoBackoff(), 0)}',
        "}",
        of("tests/stores/test_sentinels.py", "silent_cost"),
    ),
    Mutation(
        "intake confirms",
        "transactions/intake/ingest.py",
        "        if confirmation.is_asked_for():\n",
        "        if False:\n",
        of(ACCEPTED, "cut_from"),
    ),
    Mutation(
        "a replay is confirmed by a write of its own",
        "transactions/intake/accept.lua",
        "if ARGV[7] == '1' and #pushes < count then",
        "if false then",
        of(ACCEPTED, "replay_is_confirmed"),
    ),
    Mutation(
        "nothing is written where it cannot be confirmed",
        "transactions/intake/ingest.py",
        "        if confirmation.lacking():\n",
        "        if False:\n",
        of(ACCEPTED, "known_to_be_missing"),
    ),
    Mutation(
        "a batch is confirmed before its length is noted",
        FLUSH,
        "length = int(confirmed(lambda pipeline: pipeline.llen(batch.name))[0])",
        "length = int(connection().llen(batch.name))",
        of(FLUSHED, "no_length"),
    ),
    Mutation(
        "a release is confirmed before it is noted",
        FLUSH,
        "    run_confirmed(RELEASE, [",
        "    connection().register_script(RELEASE)([",
        of(FLUSHED, "a_release"),
    ),
    Mutation(
        "an epoch is confirmed as it is read",
        EPOCHS,
        """    (told,) = confirmed(
        lambda pipeline: pipeline.hmget(BOOKS, "epoch", "released", "emptying", "accepted", "generation")
    )
""",
        """    told = connection().hmget(BOOKS, "epoch", "released", "emptying", "accepted", "generation")
""",
        of(FLUSHED, "for_an_epoch"),
    ),
    Mutation(
        "a count is confirmed before it is noted",
        EPOCHS,
        '    (told,) = confirmed(lambda pipeline: pipeline.hget(BOOKS, "accepted"))\n',
        '    told = connection().hget(BOOKS, "accepted")\n',
        of(FLUSHED, "no_count"),
    ),
    Mutation(
        "new books are confirmed",
        EPOCHS,
        "            run_confirmed(REOPEN, [",
        "            connection().register_script(REOPEN)([",
        of(FLUSHED, "for_good"),
    ),
    Mutation(
        "batches that go into new books are confirmed",
        EPOCHS,
        "confirmed(lambda pipeline: [pipeline.llen(batch) for batch in batches]) if batches else []",
        "[connection().llen(batch) for batch in batches]",
        of(FLUSHED, "goes_into_new_books"),
    ),
    Mutation(
        "a wipe is confirmed before PostgreSQL is emptied",
        EPOCHS,
        "        run_confirmed(WIPE, keys, [epoch])\n",
        "        connection().register_script(WIPE)(keys, [epoch])\n",
        of(FLUSHED, "is_not_emptied"),
    ),
    Mutation(
        "a token's revocation is confirmed",
        "transactions/access/token_copies.py",
        "lambda: confirmed(mark))",
        "lambda: (p := connection().pipeline(transaction=False), mark(p), p.execute()))",
        of("tests/access/test_token_copies.py", "too_few"),
    ),
)
