"""Removes old transactions from the command line."""

import argparse
from typing import Any

import psycopg2
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from transactions.audit.actors import because, checked_reason
from transactions.encodings import one_line
from transactions.storing import retention

from ._own import OwnCommand


class Command(OwnCommand):
    help = (
        "Removes transactions that happened, were accepted and were settled more than DAYS ago, in "
        "chunks; averages and books stay. An id that is gone can be posted again as a new one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=_days, required=True, metavar="DAYS", help="of 24 hours")
        parser.add_argument("--pending", action="store_true", help="those that have never settled too")
        parser.add_argument("--reason", default="", help="why, for the audit trail")
        parser.add_argument("--dry-run", action="store_true", help="only tell how many there are")

    def handle(self, *args: Any, **options: Any) -> None:
        days, pending = options["older_than"], options["pending"]
        try:
            reason = checked_reason(options["reason"])
        except ValueError as error:
            raise CommandError(str(error)) from None
        try:
            if options["dry_run"]:
                self.stdout.write(f"would be pruned: {retention.count_old(days, pending=pending)}")
            else:
                with because(reason):
                    self.stdout.write(f"pruned: {retention.prune(days, pending=pending)}")
        except retention.PruningUnderWay as error:
            raise CommandError("Another pruning is under way: run this again when it has ended.") from error
        except retention.TooShort as error:
            raise CommandError(str(error)) from error
        except (DatabaseError, psycopg2.Error) as error:
            raise CommandError(f"PostgreSQL does not answer ({one_line(error)}).") from error


def _days(text: str) -> int:
    least, most = settings.RETENTION_DAYS_MIN, settings.RETENTION_DAYS_MAX
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)
