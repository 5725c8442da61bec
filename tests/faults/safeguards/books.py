"""Safeguards of the books: what was removed, and what went back in time."""

from .mutation import Mutation

EPOCHS = "transactions/books/epochs.py"
REMOVALS = "transactions/migrations/0008_removals.py"
REMOVED = ("tests/books/test_removed.py",)
MUTATIONS = (
    Mutation("data that went back in time", EPOCHS, " and (accepted or 0) >= seen and latest", ""),
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
)
