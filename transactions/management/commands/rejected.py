"""Lists, replays and discards the records that the flush has refused."""

import argparse
import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError
from django.db.models import QuerySet

from transactions.audit.actors import one_run
from transactions.encodings import printable
from transactions.intake import rejected
from transactions.models import RejectedRecord
from transactions.reading.detail import ROW_KEY_MAX

from ._own import OwnCommand

ACTIONS = {"replay": (rejected.replay, "replayed"), "discard": (rejected.discard, "discarded")}


class Command(OwnCommand):
    help = "Records that the flush has refused. Exits with status 1 when something was left undone."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="list|replay|discard")
        listing = what.add_parser("list", help="the open records, newest first")
        listing.add_argument("--all", action="store_true", help="the resolved ones too")
        listing.add_argument("--json", action="store_true", help="one JSON object a line, with the raw bytes")
        replay = what.add_parser("replay", help="accept records anew; what is not taken stays open")
        which = replay.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="every open record")
        which.add_argument(
            "ids", nargs="*", type=_key, default=[], metavar="ID", help="numbers from the list"
        )
        discard = what.add_parser("discard", help="give records up; the rows are kept")
        discard.add_argument("ids", nargs="+", type=_key, metavar="ID", help="numbers from the list")

    @one_run()
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["what"] == "list":
                self._list(every=options["all"], as_json=options["json"])
            else:
                self._act(options["what"], options["ids"], every=options.get("all", False))
        except OperationalError as error:
            raise CommandError(f"PostgreSQL does not answer ({str(error).strip()}).") from error

    def _list(self, *, every: bool, as_json: bool) -> None:
        found = RejectedRecord.objects.order_by("-pk") if every else rejected.open_records()
        if not as_json:
            found = found.defer("raw")
        shown = 0
        for row in found.iterator(chunk_size=1000):
            self.stdout.write(_as_json(row) if as_json else _as_line(row))
            shown += 1
        if not as_json:
            self.stdout.write(f"{shown} {'rejected' if every else 'open'} record{'' if shown == 1 else 's'}")

    def _act(self, what: str, ids: list[int], *, every: bool) -> None:
        act, done = ACTIONS[what]
        report = act(rejected.open_records() if every else _wanted(ids))
        for row in report.named:
            self.stderr.write(f"{row.id} {printable(row.transaction_id) or '-'}: {printable(row.why)}")
        missing = _missing(ids)
        for key in missing:
            self.stderr.write(f"{key}: there is no such record")
        self.stdout.write(f"{done}: {report.done}" + (f", before: {report.before}" if report.before else ""))
        if undone := report.failed + len(missing):
            raise CommandError(f"could not be {done}: {undone}")


def _key(text: str) -> int:
    """A primary key from the command line."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= ROW_KEY_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a record")
    return int(text)


def _wanted(ids: list[int]) -> QuerySet[RejectedRecord]:
    return RejectedRecord.objects.filter(pk__in=ids)


def _missing(ids: list[int]) -> list[int]:
    found = set(_wanted(ids).values_list("pk", flat=True))
    return [key for key in dict.fromkeys(ids) if key not in found]


def _as_line(row: RejectedRecord) -> str:
    resolution = row.resolution or "open"
    refused = f"{row.rejected_at:%Y-%m-%d %H:%M:%S} tried {row.times}×"
    return (
        f"{row.pk} {refused} {resolution:<9} {printable(row.transaction_id) or '-'}: {printable(row.reason)}"
    )


def _as_json(row: RejectedRecord) -> str:
    return json.dumps(
        {
            "id": row.pk,
            "transaction_id": row.transaction_id,
            "reason": row.reason,
            "raw": bytes(row.raw).decode(errors="backslashreplace"),
            "rejected_at": row.rejected_at.isoformat(),
            "times": row.times,
            "resolution": row.resolution or None,
            "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
            "batch": row.batch_id,
        }
    )
