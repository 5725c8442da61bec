"""`manage.py import_file FILE`: imports a file of another system through the API."""

import sys
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from transactions.audit.actors import one_run
from transactions.client.api import PostingError
from transactions.client.refusals import SameFileError
from transactions.client.status_line import StatusLine
from transactions.encodings import one_line, printable
from transactions.importing import mapping as mappings
from transactions.importing import options as stated
from transactions.importing.agreement import NotAgreed
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.posting import BATCH, ImportStopped
from transactions.importing.run import ImportOrder, run
from transactions.importing.table import FileError
from transactions.importing.wording import named_by

from ._own import OwnCommand
from ._posting import add_client_arguments, client, positive, positive_whole

# What ends a run before its end, each with one line that says why and what would be right.
STOPS = (
    DatabaseError,
    PostingError,
    SameFileError,
    NotAgreed,
    ColumnError,
    ImportStopped,
    FileError,
    mappings.MappingError,
)


def _ask(question: str) -> str:
    """The answer at the terminal; of one that is closed, none."""
    try:
        return input(question)
    except EOFError:
        return ""


class Command(OwnCommand):
    help = (
        "Imports a file of transactions of any system through the public API: CSV in its variants, NDJSON, "
        "and with the extras xlsx, parquet and banks' statements. What the columns mean is stated by options "
        "or a mapping, or guessed, shown and asked for. Safe to run again: what was accepted before is "
        "answered as a replay. Ends with 0 when every row was accepted or a replay, 1 when one was refused, "
        "2 when it could not go on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        meaning = parser.add_argument_group("what the file means")
        stated.add_to(meaning, parser.add_argument_group("how it is read"))
        parser.add_argument("--yes", action="store_true", help="Take what is guessed without being asked.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Read all, post nothing, and say what would happen."
        )
        parser.add_argument(
            "--create-users",
            action="store_true",
            help="Make the users that are missing, as customers: by the file's keys, or by its names. Writes "
            "to the database itself.",
        )
        parser.add_argument(
            "--errors",
            type=Path,
            metavar="FILE",
            help="Keep every refused row as a row of this CSV file, which can be corrected and imported.",
        )
        parser.add_argument("--rate", type=positive, metavar="N", help="At most N records a second.")
        parser.add_argument(
            "--batch",
            type=positive_whole,
            default=BATCH,
            metavar="N",
            help="Records of one POST; by default %(default)s.",
        )
        add_client_arguments(parser)

    @one_run()
    @named_by(stated.option)
    def handle(self, *args: Any, **options: Any) -> None:
        status = StatusLine(self.stdout)
        names = {field.name for field in fields(ImportOrder)} - {"given"}
        ask = _ask if status.on_terminal and sys.stdin.isatty() else None
        try:
            order = ImportOrder(given=stated.given(options), **{name: options[name] for name in names})
            with closing(client(options, status)) as api:
                all_taken = run(order, api.post_and_tell_all, status, ask)
        except STOPS as error:
            raise CommandError(printable(one_line(error)), returncode=2) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise CommandError(f"{where}{error.strerror or error}", returncode=2) from None
        except KeyboardInterrupt:
            sys.exit(130)
        if not all_taken:
            sys.exit(1)
