"""A REDIS_URL that names sentinels: sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT,HOST:PORT/MASTER?db=0."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qs, quote, unquote, urlsplit

SCHEME = "sentinel"
PORT = 26379
FORM = "it is written sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT,HOST:PORT/MASTER?db=0"

_MASTER = re.compile(r"/[A-Za-z0-9._-]+/?", re.ASCII)
_QUERY = re.compile(r"(?:db=[0-9]{1,5})?", re.ASCII)
_HOST = re.compile(r"\[?(?P<host>(?<=\[)[^\]]+|[^:\[\]]+)\]?(?::(?P<port>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """Which sentinels to ask for the primary of `master`; user and password are those of Redis' servers."""

    sentinels: tuple[tuple[str, int], ...]
    master: str
    db: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def majority(self) -> int:
        """How many of the sentinels are more than half of them."""
        return len(self.sentinels) // 2 + 1

    @property
    def of_broker(self) -> str:
        """The same as kombu writes it: each sentinel in a URL of its own, and the master elsewhere."""
        account = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.sentinels)
        return ";".join(f"{SCHEME}://{account}{host}/{self.db}" for host in hosts)

    @property
    def credentials(self) -> dict[str, str]:
        """What a client of Redis' servers shows."""
        named = {"username": self.user, "password": self.password}
        return {name: value for name, value in named.items() if value}

    @property
    def credentials_of_sentinels(self) -> dict[str, str]:
        """The same password, of the user that every server has: one that asks for none takes any of it."""
        return {"username": "default", "password": self.password} if self.password else {}


@lru_cache(maxsize=8)
def read(url: str) -> SentinelUrl | None:
    """What the URL says; None for one of another scheme. It is taken to be without `fault`."""
    if not url.startswith(f"{SCHEME}://"):
        return None
    parts = urlsplit(url)
    account, _, hosts = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    return SentinelUrl(
        tuple(map(_address, hosts.split(","))),
        parts.path.strip("/"),
        int(parse_qs(parts.query).get("db", ["0"])[0]),
        unquote(user),
        unquote(password),
    )


def fault(url: str) -> str:
    """What is wrong with a URL of this scheme whose parts can be told apart; "" for nothing."""
    parts = urlsplit(url)
    if not _MASTER.fullmatch(parts.path):
        return f"names no master, whose primary the sentinels tell: {FORM}"
    if not _QUERY.fullmatch(parts.query):
        return f"may say db=NUMBER behind its ?, and nothing else: {FORM}"
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not all(map(_HOST.fullmatch, hosts)):
        return f"names no sentinel, or nothing between two commas: {FORM}"
    if len({_address(host) for host in hosts}) < len(hosts):
        return "names a sentinel twice: a majority of them could not be told"
    return ""


def _address(host: str) -> tuple[str, int]:
    found = _HOST.fullmatch(host)
    assert found is not None
    return found["host"], int(found["port"] or PORT)
