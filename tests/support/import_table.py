"""What became of files that tests have imported, as a table: each row is noted by a test, for its end.

Amounts are in the smallest unit, so that forms with decimals and without stand beside each other. The total
in the file is what was replayed and refused and what is in the system; a row that settles an earlier one of
the file is in the file twice and in the system once.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.core.management import load_command_class
from django.db.models import Q, Sum

from transactions.importing import errors_file, options
from transactions.importing.guess import guess
from transactions.importing.plan import Plan, Summary, plan
from transactions.importing.users import FileUsers
from transactions.models import Transaction

# What a test records its row under.
NOTED = "imported"
HEAD = (
    "file",
    "rows",
    "accepted",
    "replayed",
    "passed over",
    "refused, by reason",
    "total in the file",
    "of it replayed",
    "of it refused",
    "total in the system",
)
WORDED = {"file", "refused, by reason"}


def plan_of(file: Path, *stated: str) -> Plan:
    """What would be posted of a file that leaves nothing open, by the options of `manage.py import_file`."""
    parser = load_command_class("transactions", "import_file").create_parser("manage.py", "import_file")
    given = options.given(vars(parser.parse_args([str(file), *stated])))
    table = errors_file.opened(file, file.name, given.reading)
    found = guess(table, given)
    assert found.open == ()
    return plan(table, found.mapping, users=FileUsers(create=True, look_only=True))


def in_system() -> int:
    """The sum of all that is stored; refunds have a minus, as in their files."""
    refund = Q(transaction_id__startswith="refund-")
    paid, back = Sum("amount", filter=~refund, default=0), Sum("amount", filter=refund, default=0)
    sums = Transaction.objects.aggregate(paid=paid, back=back)
    return int(sums["paid"] - sums["back"])


def row_of(name: str, summary: Summary, told: str) -> tuple[str, ...]:
    """The row of a file whose import has told this, while its transactions and no others are stored."""
    ended = re.search(r"([0-9,]+) accepted, ([0-9,]+) replayed, ", told)
    assert ended, told
    reasons = "; ".join(f"{rows:,}: {reason}" for reason, rows in summary.reasons())
    sums = (summary.in_file.sum, summary.replayed.sum, summary.refused.sum, in_system())
    counts = (f"{summary.rows:,}", ended[1], ended[2], f"{summary.passed_over:,}")
    return (name, *counts, reasons or "none", *(f"{sum:,}" for sum in sums))


def written(rows: Iterable[Sequence[str]]) -> str:
    """The table as Markdown."""
    rule = "".join(" --- |" if name in WORDED else " --: |" for name in HEAD)
    head, *lines = ["| " + " | ".join(row) + " |" for row in (HEAD, *rows)]
    return "\n".join([head, f"|{rule}", *lines])
