"""Confirmation: what is promised is on the disks of the primary and of every replica that counts.

Where sentinels tell the primary, it can be lost with all that only it has. So whatever promises something
waits for the replicas on the connection over which it wrote, in the same pipeline. A read that something is
decided by is confirmed by a small write behind it. Which replicas count is said in `replicas`.

`WAIT` comes first, since it has replicas answer at once; the answer to `WAITAOF` alone, which counts disks,
comes with a word that they send once a second. With one Redis nothing of this is asked.
"""

import time
from collections.abc import Callable, Generator, Sequence
from functools import cache
from hashlib import sha1
from typing import Any, NamedTuple

import redis
import redis.asyncio
import redis.client
from django.conf import settings
from redis.client import Pipeline

from . import lookout, sentinel_url
from .hash_tag import TAG
from .redis_connection import connection
from .replicas import replication_in
from .scripts import lua

WRITE = lua(__file__, "confirm")
# string: nothing; written so that there is something to wait for.
WRITTEN = f"{TAG}:confirmed"
# Answers to what asks for a confirmation.
ASKED = 3

# Called with the seconds that a confirmation took, and whether it was one. From any thread; must not raise.
watchers: list[Callable[[float, bool], None]] = []

Arguments = Sequence[str | int]


class Unconfirmed(redis.RedisError):
    """Too few replicas have said in time that they have it on their disks: nothing may be promised of it."""


class Judgement(NamedTuple):
    """How many were asked to confirm, how many have to, how many did; and the history that this is about."""

    asked: int
    needed: int
    confirmed: int
    history: str

    @property
    def holds(self) -> bool:
        return bool(self.history) and self.confirmed >= self.needed

    @property
    def asked_too_few(self) -> bool:
        """One more was there by the end. It is asked too, where all the others have confirmed."""
        return bool(self.history) and self.asked <= self.confirmed < self.needed


# Puts commands into a pipeline: a loop's takes the same, and is awaited by whoever sends it.
Fill = Callable[[Any], object]
Answered = tuple[list[Any], Judgement]
Rounds = Generator[Fill, list[Any], Answered]


def is_asked_for() -> bool:
    """Whether there are replicas that have to confirm."""
    return sentinel_url.read(settings.REDIS_URL) is not None


def lacking() -> int:
    """How many that have to confirm were missing a moment ago: to ask is in vain. 0 where nobody knows."""
    if not is_asked_for():
        return 0
    lookout.keep()
    return lookout.counted.missing(time.monotonic())


def confirmed(add: Callable[[Pipeline], object], client: "redis.Redis | None" = None) -> list[Any]:
    """The answers to the commands that `add` puts into a pipeline, once they are confirmed.

    Of reads too: what they saw is on every disk by then. Raises Unconfirmed, redis.RedisError.
    """
    client = client or connection()
    if not is_asked_for():
        pipeline = client.pipeline(transaction=False)
        add(pipeline)
        return pipeline.execute()
    began = time.monotonic()
    answers, found = _play(client, _rounds(lambda pipeline: (add(pipeline), _write(pipeline))))
    if not found.holds:
        # Whoever comes next asks the sentinels again.
        client.connection_pool.disconnect(inuse_connections=False)
    _say(found, began)
    return answers[:-1]


def run_confirmed(
    script: str, keys: Sequence[str], arguments: Arguments = (), client: "redis.Redis | None" = None
) -> Any:
    """The answer to a script, once it is confirmed. Raises Unconfirmed, redis.RedisError."""
    if not is_asked_for():
        return (client or connection()).register_script(script)(keys, arguments)
    return confirmed(lambda pipeline: pipeline.eval(script, len(keys), *keys, *arguments), client)[0]


async def accept_confirmed(
    client: "redis.asyncio.Redis", script: str, keys: Sequence[str], arguments: Arguments
) -> Any:
    """The same of a script that writes by itself whatever is to be promised, over the client of a loop."""
    began = time.monotonic()
    words = (len(keys), *keys, *arguments)
    by_digest, whole = ("EVALSHA", _digest(script), *words), ("EVAL", script, *words)
    try:
        answers, found = await _play_async(client, _rounds(lambda each: each.execute_command(*by_digest)))
    except redis.exceptions.NoScriptError:
        answers, found = await _play_async(client, _rounds(lambda each: each.execute_command(*whole)))
    if not found.holds:
        await client.connection_pool.disconnect(inuse_connections=False)
    _say(found, began)
    return answers[0]


# --- The protocol, the same over whatever client ------------------------------------------------------


def _rounds(fill: Fill) -> Rounds:
    """What is written and asked, round by round: yields what fills a pipeline, is sent the answers.

    Returns the answers to what the first round writes, and what is found of it.
    """
    answers, found = yield from _round(fill)
    if found.asked_too_few:
        _, again = yield from _round(_write)
        # Of another primary's history it says nothing.
        found = again._replace(history=again.history if again.history == found.history else "")
    return answers, found


def _round(fill: Fill) -> Rounds:
    lookout.keep()
    asked = lookout.counted.needed(settings.REDIS_REPLICAS)
    answers = yield lambda pipeline: (fill(pipeline), *_ask(pipeline, asked))
    for answer in answers:
        if isinstance(answer, Exception):
            # As it is: with a pipeline's own words would come what was written.
            raise answer
    return answers[:-ASKED], _judge(asked, answers[-ASKED:])


def _write(pipeline: Any) -> object:
    return pipeline.eval(WRITE, 1, WRITTEN)


def _ask(pipeline: Any, asked: int) -> list[object]:
    """Asks for the confirmation of what is written before it; of so many replicas."""
    return [
        pipeline.execute_command("WAIT", asked, settings.REPLICA_TIMEOUT_MS),
        pipeline.execute_command("WAITAOF", 1, asked, settings.REPLICA_TIMEOUT_MS),
        # Behind them: who has come or gone meanwhile counts.
        pipeline.execute_command("INFO", "replication"),
    ]


def _judge(asked: int, answers: list[Any]) -> Judgement:
    replicas, (local, disks), info = answers
    told = replication_in(info)
    needed = lookout.counted.look(told, settings.REDIS_REPLICAS, time.monotonic())
    return Judgement(asked, needed, min(replicas, disks) if local else 0, told.history)


def _play(client: "redis.Redis", rounds: Rounds) -> Answered:
    fill = next(rounds)
    while True:
        pipeline = client.pipeline(transaction=False)
        fill(pipeline)
        try:
            fill = rounds.send(pipeline.execute(raise_on_error=False))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


async def _play_async(client: "redis.asyncio.Redis", rounds: Rounds) -> Answered:
    fill = next(rounds)
    while True:
        async with client.pipeline(transaction=False) as pipeline:
            fill(pipeline)
            answers = await pipeline.execute(raise_on_error=False)
        try:
            fill = rounds.send(answers)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _say(found: Judgement, began: float) -> None:
    for watcher in watchers:
        watcher(time.monotonic() - began, found.holds)
    if not found.holds:
        told = f"{found.confirmed} of {found.needed} replicas confirm what was written"
        if (left := settings.REDIS_REPLICAS - found.needed) > 0:
            told += f"; of {settings.REDIS_REPLICAS} wanted {left} no longer counts, gone for long"
        raise Unconfirmed(told)


@cache
def _digest(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()
