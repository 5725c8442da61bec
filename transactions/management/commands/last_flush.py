"""`manage.py last_flush`: when a flush last ended; for health checks."""

import math
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from transactions.encodings import one_line
from transactions.storing import history

from ._own import OwnCommand
from ._posting import positive


class Command(OwnCommand):
    help = "Says when a flush last ended. Ends with 1 when that is longer ago than --within, or never was."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--within", type=positive, metavar="S", help="Seconds ago that are still well.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            age_s = history.age_s()
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL does not answer: {one_line(error)}") from None
        if age_s == math.inf:
            raise CommandError("No flush has ended yet.")
        told = f"The last flush ended {age_s:.1f} s ago." if age_s else "A flush is under way."
        if options["within"] is not None and age_s > options["within"]:
            raise CommandError(told)
        self.stdout.write(told)
