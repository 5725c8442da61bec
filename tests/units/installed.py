"""The application on a guest, installed by the handbook's steps; what clients and others are told."""

import http.client
import json
import secrets
import shutil
from typing import Any

from dev.waiting import wait_until
from tests.compose.site import copy_project, documented, filled_in
from tests.compose.stand_ins import AUTHORITIES, pip_configuration
from tests.support.serving import ROOT
from tests.units.guest import Guest

PORT = 8000
# In the order in which they stop.
UNITS = ("web@8000", "beat", "worker", "backtests", "notifications")
ENVIRONMENT = "/etc/transactions/environment"
# What the handbook asks of Redis, and a database with its user.
STORES = """
printf 'appendonly yes\\nappendfsync always\\nmaxmemory-policy noeviction\\n' >>/etc/redis/redis.conf
systemctl restart redis-server
cd /
runuser -u postgres -- psql -qc "CREATE USER transactions PASSWORD 'of-postgres'"
runuser -u postgres -- createdb -O transactions transactions_database
"""
KEY = secrets.token_urlsafe(48)
BEHIND_A_PROXY = {"TRUSTED_PROXIES": "1", "SECURE_PROXY_SSL_HEADER": "X-Forwarded-Proto,https"}
ADMINISTRATOR = """
export DJANGO_SUPERUSER_USERNAME=root DJANGO_SUPERUSER_PASSWORD=of-the-first-one
export DJANGO_SUPERUSER_EMAIL=root@example.org
"""
ANSWER_S, UP_S = 20.0, 180.0


class Installed:
    """`address` is where web listens on the guest."""

    def __init__(self, guest: Guest, address: str = "127.0.0.1") -> None:
        self.guest, self.address = guest, address
        self.token, self.user = "", 0

    def bring(self) -> str:
        """The steps that bring the application there, as they stand; those that are left."""
        tree = self.guest.tree
        copy_project(tree / "srv" / "project")
        (tree / "etc" / "pip.conf").write_text(pip_configuration())
        shutil.copy(AUTHORITIES, tree / "etc" / "ssl" / "certs" / "ca-certificates.crt")
        (steps,) = documented("systemd")
        brought, begin, rest = steps.partition("install -D -m 600")
        copied, _, rest = rest.partition("\n")
        self.guest.run(f"cd /srv/project\n{brought}", outside=True)
        self.guest.run(f"cd /opt/transactions\n{begin}{copied}")
        return rest

    def install(self) -> None:
        """All of them, but for what is typed: the file's values and the password."""
        rest = self.bring()
        self.guest.run(STORES)
        self.fill_in(
            DATABASE_URL="postgres://transactions:of-postgres@127.0.0.1/transactions_database",
            REDIS_URL="redis://127.0.0.1:6379/0",
        )
        self.type(f"cd /opt/transactions\n{rest}chmod -R a+rX /opt/transactions")

    def type(self, steps: str) -> str:
        """Commands of the handbook; who is asked for the first administrator has said who it is."""
        asked, told = "manage.py createsuperuser\n", "manage.py createsuperuser --noinput\n"
        return self.guest.run(f"{ADMINISTRATOR}\n{steps.replace(asked, told)}")

    def fill_in(self, **values: str) -> None:
        """The environment file; one key for all guests."""
        values = {"SECRET_KEY": KEY, "ALLOWED_HOSTS": "example.org", **BEHIND_A_PROXY, **values}
        text = filled_in((ROOT / ".env.example").read_text(), values)
        self.guest.run(f"cat >{ENVIRONMENT} <<'END'\n{text}END\n")

    def manage(self, *words: str) -> str:
        line = " ".join(f"'{word}'" for word in words)
        return self.guest.run(
            f"set -a; . {ENVIRONMENT}; set +a; cd /opt/transactions; .venv/bin/python manage.py {line}"
        )

    def enroll(self) -> None:
        """Makes whoever pays, and the token of a client."""
        self.token = self.manage("create_token", "sender", "--rights", "post,read").split()[-1]
        made = 'from django.contrib.auth.models import User; print(User.objects.create_user("payer").pk)'
        self.user = int(self.manage("shell", "-v", "0", "-c", made).split()[-1])

    def ask(self, method: str, path: str, body: Any = None) -> int:
        """The status of the answer, as a proxy on that host would be told it; 0: none."""
        headers = {"Host": "example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
        headers |= {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self.address, PORT, timeout=ANSWER_S)
        try:
            with self.guest.network():
                connection.connect()
            connection.request(method, path, json.dumps(body) if body else None, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def post(self, name: str) -> int:
        body = {"transaction_id": name, "user": self.user, "amount": 1000, "status": "SUCCESS"}
        return self.ask("POST", "/api/add-transaction/", body)

    def rows(self) -> list[str]:
        asked = "SELECT transaction_id FROM transactions_transaction"
        return sorted(
            self.guest.run(
                f"cd /; runuser -u postgres -- psql -d transactions_database -Atc '{asked}'"
            ).splitlines()
        )

    def books(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.manage("verify", "--json"))
        return found

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit, as systemd tells it."""
        return self.guest.shown(f"transactions-{unit}", name)

    def wait_until_up(self) -> None:
        """All units run, web takes money in, and a flush has been."""

        def up() -> bool:
            states = {self.shown(unit, "ActiveState") for unit in UNITS}
            return states == {"active"} and self.ask("GET", "/readyz") == 200

        wait_until(up, UP_S, "all units are up")
