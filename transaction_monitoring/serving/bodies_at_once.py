"""A bound on all bytes of bodies that a process holds at once: each is kept until its request is answered.

Daphne keeps a large body in a temporary file. A process' temporary directory is small (docker-compose.yml
has 256 MB in memory), and sixty bodies that never end would fill it for everybody. So all bodies together may
hold LIMITS times the limit of one, and those of senders whose credentials this process does not know yet,
which is asked of nobody while a body comes, a quarter of that. Where one more would not fit, the one that has
been coming for longest gives way: it is told 503. Whoever sends at once, and not for minutes, is never that.

The first SMALL_BYTES of a body are free, so that a record always fits; connections are bounded elsewhere.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings

from transactions.access import token_checks
from transactions.access.known_callers import token_of

from .seldom import Seldom

log = logging.getLogger(__name__)

SMALL_BYTES = 4 * 1024
LIMITS = 16
STRANGERS_PART = 4

_said = Seldom()


class Share:
    """Bodies that together may hold so many limits of one, which is a setting."""

    def __init__(self, limits: int, limit: str = "DATA_UPLOAD_MAX_MEMORY_SIZE") -> None:
        self._limits, self._limit = limits, limit
        self.held_bytes = 0
        # Those that still come, the oldest first.
        self.coming: dict[Any, None] = {}

    def is_full(self) -> bool:
        return self.held_bytes > self._limits * int(getattr(settings, self._limit))


_known = Share(LIMITS)
_strangers = Share(LIMITS // STRANGERS_PART)
_files = Share(1, "UPLOAD_BYTES_MAX")


def hold(request: Any, bytes_more: int, give_way: Callable[[Any], None], *, is_file: bool = False) -> None:
    """Counts bytes that have come of a body. `give_way` is called with each request that makes room, which
    may be this one, and has to let go of it. `is_file`: whether it is one that somebody uploads.
    """
    free = max(0, SMALL_BYTES - request.body_bytes)
    if bytes_more <= free:
        return
    share = request.share
    if share is None:
        share = request.share = _files if is_file else _known if _is_known(request) else _strangers
        share.coming[request] = None
    request.held_bytes += bytes_more - free
    share.held_bytes += bytes_more - free
    while share.is_full() and request.share is not None:
        if _said.may_say():
            log.warning("Bodies take all the room that a process has for them: the slowest are answered 503")
        give_way(next(iter(share.coming)))


def has_come(request: Any) -> None:
    """All of the body is here: it is kept until its request is answered."""
    if request.share is not None:
        request.share.coming.pop(request, None)


def let_go(request: Any) -> None:
    """The body is kept no more."""
    if request.share is not None:
        request.share.coming.pop(request, None)
        request.share.held_bytes -= request.held_bytes
        request.share, request.held_bytes = None, 0


def _is_known(request: Any) -> bool:
    """Whether the sender's token is one that this process has found good, or none is asked for."""
    given = request.requestHeaders.getRawHeaders(b"Authorization", [])
    if not given:
        return bool(settings.ALLOW_ANONYMOUS_API)
    token = token_of(given[0].decode("latin-1"))
    return token is not None and token_checks.seen(token) is not None
