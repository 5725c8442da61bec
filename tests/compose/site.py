"""A host that runs the compose file as the handbook says: its directory, its commands, its answers."""

import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx

from dev.ports import free_port
from dev.waiting import NotInTime
from tests.compose.engine import Engine
from tests.compose.sending import until
from tests.support.containers import FILLED_IN
from tests.support.serving import ROOT

HANDBOOK = (ROOT / "docs" / "operations.md").read_text()


def documented(heading: str) -> list[str]:
    """The blocks of commands under a heading of the handbook."""
    section = re.split(rf"^#+ {re.escape(heading)}$", HANDBOOK, flags=re.MULTILINE)[1]
    return re.findall(
        r"^```bash\n(.*?)^```$", re.split(r"^##+ ", section, flags=re.MULTILINE)[0], re.M | re.S
    )


def copy_project(directory: Path) -> None:
    """The files of the repository as they are here, without what it leaves out."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)


def filled_in(text: str, values: dict[str, str]) -> str:
    """An .env with these in their lines."""
    for name, value in values.items():
        text, times = re.subn(rf"^#? ?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert times == 1, name
    return text


class Site:
    """The project's files in `directory`, with an .env of its own."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine, self.directory = engine, directory
        self.token, self._user = "", 0
        copy_project(directory)
        self.port, https, http = free_port(), free_port(), free_port()
        self.plain, self.secure = f"http://localhost:{http}", f"https://localhost:{https}"
        secret = {name: secrets.token_urlsafe(48) for name in FILLED_IN}
        ports = {"PORT": str(self.port), "HTTPS_PORT": str(https), "HTTP_PORT": str(http)}
        values = {**secret, "ALLOWED_HOSTS": "example.org", **ports}
        (directory / ".env").write_text(filled_in((directory / ".env.example").read_text(), values))

    def type(self, commands: str) -> str:
        """What somebody sees who types them in a terminal of this host; the first that fails ends it."""
        file = self.directory / ".typed"
        file.write_text(f"set -euo pipefail\n{commands}")
        done = subprocess.run(
            ["script", "--quiet", "--return", "--flush", "--command", f"bash {file.name}", "/dev/null"],
            cwd=self.directory,
            env={
                **self.engine.environment,
                "TERM": "dumb",
                "COMPOSE_PROGRESS": "plain",
                "COMPOSE_ANSI": "never",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            logs = self.compose("logs", "--tail=30", check=False)
            raise RuntimeError(f"{commands}\n{done.stdout[-3000:]}\n{logs}")
        return done.stdout

    def compose(self, *words: str, check: bool = True) -> str:
        """`docker compose …`, by a program and not in a terminal; its standard output."""
        done = subprocess.run(
            ["docker", "compose", *words],
            cwd=self.directory,
            env=self.engine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise RuntimeError(f"docker compose {words}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def manage(self, *words: str, check: bool = True) -> str:
        return self.compose("exec", "-T", "web", "python", "manage.py", *words, check=check)

    def enroll(self) -> None:
        """Makes whoever pays, and the token of a client."""
        self.token = self.manage("create_token", "sender", "--rights", "post,read").split()[-1]
        made = "from django.contrib.auth.models import User; print(User.objects.create_user('payer').pk)"
        self._user = int(self.manage("shell", "-v", "0", "-c", made).split()[-1])

    def post(self, name: str) -> int:
        body = {"transaction_id": name, "user": self._user, "amount": 1000, "status": "SUCCESS"}
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            with self.client() as client:
                return client.post("/api/add-transaction/", json=body, headers=headers).status_code
        except httpx.TransportError:
            return 0

    def running(self) -> dict[str, dict[str, Any]]:
        """Each service's container, as the engine describes it."""
        names = self.compose("ps", "--all", "--quiet").split()
        described = json.loads(self.engine.run("inspect", *names).stdout) if names else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in described}

    def health(self) -> dict[str, str]:
        """What each service's health check says; that of migrate its exit status."""
        states = {name: one["State"] for name, one in self.running().items()}
        return {
            name: state["Health"]["Status"] if "Health" in state else f"{state['Status']} {state['ExitCode']}"
            for name, state in states.items()
        }

    def wait_until_healthy(self, *names: str) -> None:
        def healthy() -> bool:
            found = self.health()
            return all(found.get(name) == "healthy" for name in names or found if name != "migrate")

        try:
            until(healthy, "all are healthy")
        except NotInTime:
            raise NotInTime(f"{self.health()}\n{self.compose('logs', '--tail=30')}") from None

    def kill(self, name: str) -> None:
        """As the kernel does where memory ends: the engine did not ask for it."""
        os.kill(self.running()[name]["State"]["Pid"], 9)

    def client(self) -> httpx.Client:
        """By TLS, through the proxy."""
        return httpx.Client(base_url=self.secure, verify=self.tls(), trust_env=False, timeout=30)

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "certificates" / "fullchain.pem"))

    def rows(self) -> list[str]:
        """The ids of the transactions that are stored."""
        words = (
            "exec",
            "-T",
            "database",
            "psql",
            "-U",
            "transactions",
            "-d",
            "transactions_database",
            "-Atc",
        )
        return sorted(
            self.compose(*words, "SELECT transaction_id FROM transactions_transaction").splitlines()
        )

    def books(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.manage("verify", "--json"))
        return found
