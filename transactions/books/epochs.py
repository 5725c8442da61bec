"""Epochs: the books are of one life of the Redis data, from its first record until it is lost.

Redis gives its epoch a random name with the first record that it accepts. PostgreSQL remembers three
things of Redis: the name, how many records it had accepted at the last flush, and which batch it let go
of last. At each flush they are compared:

- no name, or one that PostgreSQL does not know: the data vanished (FLUSHALL, a lost disk);
- the name of an earlier epoch, a lower count, or another last batch: the data went back in time (an old
  backup);
- Redis names a last batch that PostgreSQL has never heard of: PostgreSQL went back in time, as it
  learns of each batch before Redis does;
- what Redis counts by is no number: somebody wrote there by hand.

In each case these books are closed with an alarm, and new ones are opened for what is there.

Where Redis has replicas, each of which may become the primary, whatever is read of it to be remembered, and
whatever it is told, is confirmed by them first (`stores.confirmation`): or the next primary is taken for data
that went back in time.
"""

import logging
import uuid

from ..alerts import announcing
from ..audit.actions import Action
from ..audit.entries import note
from ..queue.keys import BATCH, BATCH_INDEX, BOOKS, FEED, INDEX, QUEUE
from ..rules import emptying as rules
from ..stores import hash_numbers
from ..stores.confirmation import confirmed, run_confirmed
from ..stores.postgres_session import FLUSH_LOCK, Session
from ..stores.redis_connection import connection, text
from ..stores.scripts import lua
from ..tables import BATCHES, EPOCHS, REMOVALS, TRANSACTIONS

log = logging.getLogger(__name__)

# Purpose: the books that are open, how far Redis had counted at the last flush, and how many of its
# records are accounted for.
SELECT_OPEN = f"""
    SELECT id::text, accepted_seen, stored + settled + duplicates + rejected
      FROM {EPOCHS} WHERE closed_at IS NULL ORDER BY opened_at DESC LIMIT 1
"""
# Purpose: whether Redis' epoch is one of this database, be it an earlier one.
IS_KNOWN = f"SELECT EXISTS (SELECT FROM {EPOCHS} WHERE id = %s)"
# Purpose: whether PostgreSQL knows the batch that Redis let go of last.
IS_STORED = f"SELECT EXISTS (SELECT FROM {BATCHES} WHERE name = %s)"
CLOSE = f"UPDATE {EPOCHS} SET closed_at = now() WHERE closed_at IS NULL"
OPEN = f"INSERT INTO {EPOCHS} (id, alarm) VALUES (%s, %s)"
NOTE_ACCEPTED = f"UPDATE {EPOCHS} SET accepted_seen = %s WHERE id = %s"
NOTE_FLUSH = f"UPDATE {EPOCHS} SET flushed_at = now() WHERE id = %s"
# Purpose: what was removed since the last time goes into the books that are open. What is taken away here is
# added there by one statement: a crash leaves both or neither. Without open books it waits for some.
COUNT_REMOVALS = f"""
    WITH open AS (
        SELECT id FROM {EPOCHS} WHERE closed_at IS NULL ORDER BY opened_at DESC LIMIT 1
    ), counted AS (
        DELETE FROM {REMOVALS} WHERE EXISTS (SELECT FROM open) RETURNING removed, pruned
    ), gone AS (
        SELECT sum(removed) AS removed, sum(pruned) AS pruned FROM counted HAVING count(*) > 0
    )
    UPDATE {EPOCHS} e SET removed = e.removed + gone.removed, pruned = e.pruned + gone.pruned
      FROM gone, open WHERE e.id = open.id
"""
# Purpose: whether Redis may name this batch as the one it let go of last. That is the latest one released,
# or one that is stored whole: a crash may have come after Redis let go of it and before that was noted.
# As long as none has been released there is nothing to compare, and any name will do.
IS_LATEST = f"""
    SELECT coalesce(bool_or(name = %(name)s), false) OR NOT coalesce(bool_or(released), false) FROM (
        (SELECT name, released FROM {BATCHES} WHERE epoch_id = %(epoch)s AND released
          ORDER BY id DESC LIMIT 1)
        UNION ALL
        SELECT name, released FROM {BATCHES} WHERE epoch_id = %(epoch)s AND NOT released AND done = length
    ) latest
"""
# Purpose: closes the batches of the books that are closed. Those that Redis still holds go into the new
# books by ADOPT.
ABANDON = f"UPDATE {BATCHES} SET released = true, stored_at = coalesce(stored_at, now()) WHERE NOT released"
# Purpose: takes a batch that Redis holds into the new books, to be stored from its beginning. Records of
# it that are stored already are found to be duplicates.
ADOPT = f"""
    INSERT INTO {BATCHES} (name, epoch_id, length) VALUES (%s, %s, %s)
        ON CONFLICT (name) DO UPDATE
       SET epoch_id = excluded.epoch_id, released = false, length = excluded.length,
           done = 0, stored_at = NULL
"""
EMPTY = f"TRUNCATE {TRANSACTIONS}"

REOPEN = lua(__file__, "reopen")
WIPE = lua(__file__, "wipe")


def reconcile(session: Session) -> str:
    """The epoch that Redis and PostgreSQL agree on. Where they do not, new books are opened, with an alarm.

    A deletion of everything that was cut off is finished first. To be called under the flush lock.
    Raises psycopg2.Error, redis.RedisError.
    """
    (told,) = confirmed(
        lambda pipeline: pipeline.hmget(BOOKS, "epoch", "released", "emptying", "accepted", "generation")
    )
    name, released, emptying = named(told[0]), text(told[1]), told[2]
    accepted, generation = (
        hash_numbers.whole(BOOKS, field, value)
        for field, value in zip(("accepted", "generation"), told[3:], strict=True)
    )
    if emptying:
        _finish_emptying(session, name)
        return name
    with session.transaction() as cursor:
        cursor.execute(SELECT_OPEN)
        epoch, seen, accounted = cursor.fetchone() or (None, 0, 0)
        cursor.execute(IS_KNOWN, (name or None,))
        known = cursor.fetchone()[0]
        cursor.execute(IS_LATEST, {"name": released, "epoch": epoch})
        latest = cursor.fetchone()[0]
        cursor.execute(IS_STORED, (released,))
        forgotten = bool(released) and not cursor.fetchone()[0]
    damaged = accepted is None or generation is None
    if name and name == epoch and not damaged and (accepted or 0) >= seen and latest:
        return name
    alarm = ""
    if forgotten:
        alarm = _alarm_of_postgres(accepted or 0, accounted if name == epoch else 0)
    elif epoch is not None and (seen or accounted):
        what = "is damaged" if damaged else "went back in time" if name == epoch or known else "vanished"
        alarm = _alarm(what, seen, accounted)
    if alarm:
        log.error("%s", alarm)
    return _open_books(session, "" if known or forgotten or damaged else name, alarm)


def named(told: bytes | str | None) -> str:
    """The epoch that Redis names, "" for none; what is no such name, as by hand, is none."""
    try:
        return str(uuid.UUID(text(told))) if told else ""
    except ValueError:
        return ""


def _alarm_of_postgres(accepted: int, accounted: int) -> str:
    waiting = sum(int(connection().llen(key)) for key in (QUEUE, *_batches()))
    return (
        f"The PostgreSQL data went back in time: of {accepted} records accepted {waiting} waited and "
        f"{accounted} were accounted for, {max(0, accepted - waiting - accounted)} are missing."
    )


def _alarm(what: str, seen: int, accounted: int) -> str:
    return (
        f"The Redis data {what}: of {seen} records accepted at the last flush "
        f"{accounted} were accounted for, at least {max(0, seen - accounted)} are missing."
    )


def _open_books(session: Session, name: str, alarm: str) -> str:
    """Closes the books there are and opens new ones; returns the name of their epoch.

    With a `name`, Redis has begun a new life by itself, under that name, and counts rightly. Without one
    it is told to begin anew with what it still holds.
    """
    epoch = name or str(uuid.uuid4())
    batches = _batches()
    lengths = confirmed(lambda pipeline: [pipeline.llen(batch) for batch in batches]) if batches else []
    with session.transaction() as cursor:
        cursor.execute(COUNT_REMOVALS)
        cursor.execute(CLOSE)
        cursor.execute(ABANDON)
        cursor.execute(OPEN, (epoch, alarm))
        for batch, length in zip(batches, lengths, strict=True):
            cursor.execute(ADOPT, (batch, epoch, int(length)))
        if not name:
            run_confirmed(REOPEN, [BOOKS, FEED, QUEUE, *batches], [epoch])
    return epoch


def _batches() -> list[str]:
    """The batches that Redis holds, whether PostgreSQL knows them or not."""
    return _keys(BATCH)


def _keys(prefix: str) -> list[str]:
    """The keys that begin so. A scan of all keys there are, for the rare day on which books are opened."""
    return [key.decode() for key in connection().scan_iter(match=f"{prefix}*", count=1000)]


def note_accepted(session: Session, epoch: str) -> None:
    """Remembers how far Redis has counted: if it has counted less at the next flush, it went back in time."""
    (told,) = confirmed(lambda pipeline: pipeline.hget(BOOKS, "accepted"))
    accepted = hash_numbers.whole(BOOKS, "accepted", told) or 0
    with session.transaction() as cursor:
        cursor.execute(NOTE_ACCEPTED, (accepted, epoch))


def note_flush(session: Session, epoch: str) -> None:
    """Remembers that a flush ran to its end, see storing/history.py, and counts what was removed by then."""
    with session.transaction() as cursor:
        cursor.execute(COUNT_REMOVALS)
        cursor.execute(NOTE_FLUSH, (epoch,))


def empty_everything() -> None:
    """Deletes every transaction, in Redis and then in PostgreSQL, and opens new books.

    The script that wipes Redis also notes there that PostgreSQL is still to be emptied. Until it is,
    intake answers 503; if this call is cut off, the next flush finishes the work.
    Waits for a flush that is under way. It is noted in the audit trail before it begins, or it does not
    begin, and once more when it is done. Raises psycopg2.Error, django.db.Error, redis.RedisError.
    """
    with Session() as session:
        session.lock(FLUSH_LOCK)
        note(Action.DELETING_EVERYTHING, apart=True)
        epoch = str(uuid.uuid4())
        keys = (QUEUE, INDEX, BOOKS, FEED, *_batches(), *_keys(BATCH_INDEX))
        run_confirmed(WIPE, keys, [epoch])
        _finish_emptying(session, epoch)
    note(Action.EVERYTHING_DELETED)


def _finish_emptying(session: Session, epoch: str) -> None:
    with session.transaction() as cursor:
        rules.end_snapshots(cursor)
        rules.hold(cursor, TRANSACTIONS)
        cursor.execute(EMPTY)
        rules.empty(cursor)
        cursor.execute(COUNT_REMOVALS)
        cursor.execute(CLOSE)
        cursor.execute(ABANDON)
        cursor.execute(f"{OPEN} ON CONFLICT (id) DO NOTHING", (epoch, ""))
    announcing.changed()
    confirmed(lambda pipeline: pipeline.hdel(BOOKS, "emptying"))
