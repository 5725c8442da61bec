"""Three guests as docs/machines.md installs them, each step as it stands; a hub between them routes."""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dev.waiting import NotInTime, wait_until
from tests.compose.site import filled_in
from tests.machines.network import HUB_ADDRESS, Namespace, plug_in
from tests.machines.steps import blocks
from tests.support.serving import ROOT
from tests.units.guest import Guest
from tests.units.installed import Installed

ADDRESSES = {"m1": "10.77.0.1", "m2": "10.77.0.2", "m3": "10.77.0.3"}
SERVERS = ("etcd", "transactions-redis", "transactions-sentinel", "transactions-patroni", "haproxy")
SECRETS = (
    "REDIS_PASSWORD",
    "POSTGRES_PASSWORD",
    "POSTGRES_ADMIN_PASSWORD",
    "REPLICATION_PASSWORD",
    "PATRONI_PASSWORD",
)
# A guest has a database and a Redis of its own, and Debian has PostgreSQL 17.
OWN_STORES = """
systemctl stop postgresql@17-main
systemctl disable --now redis-server postgresql
pg_dropcluster 17 main
"""
WHOLE_S = 240.0


def prepare(lower: Path, directory: Path) -> str:
    """The trees that all three lie on: what is the same on each, and Debian below it."""
    guest = Guest(str(lower), directory)
    try:
        guest.boot()
        guest.run(OWN_STORES)
        Installed(guest).bring()
        guest.run("apt-get update -qq", outside=True)
        (packages, *_) = blocks("Installing")
        assert packages.count("apt-get install ") == packages.count("postgresql-18") == 1
        packages = packages.replace("postgresql-18", "postgresql-17")
        packages = packages.replace("apt-get install ", "apt-get install -yqq --no-install-recommends ")
        guest.run(f"export DEBIAN_FRONTEND=noninteractive\n{packages}", outside=True)
        guest.run("sync")
    finally:
        guest.power_off()
    return f"{directory}/upper:{lower}"


class Three:
    def __init__(self, trees: str, directory: Path) -> None:
        self.machines: dict[str, Installed] = {}
        self.hub: Namespace | None = None
        for name, address in ADDRESSES.items():
            place = directory / name
            (place / "upper" / "etc").mkdir(parents=True)
            (place / "upper" / "etc" / "hostname").write_text(f"{name}\n")
            guest = Guest(trees, place)
            guest.plug_in = self._cable(name, address)
            self.machines[name] = Installed(guest, address)

    def _cable(self, name: str, address: str) -> Callable[[int], None]:
        def plug(first: int) -> None:
            assert self.hub is not None
            # Of the machine that was lost; the kernel takes it away too, some time later.
            self.hub.ip(f"link delete to-{name}", check=False)
            plug_in(first, name, address, self.hub)

        return plug

    @property
    def guests(self) -> list[Guest]:
        return [machine.guest for machine in self.machines.values()]

    def start(self) -> None:
        self.hub = Namespace("hub", HUB_ADDRESS)
        for guest in self.guests:
            guest.boot()

    def end(self) -> None:
        for guest in self.guests:
            guest.power_off()
            shutil.rmtree(guest.directory / "upper", ignore_errors=True)
        if self.hub is not None:
            self.hub.end()

    def install(self) -> None:
        """What the handbook says, but for PostgreSQL's release and what is typed."""
        (_, configured, first_start, servers, once, application) = blocks("Installing")
        values = {name: secrets.token_hex(16) for name in SECRETS}
        values |= {name.upper(): address for name, address in ADDRESSES.items()}
        values |= {"POSTGRES_BIN": "/usr/lib/postgresql/17/bin", "REDIS_MAXMEMORY": "512mb"}
        example = (ROOT / "deploy" / "machines" / "machine.env.example").read_text()
        for name, machine in self.machines.items():
            machine.fill_in()
            text = filled_in(example, {**values, "MACHINE": name})
            machine.guest.run(f"cat >/etc/transactions/machine.env <<'END'\n{text}END\n{configured}")
        self.machines["m1"].guest.run(first_start)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda guest: guest.run(servers), self.guests))
        self.wait_whole()
        self.machines["m1"].type(once)
        self.machines["m3"].guest.run("systemctl mask transactions-beat")
        for machine in self.machines.values():
            machine.type(f"{application}chmod -R a+rX /opt/transactions")

    # --- What is seen, from a machine that is there ---------------------------------------------------

    def _ask(self, commands: str) -> str:
        """What one of those that are there is told."""
        return next(told for told in self._told(commands))

    def _told(self, commands: str) -> Iterator[str]:
        """What each of those that are there is told, one after the other."""
        known = '. /etc/transactions/machine.env\nexport REDISCLI_AUTH="$REDIS_PASSWORD"\n'
        for guest in self.guests:
            if guest.first:
                yield guest.run(f"{known}{commands}", check=False)

    def is_whole(self) -> bool:
        """As the handbook tells it, and each web answers."""
        (asked,) = (block for block in blocks("Is it well?") if "patronictl" in block)
        said = self._ask(asked)
        counted = {"flags\nmaster\n": 1, "state=online": 2, "| Leader": 1, "| streaming": 2, "is healthy": 3}
        return all(said.count(words) == times for words, times in counted.items())

    def answers(self) -> bool:
        return all(machine.ask("GET", "/livez") == 200 for machine in self.machines.values())

    def wait_whole(self, *, with_web: bool = False) -> None:
        try:
            wait_until(self.is_whole, WHOLE_S, "both stores are whole")
            if with_web:
                wait_until(self.answers, WHOLE_S, "each web answers")
                wait_until(lambda: self.ready() == 200, WHOLE_S, "all is ready")
        except NotInTime as error:
            journals = "\n\n".join(guest.journal() for guest in self.guests if guest.first)
            raise AssertionError(f"{error}\n{journals}") from None

    def ready(self) -> int:
        return max(machine.ask("GET", "/readyz") for machine in self.machines.values())

    def primary(self) -> str:
        """The name of the machine whose Redis is primary, by the first sentinel that answers.

        Each machine asks its own: one that is gone would have to be waited for.
        """
        asked = "valkey-cli -p 26379 sentinel get-master-addr-by-name transactions"
        told = next(words for words in map(str.split, self._told(asked)) if words)
        (name,) = (name for name, address in ADDRESSES.items() if address == told[0])
        return name

    def leader(self) -> str:
        """The name of the machine whose PostgreSQL leads; empty while none does."""
        listed = self._ask(
            "/opt/patroni/.venv/bin/patronictl -c /etc/transactions/machine/patroni.yml list -f json"
        )
        # Nothing is told while etcd itself looks for a leader.
        members = json.loads(listed or "[]")
        return next((str(member["Member"]) for member in members if member["Role"] == "Leader"), "")

    # --- A system that is posted to -------------------------------------------------------------------

    def enroll(self) -> None:
        first = self.machines["m1"]
        first.enroll()
        for machine in self.machines.values():
            machine.token, machine.user = first.token, first.user

    def post(self, name: str) -> int:
        """As a balancer does: the next one where one does not take it."""
        status = 0
        for machine in self.machines.values():
            status = machine.post(name)
            if status == 200:
                break
        return status

    def rows(self) -> list[str]:
        asked = "SELECT transaction_id FROM transactions_transaction"
        server = '"postgres://transactions:$POSTGRES_PASSWORD@127.0.0.1:5000/transactions_database"'
        return sorted(self._ask(f"psql -Atc '{asked}' {server}").splitlines())

    def books(self) -> dict[str, Any]:
        return self.machines["m2"].books()
