"""What is wrong with the URL of a server, said without repeating any of it: it holds a password."""

import re
from urllib.parse import parse_qsl, urlsplit

from transactions.stores import sentinel_url

ENCODE = (
    "in its user and password write every /, ?, #, @, % and blank, and [ or ], as in a URL: "
    "%2F, %3F, %23, %40, %25, %20, %5B, %5D"
)
DATABASE_SCHEMES = ("postgres", "postgresql")
REDIS_SCHEMES = ("redis", "rediss", "unix", sentinel_url.SCHEME)
# Of several hosts the one that may be written to; a standby is none.
WRITABLE = ("read-write", "primary")

# Whatever ends the part of a URL that names user, password and host.
_END = re.compile(r"[/?#]")
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
# What stands there without a user and a password.
_PORTS = re.compile(r"[^:]*(?::[0-9]+)?|\[.*")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::(?P<port>.*))?", re.DOTALL)


def fault_in_database_url(url: str, *, writes: bool = True) -> str:
    """What is wrong with a URL of PostgreSQL, to follow its name; "" for nothing. By some nobody `writes`."""
    if fault := _fault_in(url, DATABASE_SCHEMES):
        return fault
    path = urlsplit(url).path
    if not path.strip("/"):
        return "names no database: it is written postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    return _fault_in_hosts(url, writes)


def _fault_in_hosts(url: str, writes: bool) -> str:
    """What is wrong with the hosts of a DATABASE_URL where there are several."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [found["port"] for host in hosts if (found := _HOST.fullmatch(host)) and found["port"]]
    enough = (0, len(hosts))
    if len(hosts) == 1 and "host" in asked:
        hosts, ports = asked["host"].split(","), asked.get("port", "").split(",")
        enough = (1, len(hosts))
    if len(hosts) > 1 and not all(hosts):
        return "names nothing between two commas: write a host there, or leave the comma out"
    if len(ports) not in enough:
        return "names a port for some of its hosts only: name one for each, or none"
    if writes and len(hosts) > 1 and asked.get("target_session_attrs", WRITABLE[0]) not in WRITABLE:
        return (
            f"names several hosts, so its target_session_attrs must be {' or '.join(WRITABLE)}, or left out"
        )
    return ""


def fault_in_redis_url(url: str) -> str:
    """What is wrong with a REDIS_URL, to follow its name; "" for nothing."""
    if fault := _fault_in(url, REDIS_SCHEMES):
        return fault
    parts = urlsplit(url)
    if parts.scheme == sentinel_url.SCHEME:
        return sentinel_url.fault(url)
    if parts.scheme == "unix":
        return (
            "" if parts.path.strip("/") else "names no socket: it is written unix://USER:PASSWORD@/PATH?db=0"
        )
    if "," in parts.netloc.rpartition("@")[2]:
        return "names several hosts, which only sentinels are: sentinel://USER:PASSWORD@HOST,HOST,HOST/MASTER"
    if not re.fullmatch(r"/?|/[0-9]+/?", parts.path, re.ASCII):
        return "must end with the number of a database: redis://USER:PASSWORD@HOST:PORT/0"
    return ""


def _fault_in(url: str, schemes: tuple[str, ...]) -> str:
    scheme, found, rest = url.partition("://")
    if not found or scheme not in schemes:
        return f"must start with {' or '.join(f'{name}://' for name in schemes)}"
    authority = _END.split(rest, maxsplit=1)[0]
    user, at, hosts = authority.rpartition("@")
    path, _, query = rest[len(authority) :].partition("?")
    beyond = path + query if not path.strip("/") or not _PORTS.fullmatch(authority) else path
    # The end of user and password is beyond what should follow them, or within.
    unreadable = "#" in url or "@" in user or (not at and "@" in beyond) or re.search(r"[\[\]]", user)
    if unreadable or _STRAY_PERCENT.search(url) or _BLANK.search(url):
        return f"cannot be read: {ENCODE}"
    for host in hosts.split(","):
        parts = _HOST.fullmatch(host)
        if parts is None:
            return f"cannot be read: {ENCODE}"
        port = parts["port"]
        if port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65_536):
            return "has a port that is no number from 1 to 65535"
    return ""
