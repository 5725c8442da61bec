"""What the tests of `manage.py replay` have in common."""

import io
from pathlib import Path

from django.core.management import CommandError, call_command

from transactions.client.csv_file import COLUMNS

HEADER = ",".join(COLUMNS)
WHEN = "2026-01-31T12:00:00Z"
# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"


def written(directory: Path, *lines: str) -> Path:
    """A file with the header and `lines`."""
    file = directory / "transactions.csv"
    file.write_text("".join(f"{line}\n" for line in (HEADER, *lines)))
    return file


def replay(file: Path, url: str, *options: str, out: io.StringIO | None = None) -> tuple[int, str]:
    """The exit status of the command and what it wrote, its error last."""
    out = io.StringIO() if out is None else out
    try:
        call_command("replay", str(file), "--url", url, *options, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()
