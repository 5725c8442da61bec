"""A bound on the frames that a websocket's client may send, of which Daphne has none.

A frame costs this process as much as a message does, be it a ping, a pong, an empty fragment or a
whole text, and a client's 64 kB hold ten thousand of them: read in one go, in which nobody else is
served. So they are counted before they are read; who sends more than FRAMES_PER_SECOND_MAX is told
so by a close code, and what still comes of it is thrown away unread. And until the handshake is
answered a client has nothing to say: what it sends is kept, but not much, and never taken for
another handshake.

This looks into autobahn, which Daphne's websockets are made of: a test floods one and fails if it
changes.
"""

from typing import Any

from daphne.ws_protocol import WebSocketProtocol

from transactions.live.close_codes import TOO_MANY_MESSAGES
from transactions.live.pace import Pace

# Twice what a client of frames may say, and the pings of a client that has its own.
FRAMES_PER_SECOND_MAX = 100
# What may come before the handshake is answered.
EARLY_BYTES_MAX = 64 * 1024

_process_data = WebSocketProtocol.processData
_process_handshake = WebSocketProtocol.processHandshake


def install() -> None:
    """Puts the bound into Daphne's websockets, for this process."""
    WebSocketProtocol.frames = None
    WebSocketProtocol.flooded = False
    WebSocketProtocol.processData = process_data
    WebSocketProtocol.processHandshake = process_handshake


def process_data(protocol: Any) -> bool:
    """Reads a frame of what has come, or a part of it; returns whether there may be more to read."""
    if not protocol.flooded and protocol.current_frame is None and len(protocol.data) >= 2:
        protocol.frames = protocol.frames or Pace(FRAMES_PER_SECOND_MAX)
        if protocol.frames.exceeded_by(1):
            protocol.flooded = True
            # It is cut off a second later, as its own answer to this is thrown away too.
            protocol.sendClose(TOO_MANY_MESSAGES)
    if protocol.flooded:
        protocol.data = b""
        return False
    return bool(_process_data(protocol))


def process_handshake(protocol: Any) -> None:
    """The handshake, once: what comes while the application decides waits for it."""
    if not hasattr(protocol, "handshake_deferred"):
        _process_handshake(protocol)
    elif len(protocol.data) > EARLY_BYTES_MAX:
        protocol.wasNotCleanReason = "too much came before the handshake was answered"
        protocol.dropConnection(abort=True)
