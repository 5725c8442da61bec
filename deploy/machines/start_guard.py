"""Starts Redis, or Sentinel, of one of three machines, once it is clear what it may start as.

    python3 start_guard.py MACHINE_ENV DIRECTORY redis|sentinel PROGRAM

A primary that loses its disk and starts again at once, before anybody missed it, would have its replicas
copy nothing over everything. So a Redis without data never starts as primary, unless the file
STATE/redis/first-start says that there is nothing yet: it waits until the sentinels name another one, and
joins that as its replica. One with data that was replaced meanwhile joins its successor too. Each start
begins from DIRECTORY/redis.conf, as configure.py wrote it.

A Redis whose disk is full ends at its next write. Started again at once it would be there for a moment, again
and again, and never long enough away for the others to go on without it. So it waits until there is room.

A Sentinel keeps its own file. One that lost it asks the others who is primary, instead of beginning with m1.

Standard library alone; turns into PROGRAM.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from configure import NAMES, Fault, variables

MASTER = "transactions"
REDIS_PORT, SENTINEL_PORT = 6379, 26379
ASK_S = 0.5
# How long a server with data waits for two sentinels. None may be there yet where all machines start at once.
PATIENCE_S = 10.0
LOOK_EACH_S = 0.5
# What must be free on the disk for a Redis to start.
ROOM_BYTES = 64 * 1024 * 1024


class Primary(NamedTuple):
    """Whom a sentinel names, and of which failover it has that: the highest is the latest."""

    epoch: int
    address: str


def ask(address: str, port: int, *commands: tuple[str, ...]) -> list[str] | None:
    """The flat answer to the last of some commands, None where none comes in time."""
    try:
        with socket.create_connection((address, port), ASK_S) as connection:
            connection.settimeout(ASK_S)
            for words in commands:
                connection.sendall(b"*%d\r\n" % len(words) + b"".join(map(_bulk, words)))
            with connection.makefile("rb") as answers:
                return [list(_read(answers.readline, answers.read)) for _ in commands][-1]
    except (OSError, ValueError):
        return None


def _log_in(machine: dict[str, str]) -> tuple[str, ...]:
    return ("AUTH", "default", machine["REDIS_PASSWORD"])


def _bulk(word: str) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())


def _read(line, read) -> Iterator[str]:  # type: ignore[no-untyped-def]
    head = line().decode().strip()
    kind, rest = head[:1], head[1:]
    if kind == "*":
        for _ in range(int(rest)):
            yield from _read(line, read)
    elif kind == "$":
        yield read(int(rest) + 2)[:-2].decode() if int(rest) >= 0 else ""
    elif kind in ("+", ":"):
        yield rest
    else:
        raise ValueError(head or "hung up")


def named_primary(machine: dict[str, str], least: int) -> Primary | None:
    """The primary of the latest failover that any sentinel knows, once at least so many of them answer."""
    found = []
    for name in NAMES:
        words = ask(machine[name.upper()], SENTINEL_PORT, _log_in(machine), ("SENTINEL", "MASTER", MASTER))
        if words:
            told = dict(zip(words[::2], words[1::2], strict=False))
            found.append(Primary(int(told["config-epoch"]), told["ip"]))
    return max(found) if len(found) >= least else None


def has_data(directory: Path) -> bool:
    """Whether a server has written anything there."""
    return any(file.stat().st_size for file in directory.glob("appendonlydir/*.manifest"))


def others_have_data(machine: dict[str, str]) -> bool:
    """Whether any other machine's Redis holds a key."""
    others = [machine[name.upper()] for name in NAMES if name != machine["MACHINE"]]
    sizes = [ask(address, REDIS_PORT, _log_in(machine), ("DBSIZE",)) for address in others]
    return any(size not in (None, ["0"]) for size in sizes)


def primary_to_join(machine: dict[str, str], directory: Path) -> str:
    """The address of whom this Redis starts as a replica of, "" for none. Waits as long as it takes."""
    began, told = time.monotonic(), ""
    mark = directory / "first-start"
    while True:
        primary = named_primary(machine, least=2)
        if primary and primary.address != machine["ADDRESS"]:
            return primary.address
        if has_data(directory):
            if primary:
                return ""
            if time.monotonic() - began > PATIENCE_S:
                return _as_before(directory / "redis.conf")
        elif mark.exists() and not others_have_data(machine):
            mark.unlink()
            return ""
        if not told:
            told = "this Redis waits until two sentinels answer"
            if not has_data(directory):
                told = "this Redis has no data, and waits until the sentinels name another one to join"
            print(f"start_guard: {told}", file=sys.stderr, flush=True)
        time.sleep(LOOK_EACH_S)


def wait_for_room(directory: Path) -> None:
    """Returns once so much can be written there. Waits as long as it takes."""
    told = ""
    while problem := _no_room(directory / "room"):
        if problem != told:
            told = problem
            room = f"{ROOM_BYTES // 1024**2} MiB"
            print(
                f"start_guard: this Redis waits for {room} on its disk: {told}", file=sys.stderr, flush=True
            )
        time.sleep(LOOK_EACH_S)


def _no_room(file: Path) -> str:
    """Why nothing can be written, "" if it can: asked of the disk by taking what is asked for."""
    try:
        with file.open("wb") as taken:
            os.posix_fallocate(taken.fileno(), 0, ROOM_BYTES)
            os.fsync(taken.fileno())
    except OSError as error:
        return error.strerror or str(error)
    finally:
        file.unlink(missing_ok=True)
    return ""


def _as_before(file: Path) -> str:
    """Whose replica the last run was, as Sentinel had it write down."""
    lines = file.read_text().split("\n") if file.exists() else []
    replica_of = [line.split()[1] for line in lines if line.startswith(("replicaof ", "slaveof "))]
    return replica_of[-1] if replica_of else ""


def prepare_redis(machine: dict[str, str], configured: Path, directory: Path) -> Path:
    """The configuration that this start uses, written anew."""
    wait_for_room(directory)
    address = primary_to_join(machine, directory)
    text = configured.read_text() + (f"\nreplicaof {address} {REDIS_PORT}\n" if address else "")
    return _write(directory / "redis.conf", text)


def prepare_sentinel(machine: dict[str, str], configured: Path, directory: Path) -> Path:
    """The file that Sentinel keeps; made at the first start."""
    kept = directory / "sentinel.conf"
    if kept.exists() and kept.stat().st_size:
        return kept
    primary = named_primary(machine, least=1)
    text = configured.read_text()
    if primary:
        first, latest = (f"monitor {MASTER} {address} " for address in (machine["M1"], primary.address))
        text = text.replace(first, latest)
    return _write(kept, text)


def _write(file: Path, text: str) -> Path:
    """Whole or not at all."""
    new = file.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as writer:
        writer.write(text)
        writer.flush()
        os.fsync(writer.fileno())
    new.replace(file)
    return file


def main() -> None:
    if len(sys.argv) != 5 or sys.argv[3] not in ("redis", "sentinel"):
        sys.exit(__doc__)
    environment, configured, what, program = sys.argv[1:]
    try:
        machine = variables(Path(environment))
        directory = Path(machine["STATE"]) / what
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        prepare = prepare_redis if what == "redis" else prepare_sentinel
        file = prepare(machine, Path(configured) / f"{what}.conf", directory)
        os.execv(program, [program, str(file), *(["--sentinel"] if what == "sentinel" else [])])
    except (Fault, OSError) as error:
        sys.exit(f"start_guard: {error}")


if __name__ == "__main__":
    main()
