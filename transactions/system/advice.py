"""What to do about a part that is ill: in a sentence or two, with commands, and the runbook's section.

The runbook is docs/operations.md, "Which part is ill": a section for each part. `documents` makes pages.
What is done first is said here too.
"""

from typing import NamedTuple

RUNBOOK = "operations"
SECTION = "Which part is ill"


class Advice(NamedTuple):
    """`section` is the heading in RUNBOOK; `commands` say where each is run."""

    section: str
    text: str
    commands: tuple[tuple[str, str], ...] = ()


def _restarting(service: str, text: str, section: str) -> Advice:
    unit = "transactions-web@8000" if service == "web" else f"transactions-{service}"
    commands = (
        ("With Docker", f"docker compose restart {service}"),
        ("With systemd", f"systemctl restart {unit}"),
    )
    return Advice(section, text, commands)


# As written on a machine of three. The password is read from where it is kept, and stands on no command line.
REPLICATION = (
    "(. /etc/transactions/machine.env; "
    'REDISCLI_AUTH="$REDIS_PASSWORD" valkey-cli -h "$LOOPBACK" info replication)'
)

_LOOKED_INTO = (("Anywhere", "manage.py verify"),)

WEB = _restarting(
    "web",
    "Clients are answered by other processes, or send again, which is safe. If /livez is silent on the host "
    "too, start the process again.",
    "Web",
)
FEED = Advice(
    "Live feed",
    "Pages connect again by themselves and show what they missed. Reload a page that does not.",
)
REDIS = Advice(
    "Redis",
    "Look at its own log: a full disk, a memory limit, a long load after a restart. Start it again on the "
    "same data, never on an empty directory: what waits is only there.",
    (
        ("With Docker", "docker compose logs --tail 50 redis"),
        ("On its host", "redis-cli info persistence"),
    ),
)
REDIS_URL = Advice(
    "Redis",
    "Redis itself may be well. Put REDIS_URL right in the environment of every process, or the password of "
    "the server, and start the processes again.",
    (("With Docker", "docker compose config web"), ("With systemd", "less /etc/transactions/environment")),
)
REPLICAS = Advice(
    "Redis",
    "What is accepted is on two disks still. Start the server that is missing, on its own data: it follows "
    "the primary and catches up by itself.",
    (("On the host of the primary", REPLICATION),),
)
UNCONFIRMED = Advice(
    "Redis",
    "A replica is missing, or does not confirm in time. Leave the primary as it is. Where one is left, "
    "transactions are accepted again within half a minute. If not: start the servers that are missing, each "
    "on its own data; one whose disk is full or that comes and goes is better stopped.",
    (("On the host of the primary", REPLICATION),),
)
SENTINELS = Advice(
    "Redis",
    "Transactions are accepted. Start the sentinel that is missing, on its own file: with a majority of them "
    "gone nobody replaces a Redis that is lost.",
    (("On its host", "systemctl status transactions-sentinel"),),
)
POSTGRES = Advice(
    "PostgreSQL",
    "What is accepted waits in Redis meanwhile. Bring PostgreSQL back; the next flush stores all of it.",
    (("With Docker", "docker compose logs --tail 50 database"),),
)
WORKER = _restarting(
    "worker", "Start the worker again. What waits is stored by its first flush; nothing is lost.", "Worker"
)
BEAT = _restarting(
    "beat", "Start Celery Beat again. Until then the worker flushes by itself, less often.", "Beat"
)
STORING = Advice(
    "Storing",
    "Look at worker, Beat and PostgreSQL first. If these are well, flushes do not keep up, or fail: the "
    "worker's log says why.",
    (
        ("With Docker", "docker compose logs --tail 50 worker"),
        ("With systemd", "journalctl -u transactions-worker -n 50 -o cat"),
    ),
)
BOOKS = Advice(
    "Books", "Keep both stores as they are and copy them before you touch anything. Then:", _LOOKED_INTO
)
ALARM_OF_BOOKS = Advice(
    "Books",
    "Find the old data if there is any, and have clients send that time again, which is safe. Then:",
    (("Anywhere", "manage.py verify --acknowledge"),),
)
RULES = Advice(
    "Rules",
    "Storing goes on, and what is owed is judged later. After a backlog that takes a while; a rule that goes "
    "on failing is ended on its page.",
)
UPLOADS = _restarting(
    "backtests",
    "Start the worker of backtests again: it goes on behind the last batch, and posts nothing twice. Where "
    "it is at a long backtest, a second worker takes uploads meanwhile.",
    "Imports",
)
NOTIFICATIONS = _restarting(
    "notifications",
    "Start the worker of notifications again. It tells what waits; nothing is lost.",
    "Notifications",
)
WEBHOOKS = Advice(
    "Notifications", "Have the receiver mended, then switch the webhook on again on its page under Webhooks."
)
