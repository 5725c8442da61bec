"""Three machines as deploy/machines configures them, a client, and what can be asked of them."""

import contextlib
import http.client
import json
import secrets
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import redis

from deploy.machines.configure import assignments
from dev.waiting import NotInTime, wait_until
from tests.faults.processes import Keeper, Process
from tests.faults.system import MAKE_USERS, USERS, environment_of
from tests.machines.machine import APPLICATION, BIN, SERVERS, WEB_PORT, Machine
from tests.machines.network import HUB_ADDRESS, Namespace

NAMES = ("m1", "m2", "m3")
CLIENT_ADDRESS = "10.77.0.1"
ADDRESSES = {name: f"10.77.0.{11 + at}" for at, name in enumerate(NAMES)}
LOOPBACKS = {name: f"127.0.0.{11 + at}" for at, name in enumerate(NAMES)}
MASTER = "transactions"
START_S = 90.0
# Both stores are whole again within this, in seconds, once a machine is back.
WHOLE_S = 90.0
DRAIN_S = 90.0
ASK_S = 2.0
# The steps of docs/machines.md that are done once, on the leader's machine.
MAKE_DATABASE = """
CREATE ROLE transactions LOGIN PASSWORD '{password}';
GRANT pg_read_all_stats TO transactions;
CREATE DATABASE transactions_database OWNER transactions;
"""


class Standing(NamedTuple):
    """How a store stands: the machine of its primary or leader, and those of who follow in step."""

    primary: str
    followers: tuple[str, ...]


class Cluster:
    """`namespaces` False: all on one network, where nothing can be cut. Closed, nothing of it is left."""

    def __init__(self, directory: Path, *, namespaces: bool = True) -> None:
        self.directory, self.namespaces = directory, namespaces
        self.addresses = ADDRESSES if namespaces else LOOPBACKS
        self.passwords = {
            name: secrets.token_hex(16)
            for name in (
                *("REDIS_PASSWORD", "POSTGRES_PASSWORD", "POSTGRES_ADMIN_PASSWORD"),
                *("REPLICATION_PASSWORD", "PATRONI_PASSWORD"),
            )
        }
        self.keeper = Keeper()
        self.closing = contextlib.ExitStack()
        self.closing.callback(self.keeper.close)
        self.token = ""
        self.machines: dict[str, Machine] = {}
        try:
            self._make_machines()
        except BaseException:
            self.close()
            raise

    def _make_machines(self) -> None:
        self.hub = self.client = None
        if self.namespaces:
            self.hub = self._namespace("hub", HUB_ADDRESS)
            self.client = self._namespace("client", CLIENT_ADDRESS)
        self.machines |= {name: self._machine(name) for name in NAMES}

    def _namespace(self, name: str, address: str) -> Namespace:
        namespace = Namespace(name, address, self.hub)
        self.closing.callback(namespace.end)
        return namespace

    def _machine(self, name: str) -> Machine:
        settings = {
            "MACHINE": name,
            **{each.upper(): address for each, address in self.addresses.items()},
            "LOOPBACK": "127.0.0.1" if self.namespaces else f"127.0.0.2{name[1]}",
            "ETCD_STATE": "new",
            "REDIS_MAXMEMORY": "1gb",
            **self.passwords,
        }
        namespace = self._namespace(name, self.addresses[name]) if self.namespaces else None
        return Machine(settings, self.directory / name, self.keeper, namespace)

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def close(self) -> None:
        """Everything is stopped, and the machines are gone."""
        for process in self.keeper.processes:
            process.held = True
        for machine in self.machines.values() if not self.namespaces else ():
            machine.kill(*list(machine.processes))
        self.closing.close()

    # --- Starting -------------------------------------------------------------------------------

    def start_servers(self) -> None:
        """As the first installation: etcd, Redis, Sentinel, PostgreSQL on each, in step."""
        (self["m1"].state / "redis" / "first-start").touch()
        for machine in self.machines.values():
            machine.start(*SERVERS)
        self.wait_whole(START_S)

    def start_application(self) -> None:
        """The database with its users and a token, then the processes of the application."""
        self.make_database()
        secret = secrets.token_urlsafe(48)
        for machine in self.machines.values():
            told = assignments(machine.configured / "application.env")
            machine.environment = {
                **environment_of(machine.directory, told["DATABASE_URL"], told["REDIS_URL"]),
                **told,
                "SECRET_KEY": secret,
            }
        self._manage("migrate", "-v", "0")
        with self.sql() as cursor:
            cursor.execute(MAKE_USERS, (USERS,))
        self.token = self._manage("create_token", "machines").strip()
        for name, machine in self.machines.items():
            machine.start(*APPLICATION[name])
        self.wait_ready()

    def make_database(self) -> None:
        """Its role and the database, empty."""
        machine = self["m1"]
        where = f"postgres://postgres@{machine.settings['LOOPBACK']}:5000/postgres"
        psql = [str(Path(machine.settings["POSTGRES_BIN"]) / "psql"), "-qv", "ON_ERROR_STOP=1", where]
        # From its input: a command line can be read by everybody on this machine.
        text = MAKE_DATABASE.format(password=self.passwords["POSTGRES_PASSWORD"])
        done = machine.run(psql, text=text, PGPASSWORD=self.passwords["POSTGRES_ADMIN_PASSWORD"])
        assert done.returncode == 0, done.stderr

    def _manage(self, *words: str) -> str:
        machine = self.alive[0]
        done = machine.run([str(BIN / "python"), "-W", "ignore", "manage.py", *words])
        assert done.returncode == 0, done.stderr
        return done.stdout

    # --- What somebody does with it -----------------------------------------------------------------

    def hand_over_redis(self) -> None:
        """The sentinels make another one primary: what is done before a machine is taken down."""
        before = self.redis_primary()
        self._sentinel(self.alive[0]).sentinel_failover(MASTER)
        wait_until(lambda: self.redis_primary() not in ("", before), 30, "another Redis is primary")
        self.wait_whole()

    def replace(self, name: str) -> None:
        """A machine with empty disks takes the place of one that is gone, as docs/machines.md has it."""
        machine, peer = self[name], self.alive[0]
        endpoint = f"--endpoints=http://{peer.address}:2379"
        members = [line.split(", ") for line in self._etcdctl(peer, endpoint, "member", "list").splitlines()]
        (member,) = [words[0] for words in members if words[2] == name]
        self._etcdctl(peer, endpoint, "member", "remove", member)
        self._etcdctl(peer, endpoint, "member", "add", name, f"--peer-urls=http://{machine.address}:2380")
        machine.come_back()
        machine.configure(ETCD_STATE="existing")
        machine.wipe()
        machine.start(*SERVERS, *APPLICATION[name])

    def _etcdctl(self, machine: Machine, *words: str) -> str:
        done = machine.run(["etcdctl", *words], ETCDCTL_API="3")
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def as_client(self) -> Iterator[None]:
        """This thread, and those that it starts, are on the client's network."""
        with self.client.inside() if self.client else contextlib.nullcontext():
            yield

    # --- How it stands ----------------------------------------------------------------------------

    @property
    def alive(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if "patroni" in machine.processes]

    def redis_primary(self) -> str:
        """The machine that the latest word of the sentinels names, "" while none answers."""
        words = []
        for machine in self.alive:
            with contextlib.suppress(redis.RedisError, OSError):
                told = self._sentinel(machine).sentinel_master(MASTER, return_responses=True)
                assert isinstance(told, dict)
                words.append((int(told["config-epoch"]), str(told["ip"])))
        by_address = {address: name for name, address in self.addresses.items()}
        return by_address.get(max(words)[1], "") if words else ""

    def _sentinel(self, machine: Machine) -> "redis.Redis":
        password = self.passwords["REDIS_PASSWORD"]
        bounds: dict[str, Any] = {"socket_timeout": ASK_S, "socket_connect_timeout": ASK_S}
        return redis.Redis(machine.address, 26379, password=password, **bounds)

    def redis_standing(self) -> Standing | None:
        """None while no primary answers."""
        name = self.redis_primary()
        try:
            told = self.redis_of(name).info("replication")
        except (redis.RedisError, OSError, KeyError):
            return None
        if told["role"] != "master":
            return None
        replicas = [told[f"slave{at}"] for at in range(int(told["connected_slaves"]))]
        by_address = {address: name for name, address in self.addresses.items()}
        inside = [by_address[each["ip"]] for each in replicas if each["state"] == "online"]
        return Standing(name, tuple(sorted(inside)))

    def redis_of(self, name: str) -> "redis.Redis":
        password = self.passwords["REDIS_PASSWORD"]
        bounds: dict[str, Any] = {"socket_timeout": 10, "socket_connect_timeout": ASK_S}
        return redis.Redis(self.addresses[name], 6379, password=password, **bounds)

    def redis_client(self) -> "redis.Redis":
        """A client of the primary, once there is one."""
        wait_until(self.redis_standing, START_S, "Redis has a primary")
        return self.redis_of(self.redis_primary())

    def postgres_standing(self) -> Standing | None:
        """As Patroni sees it; None while nobody leads."""
        for machine in self.alive:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                url = f"http://{machine.address}:8008/cluster"
                with urllib.request.urlopen(url, timeout=ASK_S) as answer:
                    members = json.loads(answer.read())["members"]
                leaders = [
                    each["name"]
                    for each in members
                    if each["role"] == "leader" and each["state"] == "running"
                ]
                streaming = [each["name"] for each in members if each["state"] == "streaming"]
                if leaders:
                    return Standing(leaders[0], tuple(sorted(streaming)))
        return None

    def is_whole(self) -> bool:
        """Both stores have a primary and two that follow it."""
        standings = (self.redis_standing(), self.postgres_standing())
        whole = all(standing and len(standing.followers) == 2 for standing in standings)
        return whole and all(map(self._knows_all, self.machines.values()))

    def _knows_all(self, machine: Machine) -> bool:
        """Whether its sentinel knows the other two and both replicas, and finds the primary well."""
        try:
            told = self._sentinel(machine).sentinel_master(MASTER, return_responses=True)
        except (redis.RedisError, OSError):
            return False
        assert isinstance(told, dict)
        return (told["num-other-sentinels"], told["num-slaves"], told["flags"]) == (2, 2, "master")

    def wait_whole(self, seconds: float = WHOLE_S) -> float:
        try:
            return wait_until(self.is_whole, seconds, "both stores are whole")
        except NotInTime as error:
            stand = (self.redis_standing(), self.postgres_standing())
            raise AssertionError(f"{error}; Redis {stand[0]}, PostgreSQL {stand[1]}") from None

    # --- What the checker asks ----------------------------------------------------------------------

    @property
    def processes(self) -> dict[str, Process]:
        measured = ("web", "worker", "beat", "redis")
        return {
            process.name: process
            for machine in self.machines.values()
            for name, process in machine.processes.items()
            if name in measured
        }

    @contextlib.contextmanager
    def sql(self) -> Iterator[Any]:
        """A cursor at the leader, each statement its own transaction."""
        wait_until(self.postgres_standing, START_S, "PostgreSQL has a leader")
        connection = self._connect()
        try:
            connection.autocommit = True
            yield connection.cursor()
        finally:
            connection.close()

    def _connect(self) -> Any:
        machine = self.alive[0]
        password = self.passwords["POSTGRES_PASSWORD"]
        url = f"postgres://transactions:{password}@{machine.settings['LOOPBACK']}:5000/transactions_database"
        deadline = time.monotonic() + START_S
        while True:
            try:
                with machine.namespace.inside() if machine.namespace else contextlib.nullcontext():
                    return psycopg2.connect(url, connect_timeout=5)
            except psycopg2.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def get(self, machine: Machine, path: str, timeout_s: float = 10.0) -> tuple[int, Any]:
        """The status and the JSON of an answer. Raises OSError, http.client.HTTPException."""
        connection = http.client.HTTPConnection(machine.address, WEB_PORT, timeout=timeout_s)
        try:
            headers = {"Host": "127.0.0.1", "Authorization": f"Bearer {self.token}"}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def books(self) -> dict[str, Any]:
        """GET /api/pipeline/ of the first that answers, {} if nobody does."""
        for machine in self.alive:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                status, body = self.get(machine, "/api/pipeline/")
                if status == 200:
                    return dict(body)
        return {}

    def alarms(self) -> list[Any]:
        """What readiness says of the books and of the system."""
        _, told = self.get(self.alive[0], "/readyz")
        return list(told["alarms"])

    def drained(self) -> bool:
        books = self.books()
        return books.get("buffered") == 0 and books.get("in_flight") == 0 and books.get("balanced") is True

    def wait_drained(self, seconds: float = DRAIN_S) -> float:
        """Invariant D. Returns how long it took."""
        try:
            return wait_until(self.drained, seconds, "everything accepted is stored and the books balance")
        except NotInTime as error:
            raise AssertionError(f"{error}; the books: {self.books()}") from None

    def wait_ready(self, seconds: float = START_S) -> None:
        """Each web takes money in."""

        def ready() -> bool:
            try:
                return all(self.get(machine, "/readyz")[0] == 200 for machine in self.alive)
            except (OSError, http.client.HTTPException):
                return False

        wait_until(ready, seconds, "every web is ready")

    def verify(self) -> tuple[int, str]:
        """Invariant H: the status of `manage.py verify --deep` and what it prints."""
        done = self.alive[0].run([str(BIN / "python"), "-W", "ignore", "manage.py", "verify", "--deep"])
        return done.returncode, done.stdout + done.stderr
