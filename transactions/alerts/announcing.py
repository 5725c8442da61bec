"""Announcing: that alerts have changed, to every web process, which then shows it on its dashboards.

A message to channels' group says no more than that; whoever hears it asks PostgreSQL how things stand. So
it is sent after the commit, many changes may share one, and one that is lost costs time alone: dashboards
ask by themselves now and then.
"""

import asyncio
import logging
import threading
import time

from channels.layers import get_channel_layer

log = logging.getLogger(__name__)

GROUP = "admin_alerts"
# Type of the group message, in channels' manner.
CHANGED = "alerts.changed"
# Seconds between two messages of a process, at the least.
PAUSE_S = 0.25
# Seconds for which a channel layer is waited for.
SEND_S_MAX = 5.0


class ChangeAnnouncer:
    """Sends from a thread that lives for one message: nobody who changes an alert waits for Redis.

    Its loop is its own, since steps are taken in threads with and without one. The process does not end
    before it, and one that was forked has another.
    """

    def __init__(self) -> None:
        # The thread whose message is still to be sent.
        self._waiting: threading.Thread | None = None
        self._sent_at = -PAUSE_S

    def changed(self) -> None:
        """Alerts have changed, and that is committed: a message is sent soon, which tells of this too."""
        waiting = self._waiting
        if waiting is not None and waiting.is_alive():
            return
        self._waiting = threading.Thread(target=self._send, name="alerts changed")
        try:
            self._waiting.start()
        except RuntimeError as error:  # no thread is left
            log.warning("Dashboards were not told that alerts have changed (%s)", error)

    def _send(self) -> None:
        time.sleep(max(0.0, self._sent_at + PAUSE_S - time.monotonic()))
        # Before it is sent: what changes from now on gets a message of its own.
        self._waiting = None
        self._sent_at = time.monotonic()
        try:
            asyncio.run(_tell_group())
        except Exception as error:
            # Whatever a channel layer raises, the change is committed.
            log.warning("Dashboards were not told that alerts have changed (%s)", type(error).__name__)


async def _tell_group() -> None:
    async with asyncio.timeout(SEND_S_MAX):
        await get_channel_layer().group_send(GROUP, {"type": CHANGED})


_announcer = ChangeAnnouncer()
changed = _announcer.changed
