"""What a client of the websocket asks for in its query string: a form, a place to begin, a filter."""

import re
from typing import NamedTuple
from urllib.parse import parse_qs

from ..models import AMOUNT_MAX, Status
from .feed import Shown

# What each parameter may be; left empty it counts as not given.
PATTERNS = {
    "frames": r"[01]?",
    "since": r"[0-9]{0,18}",
    "epoch": r"|[0-9a-f-]{36}",
    "status": "|".join(("", *Status.values)),
    "user": r"[0-9]{0,18}",
    "amount_min": r"[0-9]{0,19}",
    "amount_max": r"[0-9]{0,19}",
}


class UnreadableQuery(ValueError):
    """A parameter of the query string has a value that makes no sense, is given twice, or is not known."""


class Filter(NamedTuple):
    """Which records a client wants to see: by default all. `status` "" and `user` None stand for any."""

    status: str = ""
    user: int | None = None
    amount_min: int = 0
    amount_max: int = AMOUNT_MAX

    def passes(self, record: Shown) -> bool:
        return bool(
            (not self.status or record["status"] == self.status)
            and (self.user is None or record["user"] == self.user)
            and self.amount_min <= record["amount"] <= self.amount_max
        )


EVERYTHING = Filter()


class Subscription(NamedTuple):
    """Frames, or else the plain stream; with frames, number and epoch of the last record that the client
    knows (`since` None: it begins now), and the records that it wants.
    """

    frames: bool
    since: int | None = None
    epoch: str = ""
    filter: Filter = EVERYTHING


def subscription_of(query: bytes) -> Subscription:
    """What `query` asks for. Raises UnreadableQuery."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if not PATTERNS.keys() >= given.keys():  # a misspelt filter would show everything
        raise UnreadableQuery
    stated = {name: given.get(name, [""]) for name in PATTERNS}
    if any(len(values) > 1 or not re.fullmatch(PATTERNS[name], values[0]) for name, values in stated.items()):
        raise UnreadableQuery
    asked = {name: values[0] for name, values in stated.items()}
    least, most = int(asked["amount_min"] or 0), int(asked["amount_max"] or AMOUNT_MAX)
    if not least <= most <= AMOUNT_MAX:
        raise UnreadableQuery
    user = int(asked["user"]) if asked["user"] else None
    since = int(asked["since"]) if asked["since"] else None
    return Subscription(
        asked["frames"] == "1", since, asked["epoch"], Filter(asked["status"], user, least, most)
    )
