"""`manage.py simulate`: posts a believable stream of transactions through the API."""

from contextlib import closing
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from transactions.client.api import PostingError
from transactions.client.simulation import USERS_MAX, Scene, simulate
from transactions.client.status_line import StatusLine

from ._posting import add_client_arguments, client, positive, positive_whole


class Command(BaseCommand):
    help = (
        "Posts a believable stream of transactions: many users, a few of whom make most of it, skewed "
        "amounts, a share of pending ones that settle later, some retries. Makes the users that it needs. "
        "Runs until Ctrl-C, or for --seconds; ends with 0, or with 2 when it could not go on."
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
        add_client_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["users"] > USERS_MAX:
            raise CommandError(f"at most {USERS_MAX:,} users can be simulated", returncode=2)
        status = StatusLine(self.stdout)
        scene = Scene(options["rate"], options["seconds"], options["users"], options["seed"])
        try:
            with closing(client(options, status)) as api:
                simulate(scene, api, status)
        except (PostingError, DatabaseError) as error:
            raise CommandError(str(error).strip(), returncode=2) from None
