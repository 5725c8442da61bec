"""`manage.py replay FILE.csv`: posts a file of transactions through the API."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from transactions.audit.actors import one_run
from transactions.client.api import PostingError
from transactions.client.replay import Order, ReplayStopped, replay
from transactions.client.status_line import StatusLine
from transactions.encodings import one_line

from ._own import OwnCommand
from ._posting import add_client_arguments, client, positive, positive_whole


class Command(OwnCommand):
    help = (
        "Posts a CSV file (transaction_id,user,amount,status,created_at) through the public API, in "
        "batches. An empty cell is a field that is not given. Safe to run again: what was accepted before "
        "is answered as a replay. Ends with 0 when every row was accepted or a replay, 1 when a row was "
        "refused, 2 when the replay could not go on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--rate", type=positive, metavar="N", help="At most N records a second.")
        parser.add_argument(
            "--batch",
            type=positive_whole,
            default=1000,
            metavar="N",
            help="Records of one POST; by default %(default)s.",
        )
        parser.add_argument(
            "--create-users",
            action="store_true",
            help="Make the users that are missing, with the file's keys. Writes to the database itself.",
        )
        parser.add_argument(
            "--errors", type=Path, metavar="FILE", help="Keep every refused row as a row of this CSV file."
        )
        add_client_arguments(parser)

    @one_run()
    def handle(self, *args: Any, **options: Any) -> None:
        status = StatusLine(self.stdout)
        names = ("file", "rate", "batch", "create_users", "errors")
        try:
            with closing(client(options, status)) as api:
                progress = replay(Order(client=api, **{name: options[name] for name in names}), status)
        except (PostingError, ReplayStopped, DatabaseError) as error:
            raise CommandError(one_line(error), returncode=2) from None
        except KeyboardInterrupt:
            sys.exit(130)
        if progress.refused:
            sys.exit(1)
