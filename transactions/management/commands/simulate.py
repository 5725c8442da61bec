"""`manage.py simulate`: posts a believable stream of transactions through the API."""

from contextlib import closing, suppress
from datetime import datetime
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone
from redis import RedisError

from transactions.audit.actors import one_run
from transactions.books import balance
from transactions.client.api import PostingError
from transactions.client.simulation import USERS_MAX, Scene, simulate
from transactions.client.status_line import StatusLine
from transactions.encodings import printable
from transactions.rules import activity, figures
from transactions.rules.kinds.wording import counted

from ._own import OwnCommand
from ._posting import add_client_arguments, client, positive, positive_whole

# Seconds beyond a flush interval for which the last records are waited for.
GRACE_S = 3.0


class Command(OwnCommand):
    help = (
        "Posts a believable stream of transactions: many users, a few of whom make most of it, skewed "
        "amounts, a share of pending ones that settle later, some retries; and what the rules that come "
        "along look for. Makes the users that it needs. Runs until Ctrl-C, or for --seconds; ends with 0, or "
        "with 2 when it could not go on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rate",
            type=positive,
            default=20.0,
            metavar="N",
            help="Records a second, settlements and retries among them; by default %(default)s.",
        )
        parser.add_argument(
            "--seconds", type=positive, metavar="N", help="How long; by default until Ctrl-C."
        )
        parser.add_argument(
            "--users",
            type=positive_whole,
            default=200,
            metavar="N",
            help=f"How many users, at most {USERS_MAX:,}; by default %(default)s.",
        )
        parser.add_argument(
            "--seed", type=int, metavar="N", help="Tell the same story every time, under new ids."
        )
        parser.add_argument(
            "--plain", action="store_true", help="Only what is usual, and nothing that rules look for."
        )
        add_client_arguments(parser)

    @one_run()
    def handle(self, *args: Any, **options: Any) -> None:
        if options["users"] > USERS_MAX:
            raise CommandError(f"at most {USERS_MAX:,} users can be simulated", returncode=2)
        status = StatusLine(self.stdout)
        scene = Scene(
            options["rate"], options["seconds"], options["users"], options["seed"], options["plain"]
        )
        began = timezone.now()
        try:
            with closing(client(options, status)) as api:
                simulate(scene, api, status)
            if not scene.plain:
                _tell_findings(began, status)
        except (PostingError, DatabaseError) as error:
            raise CommandError(str(error).strip(), returncode=2) from None


def _tell_findings(began: datetime, status: StatusLine) -> None:
    """What rules in force found since; the last records are waited for, unless by another Ctrl-C."""
    if not figures.read().versions:
        return
    until = monotonic() + settings.FLUSH_INTERVAL_SECONDS + GRACE_S
    with suppress(KeyboardInterrupt, RedisError):
        while monotonic() < until and not _all_is_judged():
            sleep(0.2)
    found = activity.found_since(began)
    for rule in found:
        status.say(
            f"  {printable(rule.name)}: {counted(rule.hits, 'hit')}, {counted(rule.alerts, 'alert')} opened"
        )
    hits, alerts = sum(rule.hits for rule in found), sum(rule.alerts for rule in found)
    status.say(f"rules: {counted(hits, 'hit')}, {counted(alerts, 'alert')} opened")


def _all_is_judged() -> bool:
    books = balance.read()
    return not books.buffered and not books.in_flight and not figures.read().debt_records
