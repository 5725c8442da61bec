"""What the tests of `manage.py import_file` have in common."""

import io
from pathlib import Path

from django.core.management import CommandError, call_command

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"
SAMPLES = Path(__file__).parents[1] / "importing/samples"


def import_file(file: Path, *options: str, url: str = NOWHERE) -> tuple[int, str]:
    """The exit status of the command and what it wrote, its error last."""
    out = io.StringIO()
    try:
        call_command("import_file", str(file), "--url", url, "--patience", "5", *options, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def file_of(directory: Path, *lines: str, name: str = "payments.csv", encoding: str = "utf-8") -> Path:
    """A file of these lines."""
    file = directory / name
    file.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return file
