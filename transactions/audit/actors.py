"""Who acts, through what, from where, and why: known to whoever begins something, told by whoever notes it.

Outside of a request it is the operating system's user on this host. A command that may
note much names its run, as a request has a name.
"""

import getpass
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from ..encodings import checked_words
from .models import REASON_MAX, Via


@dataclass(frozen=True, slots=True)
class Actor:
    """An account (`name` is empty where no credentials were shown), the token's name, and the way it came."""

    via: Via
    name: str = ""
    id: int | None = None
    token: str = ""
    address: str = ""
    request_id: str = ""


def _at_this_machine() -> Actor:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        name = f"uid {os.getuid()}"
    return Actor(Via.COMMAND, name, address=socket.gethostname())


# Asked when something is noted: a request's user is known only once its credentials are checked.
_tell: ContextVar[Callable[[], Actor]] = ContextVar("audit_actor", default=_at_this_machine)
_reason: ContextVar[str] = ContextVar("audit_reason", default="")


def actor_now() -> Actor:
    """Who acts at this moment."""
    return _tell.get()()


def reason_now() -> str:
    """Why, as far as it was asked."""
    return _reason.get()


@contextmanager
def acting(tell: Callable[[], Actor]) -> Iterator[None]:
    """What is noted within the block was done by whom `tell` names when it is noted."""
    token = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(token)


@contextmanager
def one_run() -> Iterator[None]:
    """What is noted within the block, or the function, was done by one run of a command."""
    actor = replace(_at_this_machine(), request_id=f"{random.getrandbits(64):016x}")
    with acting(lambda: actor):
        yield


def checked_reason(given: str) -> str:
    """A reason as it is kept, "" for none. Raises ValueError, which says why nobody would read it."""
    return checked_words(given, "A reason", REASON_MAX) if given.strip() else ""


@contextmanager
def because(reason: str) -> Iterator[None]:
    """What is noted within the block was done for this reason, as `checked_reason` has it; "" is none."""
    token = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(token)
