"""`manage.py messages --within 300`: fails where a message waits in vain to be told; for health checks."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from transactions.encodings import one_line
from transactions.notifications import untold

from ._own import OwnCommand
from ._posting import positive


class Command(OwnCommand):
    help = "Ends with an error where a message has waited too long for a worker of the queue “notifications”."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--within", type=positive, default=untold.OLD_S, metavar="SECONDS", help="how long it may wait"
        )

    def handle(self, *args: Any, within: float, **options: Any) -> None:
        try:
            in_vain = untold.waits_in_vain_s(within)
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL does not answer: {one_line(error)}") from None
        if in_vain is not None:
            raise CommandError(
                f"A message has waited more than {within:g} s: does a worker of its queue run?"
            )
        self.stdout.write("No message waits in vain.")
