"""Deliveries: what is due is posted, at least once, by any number of workers.

The unit is an endpoint's turn. Whoever claims an endpoint has it alone for LEASE_S, posts what is due in
order, one after the other, until something fails, and gives it back. So an endpoint is sent one message at a
time, in order as long as it answers; what failed comes again in its own time and holds up nothing behind it.
An endpoint that hangs takes one courier for 15 seconds, and endpoints that fail take half of them at most.

A worker that is killed between sending and noting leaves its lease: the message is sent again with the same
id, and its receiver knows it by that.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.utils import timezone

from ..audit.actions import Action
from ..audit.entries import note
from ..metrics.counters import tally
from ..stores.crash_points import crash_point
from ..stores.postgres_silence import watched_threads
from . import formats, sending, signing
from .models import FAILING_DAYS_MAX, Attempt, Delivery, DeliveryState, Endpoint, Format, Message
from .numbering import number
from .sending import Reply

log = logging.getLogger(__name__)

ENDPOINT = Endpoint._meta.db_table
DELIVERY, ATTEMPT = Delivery._meta.db_table, Attempt._meta.db_table

# Seconds before each attempt but the first, and the share by which they vary: what failed at one time is not
# to come again at one time.
DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
ATTEMPTS_MAX = len(DELAYS_S) + 1
JITTER = 0.2
# A turn goes on to the next message for so many seconds, and up to so many messages; a lease is longer than
# that and one attempt.
TURN_S, TURN_MESSAGES, LEASE_S = 20.0, 50, 60
# Messages on their way at once, each in a thread with a connection to PostgreSQL; and of those to endpoints
# that failed the last time.
COURIERS, COURIERS_TO_FAILING = 16, 8
# Seconds for which a tick gives places, before it sees to what is due: whoever is told by mail, or of the
# system's own alarms, waits no longer behind many messages to many endpoints.
NUMBER_S = 3.0
URL_LOST = "WEBHOOK_SECRET_KEYS cannot read the URL: bring its key back, or give the URL again."

# Since when, or from when on, something waits for an endpoint: asked by EXISTS all that waits would be read.
_FIRST_DUE_AT = f"""
    (SELECT d.due_at FROM {DELIVERY} d WHERE d.endpoint_id = e.id AND d.state = 'WAITING'
      ORDER BY d.due_at LIMIT 1)
"""
_DUE = f"""
    e.off = '' AND (e.leased_until IS NULL OR e.leased_until < now())
    AND (e.not_before IS NULL OR e.not_before <= now()) AND {_FIRST_DUE_AT} <= now()
"""
# Purpose: how many endpoints have something due, as far as there are couriers.
COUNT_DUE = f"SELECT count(*) FROM (SELECT FROM {ENDPOINT} e WHERE {_DUE} LIMIT {COURIERS}) due"
# Purpose: the endpoint whose turn it is, for this worker alone; those that work first.
CLAIM = f"""
    UPDATE {ENDPOINT}
       SET leased_until = clock_timestamp() + interval '{LEASE_S} s', turn_at = clock_timestamp()
     WHERE id = (SELECT e.id FROM {ENDPOINT} e WHERE {_DUE} AND (e.failures = 0 OR %s)
                  ORDER BY e.failures > 0, e.turn_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, format, url, secret, old_secret, old_secret_until, failures, leased_until
"""
_WAITING = f"""
    SELECT id, attempts, message_id, due_at, by_hand FROM {DELIVERY}
     WHERE endpoint_id = %(endpoint)s AND state = 'WAITING' AND due_at <= now()
"""
# Purpose: what it is to be sent, in order, which is that of keys: deliveries are made in the order of places.
# All that was never tried is due; of what failed that comes which has been due for longest. Either is where
# an index begins, however much waits. A statement of its own, which sees what the turn before has noted.
SELECT_DUE = f"""
    SELECT id, attempts, message_id, due_at FROM (
        ({_WAITING} AND attempts = 0 ORDER BY by_hand DESC, id LIMIT {TURN_MESSAGES})
        UNION ALL
        ({_WAITING} AND attempts > 0 ORDER BY due_at, id LIMIT {TURN_MESSAGES})) due
     ORDER BY by_hand DESC, id LIMIT {TURN_MESSAGES}
"""
# Purpose: what came of an attempt. Of one that somebody had sent again meanwhile it is in the log alone: what
# was asked for is still to be done.
NOTE = f"""
    WITH noted AS (
        UPDATE {DELIVERY} d SET
               state = CASE WHEN d.due_at = %(due_at)s THEN %(state)s ELSE d.state END,
               attempts = CASE WHEN d.due_at = %(due_at)s THEN d.attempts + 1 ELSE d.attempts END,
               due_at = CASE WHEN d.due_at = %(due_at)s
                             THEN now() + %(wait_s)s * interval '1 second' ELSE d.due_at END
         WHERE id = %(delivery)s RETURNING id)
    INSERT INTO {ATTEMPT} (delivery_id, at, status, error, answer, milliseconds)
    SELECT id, clock_timestamp(), %(status)s, %(error)s, %(answer)s, %(milliseconds)s FROM noted
"""
# Purpose: the turn is over, if it is this worker's still: an endpoint that failed has done so since then, or
# since something got through, as long as anything waits; and is switched off once that is too long, or at its
# own wish. One that said when to come again is left alone until then, whatever is due.
RELEASE = f"""
    UPDATE {ENDPOINT} e
       SET leased_until = NULL, failures = r.failures, failing_since = r.failing_since,
           not_before = now() + nullif(%(pause_s)s, 0) * interval '1 second',
           off = CASE WHEN %(gone)s THEN 'GONE'
                      WHEN r.failing_since < now() - interval '{FAILING_DAYS_MAX} days' THEN 'FAILING'
                      ELSE e.off END,
           off_at = CASE WHEN %(gone)s OR r.failing_since < now() - interval '{FAILING_DAYS_MAX} days'
                         THEN now() ELSE e.off_at END
      FROM (SELECT id, CASE WHEN %(delivered)s THEN 0 ELSE failures END + %(failed)s::int AS failures,
                   CASE WHEN {_FIRST_DUE_AT} IS NULL THEN NULL
                        WHEN %(delivered)s AND %(failed)s THEN now()
                        WHEN %(delivered)s THEN NULL
                        WHEN %(failed)s THEN coalesce(failing_since, now())
                        ELSE failing_since END AS failing_since
              FROM {ENDPOINT} e WHERE id = %(endpoint)s) r
     WHERE e.id = r.id AND e.leased_until = %(lease)s AND e.off = ''
    RETURNING e.off
"""
# Purpose: the same for one that somebody switched off meanwhile.
GIVE_BACK = f"UPDATE {ENDPOINT} SET leased_until = NULL WHERE id = %(endpoint)s AND leased_until = %(lease)s"


class Turn(NamedTuple):
    """An endpoint that this worker has for a while, and what is due to it: keys of deliveries and messages,
    with the attempts that there were, and since when each was due.
    """

    endpoint: int
    format: str
    url: str
    secret: str
    old_secret: str
    old_secret_until: datetime | None
    failures: int
    lease: datetime
    due: list[tuple[int, int, int, datetime]]


def deliver(stopping: Callable[[], bool] = lambda: False) -> "list[Future[None]]":
    """Gives places to what is new, and has couriers carry what is due; they go on when this has returned.

    Any number of workers may do so at once. Raises django.db.Error.
    """
    until = time.monotonic() + NUMBER_S
    while number() and time.monotonic() < until and not stopping():
        pass
    with connection.cursor() as cursor:
        cursor.execute(COUNT_DUE)
        (due,) = cursor.fetchone()
    couriers = [_couriers().submit(_carry, stopping) for _ in range(due) if _free.acquire(blocking=False)]
    return couriers


def carry(stopping: Callable[[], bool] = lambda: False) -> None:
    """Takes turn after turn until nothing is due. Raises django.db.Error."""
    while not stopping():
        to_failing = _to_failing.acquire(blocking=False)
        try:
            turn = _claim(to_failing)
            if turn is not None and turn.failures == 0 and to_failing:
                _to_failing.release()
                to_failing = False
            if turn is None:
                return
            _take(turn, stopping)
        finally:
            if to_failing:
                _to_failing.release()


def wait_s(attempts: int, retry_after_s: float = 0.0) -> float:
    """Seconds from an attempt that failed, the how manieth it was, to the next one."""
    delay = DELAYS_S[min(attempts, len(DELAYS_S)) - 1]
    return max(delay * random.uniform(1 - JITTER, 1 + JITTER), retry_after_s)


_free = threading.BoundedSemaphore(COURIERS)
_to_failing = threading.BoundedSemaphore(COURIERS_TO_FAILING)


@cache
def _couriers() -> ThreadPoolExecutor:
    return watched_threads(COURIERS, "courier")


def _carry(stopping: Callable[[], bool]) -> None:
    try:
        carry(stopping)
    except DatabaseError as error:
        log.error("Messages are left, and the next tick goes on: %s", str(error).partition("\n")[0])
    except Exception:
        log.exception("Messages are left, and the next tick goes on")
    finally:
        connection.close()
        tally.publish()
        _free.release()


def _claim(to_failing: bool) -> Turn | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [to_failing])
        claimed = cursor.fetchone()
        if claimed is None:
            return None
        cursor.execute(SELECT_DUE, {"endpoint": claimed[0]})
        endpoint, format, url, secret, old_secret, old_secret_until, failures, lease = claimed
        due = cursor.fetchall()
        return Turn(endpoint, format, url, secret, old_secret, old_secret_until, failures, lease, due)


def _take(turn: Turn, stopping: Callable[[], bool]) -> None:
    """Posts what is due, until something fails or the turn is over; and gives the endpoint back."""
    until = time.monotonic() + TURN_S
    messages = Message.objects.in_bulk([message for _, _, message, _ in turn.due])
    delivered, outcome = False, None
    for delivery, attempts, key, due_at in turn.due:
        if stopping() or time.monotonic() > until:
            break
        message = messages.get(key)
        if message is None:
            continue  # removed meanwhile, and its delivery with it
        outcome = post(turn, message)
        crash_point("notifications.sent")
        _note(delivery, attempts + 1, due_at, outcome)
        if not outcome.delivered:
            break
        delivered = True
    failed = outcome is not None and not outcome.delivered
    gone = outcome is not None and outcome.status == 410
    pause_s = outcome.retry_after_s if outcome is not None and failed else 0.0
    told: dict[str, Any] = {"endpoint": turn.endpoint, "lease": turn.lease}
    came = {"delivered": delivered, "failed": failed, "gone": gone, "pause_s": pause_s}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(RELEASE, {**told, **came})
        (off,) = cursor.fetchone() or ("",)
        if off:
            held = Endpoint.objects.get(pk=turn.endpoint)
            note(Action.WEBHOOK_CHANGED, held.called, target_id=held.pk, off={"from": "", "to": off})
        cursor.execute(GIVE_BACK, told)


def post(turn: Turn, message: Message) -> Reply:
    """Posts one message as its endpoint is to have it; whatever happens is an outcome."""
    try:
        return _post(turn, message)
    except Exception as error:
        # Else it would be tried again at every turn for ever, and nobody would be told.
        log.exception("A message could not be sent to webhook %s", turn.endpoint)
        return Reply(
            None, f"It could not be sent: {type(error).__name__}. The worker's log says more.", "", 0.0
        )


def _post(turn: Turn, message: Message) -> Reply:
    is_signed = turn.format == Format.STANDARD
    try:
        url = turn.url if is_signed else signing.decrypt(turn.secret)
        secrets = _signed_with(turn) if is_signed else []
    except (signing.NoKey, signing.KeyLost) as error:
        lost = isinstance(error, signing.KeyLost) and not is_signed
        return Reply(None, URL_LOST if lost else str(error), "", 0.0)
    body = formats.body(turn.format, message)
    headers = {"Content-Type": "application/json", "User-Agent": "transaction-monitoring"}
    if is_signed:
        headers |= _signature(secrets, message, body)
    return sending.post(url, headers, body)


def _signed_with(turn: Turn) -> list[str]:
    """Its secrets: the one before too for a while. Raises signing.NoKey, signing.KeyLost."""
    kept = [turn.secret]
    if turn.old_secret and turn.old_secret_until is not None and turn.old_secret_until > timezone.now():
        kept.append(turn.old_secret)
    return [signing.decrypt(each) for each in kept]


def _signature(secrets: Sequence[str], message: Message, body: bytes) -> dict[str, str]:
    now = int(time.time())
    return {
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signing.signatures(secrets, message.webhook_id, now, body),
    }


def _note(delivery: int, attempts: int, due_at: datetime, outcome: Reply) -> None:
    state, wait = DeliveryState.DELIVERED, 0.0
    if not outcome.delivered:
        given_up = attempts >= ATTEMPTS_MAX or outcome.status == 410
        state = DeliveryState.FAILED if given_up else DeliveryState.WAITING
        wait = wait_s(attempts, outcome.retry_after_s)
    noted: dict[str, Any] = {
        "delivery": delivery,
        "due_at": due_at,
        "state": state.value,
        "wait_s": wait,
        "status": outcome.status,
        "error": outcome.error,
        "answer": outcome.answer,
        "milliseconds": round(outcome.seconds * 1_000),
    }
    with connection.cursor() as cursor:
        cursor.execute(NOTE, noted)
    tally.add(f"webhooks|{'delivered' if outcome.delivered else 'failed'}")
