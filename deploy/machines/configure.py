"""Fills the templates beside this file in for one machine.

    python3 configure.py MACHINE_ENV DIRECTORY

MACHINE_ENV is as machine.env.example has it. What is written holds passwords: only who writes it, and its
group, may read it. Standard library alone.
"""

import hashlib
import ipaddress
import os
import re
import sys
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
NAMES = ("m1", "m2", "m3")
# Variables that are addresses, with what one looks like.
ADDRESSES = {"LOOPBACK": "127.0.0.1", "M1": "10.0.0.11", "M2": "10.0.0.12", "M3": "10.0.0.13"}
# What may stand in YAML and in a configuration of Redis without being taken for anything else.
_PLAIN = re.compile(r"[\w./:-]+", re.ASCII)
# What may stand in a URL, between its colon and its @.
_PASSWORD = re.compile(r"[A-Za-z0-9]+")
_BYTES = re.compile(r"[1-9][0-9]*(?:[kmg]b?)?", re.IGNORECASE)


class Fault(Exception):
    """What is wrong with a machine's variables; the message is one line."""


def assignments(path: Path) -> dict[str, str]:
    """The lines NAME=value of a file, whatever they say."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def variables(path: Path) -> dict[str, str]:
    """What a file of NAME=value says of a machine, with what follows from it. Raises Fault."""
    found = assignments(path)
    example = (HERE / "machine.env.example").read_text()
    for name in re.findall(r"^(\w+)=", example, re.MULTILINE):
        value = found.get(name, "")
        if name.endswith("_PASSWORD") and not _PASSWORD.fullmatch(value):
            raise Fault(f"{name} in {path} must be of letters and digits alone, A to Z and 0 to 9, not empty")
        if not _PLAIN.fullmatch(value):
            raise Fault(f"{name} in {path} must be of letters, digits and . / : - _, and not empty")
    if found["MACHINE"] not in NAMES:
        raise Fault(f"MACHINE in {path} must be one of {', '.join(NAMES)}")
    if found["ETCD_STATE"] not in ("new", "existing"):
        raise Fault(f"ETCD_STATE in {path} must be new or existing")
    if not _BYTES.fullmatch(found["REDIS_MAXMEMORY"]):
        raise Fault(f"REDIS_MAXMEMORY in {path} must be a number of bytes, such as 4gb")
    _insist_on_addresses(found, path)
    found["ADDRESS"] = found[found["MACHINE"].upper()]
    found["SENTINEL_ID"] = hashlib.sha1(found["MACHINE"].encode(), usedforsecurity=False).hexdigest()
    return found


def _insist_on_addresses(found: dict[str, str], path: Path) -> None:
    """Four of IPv4, each another: pg_hba.conf and the URLs take nothing else, and a name may not resolve."""
    whose = dict[str, str]()
    for name, such_as in ADDRESSES.items():
        address = found[name]
        try:
            ipaddress.IPv4Address(address)
        except ValueError:
            raise Fault(f"{name} in {path} must be an IPv4 address, such as {such_as}") from None
        if other := whose.get(address):
            raise Fault(f"{name} in {path} is the address of {other}; each machine has one of its own")
        whose[address] = name


def configure(machine: dict[str, str], directory: Path) -> None:
    """Writes every template of this directory, filled in, without its last suffix."""
    directory.mkdir(parents=True, exist_ok=True)
    for template in sorted(HERE.glob("*.template")):
        text = Template(template.read_text()).substitute(machine)
        file = directory / template.stem
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w") as writer:
            # One that was there already keeps its mode otherwise.
            os.fchmod(writer.fileno(), 0o640)
            writer.write(text)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        configure(variables(Path(sys.argv[1])), Path(sys.argv[2]))
    except (Fault, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
