"""Fault 23: takes out one safeguard at a time and shows that the tests notice.

    python -m tests.faults.mutations [WORD]   (only those whose name contains WORD)

Each mutation is an exact replacement in a scratch copy of the tree; a text that is no longer there
is an error, so that this list keeps up with the code. The status is 1 if a mutation survives.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FAST = (
    "tests/storing/test_safeguards.py",
    "tests/intake/test_safeguards.py",
    "tests/queue/test_waiting.py",
    "tests/storing/test_flush.py",
    "tests/intake/test_ingest.py",
    "tests/books/test_balance.py",
)
FAULTS = "tests/faults"
LEFT_OUT = (".git", ".venv", ".local", "__pycache__", ".*_cache", ".hypothesis", "staticfiles")
# Two at a time: most of a run is waiting.
AT_ONCE = 2
RUN_S_MAX = 400


class Mutation(NamedTuple):
    """A safeguard, where it stands, what it is replaced by, and the tests that are to notice.

    `tests` are pytest's arguments; none means the fast suite.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = FAST


def fault(words: str) -> tuple[str, ...]:
    return (FAULTS, "-k", words)


ACCEPT = "transactions/intake/accept.lua"
BULK = "transactions/storing/bulk_insert.py"
EPOCHS = "transactions/books/epochs.py"
FLUSH = "transactions/storing/flush.py"
INGEST = "transactions/intake/ingest.py"
GATE = "transactions/rules/gate.py"
SWEEP = "transactions/rules/kinds/windowed.py"
DELIVERY = "transactions/notifications/delivery.py"
TOLD = (
    "tests/notifications/test_outbox.py",
    "tests/notifications/test_delivery.py",
    "tests/notifications/test_turns.py",
    "tests/notifications/test_sent_by_hand.py",
    "tests/notifications/test_secrets.py",
    "tests/notifications/test_sending.py",
)
TRIAGE = ("tests/alerts", "tests/review")
RULES = (
    "tests/rules/test_gate.py",
    "tests/rules/test_documented_examples.py",
    "tests/rules/test_live.py",
    "tests/rules/test_crashes.py",
    "tests/rules/test_lifecycle.py",
    "tests/rules/test_debts.py",
    "tests/rules/test_clock.py",
    "tests/rules/test_ended.py",
    "tests/rules/test_keeping.py",
    "tests/rules/test_contract.py",
)
REMOVALS = "transactions/migrations/0008_removals.py"
REMOVED = ("tests/books/test_removed.py",)
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
    Mutation("the queue's order, in judging", BULK, "(ORDER BY i.place)", "(ORDER BY i.ctid)"),
    Mutation("the queue's order, in storing", BULK, "ORDER BY i.place\n", "ORDER BY i.ctid\n"),
    Mutation(
        "poison is isolated",
        FLUSH,
        "except (psycopg2.DataError, psycopg2.IntegrityError) as error:",
        "except ZeroDivisionError as error:",
    ),
    Mutation(
        "a batch is let go of only when all of it is committed",
        FLUSH,
        "if _store(session, batch, report, deadline, rules):",
        "if _store(session, batch, report, deadline, rules) or True:",
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
        "what is being stored stays known",
        ACCEPT,
        "string.gmatch(head[5] or '', '%S+')",
        "string.gmatch('', '%S+')",
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
    Mutation(
        "the generation of look-ups",
        ACCEPT,
        "if looked_up ~= '' and looked_up ~= generation then",
        "if false then",
    ),
    Mutation("all or none", ACCEPT, "if atomic and #conflicts > 0 then", "if false then"),
    Mutation("types before the first write", ACCEPT, "if wrong then return wrong end\n", ""),
    Mutation("the longest queue", ACCEPT, "+ #pushes > longest then", "+ #pushes > longest * 1000 then"),
    Mutation(
        "an unstated time stays unstated",
        ACCEPT,
        "was_created, accepted_at, request_id}",
        "happened, accepted_at, request_id}",
    ),
    Mutation("the reserve below Redis' limit", INGEST, "if self._memory_full:", "if False:"),
    Mutation(
        "scripts that Redis forgot",
        INGEST,
        "await self._script(KEYS, arguments)",
        "await self._redis.evalsha(self._script.sha, len(KEYS), *KEYS, *arguments)",
    ),
    Mutation(
        "the shield: the stages belong to nobody",
        INGEST,
        "        return await answer\n",
        "        await self._asking\n        return await answer\n",
    ),
    Mutation(
        "a write is sent once",
        "transactions/stores/redis_connection.py",
        "retry=AsyncRetry(NoBackoff(), 0)",
        "retry=AsyncRetry(NoBackoff(), 3)",
        fault("fault_09 and dropped"),
    ),
    Mutation("data that went back in time", EPOCHS, " and int(accepted or 0) >= seen and latest", ""),
    Mutation("no alarm before the first release", EPOCHS, " OR NOT coalesce(bool_or(released), false)", ""),
    Mutation("what is removed is counted", REMOVALS, "CASE WHEN is_old THEN 0 ELSE rows END", "0", REMOVED),
    Mutation(
        "what is pruned is told from what is removed",
        REMOVALS,
        "current_setting('transactions.keep_rollups', true) = 'on'",
        "false",
        REMOVED,
    ),
    Mutation(
        "an emptied table is counted",
        REMOVALS,
        '        trigger("truncate", AFTER_TRUNCATE),\n',
        "",
        REMOVED,
    ),
    Mutation(
        "a removal is counted once",
        EPOCHS,
        "DELETE FROM {REMOVALS} WHERE EXISTS (SELECT FROM open) RETURNING removed, pruned",
        "SELECT removed, pruned FROM {REMOVALS}",
        REMOVED,
    ),
    Mutation(
        "what was removed is in the books that were open then",
        EPOCHS,
        "        rules.empty(cursor)\n        cursor.execute(COUNT_REMOVALS)\n",
        "        rules.empty(cursor)\n",
        REMOVED,
    ),
    Mutation(
        "what leaves the table does not hide the balance",
        "transactions/books/balance.py",
        "self._replace(table=other.table) == other",
        "self == other",
        REMOVED,
    ),
    Mutation(
        "what was removed before is reckoned",
        "transactions/migrations/0009_removed_before.py",
        "known.stored - known.removed - rollups.rows,",
        "0,",
        REMOVED,
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
        "a rule that fails is rolled back alone",
        "transactions/rules/evaluation.py",
        '    cursor.execute("SAVEPOINT rule")\n',
        "",
        RULES,
    ),
    Mutation(
        "after the rules a flush waits as long as before",
        "transactions/rules/live.py",
        "{limits_again('lock_timeout')}; {END}",
        "{END}",
        RULES,
    ),
    Mutation("a hit is raised once", "transactions/rules/evaluation.py", "{EACH_ONCE}", "", RULES),
    Mutation("a debt's cursor", "transactions/rules/debts.py", "first=end + 1", "first=end + 2", RULES),
    Mutation(
        "a debt's cursor within a user",
        "transactions/rules/debts.py",
        "debt._replace(after_user=user, after_id=id)",
        "debt._replace(after_user=user, after_id=2**62)",
        RULES,
    ),
    Mutation(
        "what joins a debt may have happened before it",
        "transactions/rules/debts.py",
        "earliest = least(earliest, %(earliest)s)",
        "earliest = earliest",
        RULES,
    ),
    Mutation(
        "a range does not join one whose slices have begun",
        "transactions/rules/debts.py",
        "last_id < %(first)s AND after_user IS NULL",
        "last_id < %(first)s",
        RULES,
    ),
    Mutation(
        "what a version owes of a debt of all is paid after that",
        "transactions/rules/debts.py",
        "       AND NOT EXISTS (SELECT FROM {DEBT} a WHERE a.id = d.split_from)\n",
        "",
        RULES,
    ),
    Mutation(
        "slices do not grow into what would fail",
        "transactions/rules/debts.py",
        "2 * max(findings.seconds.values(), default=0.0) <= bound_s",
        "True",
        RULES,
    ),
    Mutation(
        "of a long backlog nothing is judged at once",
        "transactions/rules/live.py",
        "0 if backlog else CHUNKS_AT_ONCE",
        "CHUNKS_AT_ONCE",
        RULES,
    ),
    Mutation(
        "a debt's cursor moves with its hits",
        "transactions/rules/debts.py",
        "cursor.execute(DELETE, (debt.id,))",
        "pass",
        RULES,
    ),
    Mutation(
        "a debt's cursor by users",
        "transactions/rules/debts.py",
        "debt._replace(after_user=last)",
        "debt._replace(after_user=last + 1)",
        RULES,
    ),
    Mutation(
        "what is owed is judged under the lock of rules",
        "transactions/rules/debts.py",
        "    if not share(cursor):\n        return None\n",
        "",
        RULES,
    ),
    Mutation(
        "an alert counts a transaction once",
        "transactions/rules/evaluation.py",
        "o.id <> v.id",
        "false",
        RULES,
    ),
    Mutation(
        "the gate counts the bucket before",
        GATE,
        'THEN {_sum(f"k.{name}_{what}", f"k.{name}_{what}_before")} END',
        "THEN k.{name}_{what} END",
        RULES,
    ),
    Mutation(
        "the gate vouches for the latest bucket alone",
        GATE,
        'CASE WHEN {_bucket(name, "u.lo")} = k.{name}',
        "CASE WHEN true",
        RULES,
    ),
    Mutation(
        "the gate vouches when it is full",
        GATE,
        "WHERE u.user_id <= (SELECT filled_to",
        "WHERE 0 <= (SELECT filled_to",
        RULES,
    ),
    Mutation(
        "what leaves a window goes first",
        SWEEP,
        "ORDER BY m.moment, m.n, m.id",
        "ORDER BY m.moment, m.id, m.n",
        RULES,
    ),
    Mutation(
        "a late record makes later ones hits", SWEEP, "w.moment <= w.hi + {window}", "w.moment <= w.hi", RULES
    ),
    Mutation(
        "what was stored before a version is in force",
        "transactions/rules/lifecycle.py",
        "            _owe_past(cursor, held, minute)\n",
        "            pass\n",
        RULES,
    ),
    Mutation(
        "a prefix rule looks at smaller ids alone",
        "transactions/rules/kinds/prefix.py",
        "           AND y.id < x.id\n",
        "",
        RULES,
    ),
    Mutation(
        "what settles is judged again",
        "transactions/rules/live.py",
        "        if older:\n",
        "        if False:\n",
        RULES,
    ),
    Mutation(
        "what is yet to happen is owed",
        "transactions/rules/live.py",
        "        if touched.future:\n",
        "        if False:\n",
        RULES,
    ),
    Mutation(
        "putting hits into alerts has its own time",
        "transactions/rules/evaluation.py",
        '        cursor.execute(limits_again("statement_timeout"))\n',
        "        pass\n",
        RULES,
    ),
    Mutation(
        "what took too long is given more time",
        "transactions/rules/debts.py",
        "times=retrying.times(debt.attempts)",
        "times=1",
        RULES,
    ),
    Mutation(
        "of a time in shadow nothing becomes an alert",
        "transactions/rules/evaluation.py",
        "            if version.alerts(hit.happened_at):\n",
        "            if version.alerts_from is not None:\n",
        RULES,
    ),
    Mutation(
        "pruning keeps what is owed",
        "transactions/storing/retention.py",
        "    return owed.since\n",
        "    return before\n",
        RULES,
    ),
    Mutation(
        "many slow rules hold up no chunk",
        "transactions/rules/evaluation.py",
        "RULES_MS_MAX / 1000",
        "RULES_MS_MAX",
        RULES,
    ),
    Mutation(
        "what is pending is so by now",
        "transactions/rules/kinds/walks.py",
        "moment if self.of_transaction or not more",
        "moment if not more",
        RULES,
    ),
    Mutation(
        "a clock that fails is left alone for a while",
        "transactions/rules/clock.py",
        "    if is_left:\n",
        "    if False:\n",
        RULES,
    ),
    Mutation(
        "a message is noted after it was sent",
        DELIVERY,
        "        outcome = post(turn, message)\n",
        "        Delivery.objects.filter(pk=delivery).update(state=DeliveryState.DELIVERED)\n"
        "        outcome = post(turn, message)\n",
        TOLD,
    ),
    Mutation(
        "one worker at a time sends an endpoint's messages",
        DELIVERY,
        "SET leased_until = clock_timestamp() + interval '{LEASE_S} s'",
        "SET leased_until = clock_timestamp()",
        TOLD,
    ),
    Mutation(
        "a message has one id at every attempt",
        DELIVERY,
        "        outcome = post(turn, message)\n",
        '        message.key = __import__("uuid").uuid4() if attempts else message.key\n'
        "        outcome = post(turn, message)\n",
        TOLD,
    ),
    Mutation(
        "a message is written with the hits that it tells",
        "transactions/alerts/telling.py",
        "        alerts, types, holds = zip(*told, strict=True)\n",
        "        cursor.connection.commit()\n        alerts, types, holds = zip(*told, strict=True)\n",
        TOLD,
    ),
    Mutation(
        "a message is written with the step that it tells",
        "transactions/alerts/triage.py",
        "            with connection.cursor() as cursor:\n"
        "                telling.tell_change(cursor, held.pk, closed=closed, assigned=assigned)\n",
        "            transaction.on_commit(\n"
        "                lambda: telling.tell_change(connection.cursor(), held.pk, closed=closed)\n"
        "            )\n",
        TOLD,
    ),
    Mutation(
        "a message goes to no address that was not judged",
        "transactions/notifications/destinations.py",
        "    for address in found:\n        judge(address, is_secure=destination.is_secure)\n",
        "",
        TOLD,
    ),
    Mutation(
        "a message goes to the address that was judged",
        "transactions/notifications/sending.py",
        "self.sock = _connected(self._addresses,",
        "self.sock = _connected([self._destination.host],  # type: ignore[list-item]\n           ",
        TOLD,
    ),
    Mutation(
        "a rule that asks for users fails alone",
        "transactions/rules/evaluation.py",
        "elif alone := error if len(versions) == 1 else",
        "elif alone := error if len(versions) > 0 else",
        RULES,
    ),
    Mutation(
        "places have no gaps",
        "transactions/notifications/numbering.py",
        "row_number() OVER (ORDER BY grave DESC, id) AS place",
        "row_number() OVER (ORDER BY grave DESC, id) * 2 AS place",
        TOLD,
    ),
    Mutation(
        "who was overtaken overwrites nothing",
        "transactions/alerts/triage.py",
        "            if held.version != seen:\n",
        "            if False:\n",
        TRIAGE,
    ),
    Mutation(
        "a webhook's secret is kept encrypted",
        "transactions/notifications/signing.py",
        "    return _keys().encrypt(secret.encode()).decode()\n",
        "    return secret\n",
        TOLD,
    ),
    Mutation(
        "secrets are read with the environment's keys alone",
        "transactions/notifications/signing.py",
        "hashlib.sha256(key.encode()).digest() for key in",
        'hashlib.sha256(b"").digest() for key in',
        TOLD,
    ),
    Mutation(
        "what is snoozed opens no alert",
        "transactions/alerts/grouping.py",
        "        elif snooze is not None:\n",
        "        elif False:\n",
        TRIAGE,
    ),
    Mutation(
        "on the disk before the answer",
        "dev/servers.py",
        '"appendfsync": "always"',
        '"appendfsync": "everysec"',
        ("tests/operating/test_private_servers.py",),
    ),
)


def try_out(mutation: Mutation | None) -> tuple[Mutation | None, str]:
    """Runs the tests of a mutation, or all fast ones of the tree as it is; the test that failed, else ""."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        if mutation is not None:
            apply(mutation, tree)
        tests = FAST if mutation is None else mutation.tests
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            result = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=RUN_S_MAX)
        except subprocess.TimeoutExpired:
            return mutation, f"(a run without an end, cut off after {RUN_S_MAX} s)"
        if result.returncode == 0:
            return mutation, ""
        found = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", result.stdout, re.MULTILINE)
        if result.returncode != 1 or found is None:
            raise SystemExit(f"the tests did not run (status {result.returncode}):\n{result.stdout[-3000:]}")
        return mutation, found[1]


def apply(mutation: Mutation, tree: Path) -> None:
    """Takes the safeguard out of a copy. Ends the run where the list is out of step with the code."""
    file = tree / mutation.path
    text = file.read_text()
    if text.count(mutation.old) != 1:
        count = text.count(mutation.old)
        raise SystemExit(f"{mutation.name}: {count} times in {mutation.path}, not once: {mutation.old!r}")
    file.write_text(text.replace(mutation.old, mutation.new))


def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutation for mutation in MUTATIONS if word in mutation.name]
    for mutation in MUTATIONS:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / mutation.path
            copy.parent.mkdir(parents=True)
            shutil.copy(ROOT / mutation.path, copy)
            apply(mutation, Path(scratch))
    if failed := try_out(None)[1]:
        print(f"The tests fail as it is: {failed}", file=sys.stderr)
        return 1
    survivors = 0
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutated, caught_by in pool.map(try_out, chosen):
            assert mutated is not None
            survivors += not caught_by
            print(f"{mutated.name:55} {caught_by or 'SURVIVED'}", flush=True)
    print(f"{len(chosen)} mutations, {survivors} survived, {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
