"""Checks the books, alerts or the audit trail from the command line, and acknowledges alarms."""

import json
from typing import Any

import psycopg2
import redis
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from rest_framework.utils.encoders import JSONEncoder

from transactions.audit import chain
from transactions.books import alarms, alerts, balance
from transactions.encodings import one_line
from transactions.models import Epoch

from ._output import read_while_wanted
from ._own import OwnCommand


class Command(OwnCommand):
    help = (
        "Prints the books: accepted = stored + settled + duplicates + rejected + buffered + in_flight. "
        "Exits with status 1 when this does not hold, or cannot be told. Over all books the table has "
        "stored - removed - pruned rows: --deep counts them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="one JSON object, as GET /api/pipeline/ gives it"
        )
        parser.add_argument(
            "--acknowledge",
            action="store_true",
            help="acknowledge the open alarms: data that vanished or went back in time",
        )
        parser.add_argument(
            "--deep", action="store_true", help="count the table's rows too, and hold them against the books"
        )
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument(
            "--audit", action="store_true", help="check the audit trail instead, and print its head"
        )
        instead.add_argument(
            "--alerts",
            action="store_true",
            help="compare alerts with their hits instead, and what was told with alerts",
        )
        parser.add_argument(
            "--head", metavar="NUMBER:HASH", help="with --audit: a head printed earlier must still be in it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["head"] is not None and not options["audit"]:
            raise CommandError("--head goes with --audit.")
        if options["audit"]:
            return self._audit(options["head"])
        if options["alerts"]:
            return self._alerts()
        try:
            found = balance.read()
        except redis.RedisError as error:
            raise CommandError(
                f"Redis does not answer ({type(error).__name__}): nothing can be told."
            ) from error
        counted = self._count_rows() if options["deep"] and found.postgres_answers else None
        shown = {**found.as_dict(), "rules": balance.rules_as_dict()}
        if counted is not None:
            shown |= {"rows": counted.by_books, "counted": counted.counted}
        with read_while_wanted(self.stdout):
            if options["json"]:
                self.stdout.write(json.dumps(shown, cls=JSONEncoder))
            else:
                width = max(map(len, shown))
                for name, value in shown.items():
                    self.stdout.write(f"{name:<{width}} {_text(value)}")
        if not found.postgres_answers:
            raise CommandError(
                f"PostgreSQL does not answer, or is not migrated ({found.postgres_error}): whether the books "
                "balance cannot be told."
            )
        self._alarms(acknowledge=options["acknowledge"])
        if found.balanced is None:
            raise CommandError("The stores moved on between every two readings: run this again.")
        if not found.balanced:
            raise CommandError("The books do not balance.")
        if counted is not None and not counted.holds:
            raise CommandError(
                f"The table has {counted.counted} rows, by the books it has {counted.by_books}."
            )

    def _count_rows(self) -> balance.RowCount | None:
        try:
            return balance.count_rows()
        except DatabaseError as error:
            raise CommandError(f"The rows cannot be counted ({one_line(error)}).") from error

    def _audit(self, kept: str | None) -> None:
        try:
            head = chain.check(None if kept is None else chain.parse_head(kept))
        except ValueError as error:
            raise CommandError("--head is a number, a colon and 64 hexadecimal digits.") from error
        except chain.ChainBroken as error:
            raise CommandError(f"The audit trail is not what was written. {error}") from error
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL does not answer ({one_line(error)}).") from error
        self.stdout.write(f"audit trail: {head.number} entries, nothing is missing or changed")
        self.stdout.write(f"head: {head}")

    def _alerts(self) -> None:
        try:
            found = alerts.check()
        except psycopg2.Error as error:
            raise CommandError(f"PostgreSQL does not answer ({one_line(error)}).") from error
        verdict = "they do not agree" if found.wrong else "they agree"
        self.stdout.write(f"alerts {found.alerts}, hits {found.hits}, events {found.events}: {verdict}")
        for sentence in found.wrong:
            self.stderr.write(sentence)
        if found.wrong:
            raise CommandError("Alerts, their hits and what is told of them do not agree.")

    def _alarms(self, *, acknowledge: bool) -> None:
        """Shows the open alarms, on stderr so that JSON stays JSON."""
        shown = list(alarms.open_alarms())
        for epoch in shown:
            self.stderr.write(f"alarm of {epoch.opened_at:%Y-%m-%d %H:%M:%S %Z}: {epoch.alarm}")
        if acknowledge:
            seen = Epoch.objects.filter(pk__in=[epoch.pk for epoch in shown])
            self.stderr.write(f"alarms acknowledged: {alarms.acknowledge(seen)}")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
