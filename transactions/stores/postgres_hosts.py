"""Several hosts of PostgreSQL in one URL: which of them is asked first. Of one host nothing is asked here.

libpq tries hosts in turn, waits for one that is dead for the seconds it is given, and forgets what it found.
So the process remembers which host let somebody in last, and everybody begins with it. Who waits on an event
loop cannot have libpq try in turn at all: there it waits without an end.
"""

from typing import Any

Host = tuple[str, str]
Key = tuple[frozenset[Host], str]

# By the hosts of a URL, and what they are asked for: the host that let somebody in last, and its port.
_last_in: dict[Key, Host] = {}


def in_order(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a connection, with the host first that let somebody in last."""
    hosts = _hosts(parameters)
    first = _last_in.get(_key(hosts, parameters)) if len(hosts) > 1 else None
    if first is None:
        return parameters
    return parameters | _named([first, *(host for host in hosts if host != first)])


def one_by_one(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of a connection to each of the hosts alone."""
    hosts = _hosts(parameters)
    return [parameters | _named([host]) for host in hosts] if len(hosts) > 1 else [parameters]


def let_in(parameters: dict[str, Any], connection: Any) -> None:
    """Remembers which of the hosts in `parameters` has let `connection` in."""
    hosts = _hosts(parameters)
    if len(hosts) > 1:
        _last_in[_key(hosts, parameters)] = (connection.info.host, str(connection.info.port))


def forget() -> None:
    """Forgets which host let anybody in, for a test that begins."""
    _last_in.clear()


def _hosts(parameters: dict[str, Any]) -> list[Host]:
    """Each with its port; none where addresses are named beside hosts, which are then left as they stand."""
    if "hostaddr" in parameters:
        return []
    hosts = str(parameters.get("host") or "").split(",")
    ports = str(parameters.get("port") or "5432").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    return list(zip(hosts, ports, strict=False))


def _named(hosts: list[Host]) -> dict[str, Any]:
    return {"host": ",".join(host for host, _ in hosts), "port": ",".join(port for _, port in hosts)}


def _key(hosts: list[Host], parameters: dict[str, Any]) -> Key:
    return frozenset(hosts), str(parameters.get("target_session_attrs") or "any")
