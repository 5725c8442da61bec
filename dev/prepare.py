"""What `make run` does before it serves: migrations, static files, the first administrator, first rules.

    python -m dev.prepare FD

One process for all four, as loading Django takes longer than any of them. It loads while PostgreSQL starts;
that the pipe FD is closed at its other end says that it answers.
"""

import os
import sys
from pathlib import Path

import django
from django.core.management import CommandError, call_command
from django.db import OperationalError

from dev.directory import keep_secret
from dev.held import wait


def main() -> None:
    try:
        django.setup()
        wait(int(sys.argv[1]))
        call_command("migrate", interactive=False)
        call_command("collectstatic", interactive=False, verbosity=0)
        make_administrator(Path(os.environ["DATA_DIR"]))
        # With FOUR_EYES it says that they wait for an author.
        call_command("rules", "start")
    except OperationalError as error:
        sys.exit(f"PostgreSQL: {str(error).splitlines()[0]}")
    except (CommandError, OSError) as error:  # a directory for static files that cannot be written, say
        sys.exit(str(error))


def make_administrator(data_directory: Path) -> bool:
    """Create the user `admin` where nobody administers yet; says whether it did.

    The password is ADMIN_PASSWORD, else a random one, kept in `admin-password`.
    """
    from django.contrib.auth.models import User

    if User.objects.filter(is_superuser=True).exists():
        return False
    password = os.environ.get("ADMIN_PASSWORD") or keep_secret(data_directory / "admin-password", 15)
    User.objects.create_superuser("admin", password=password)
    return True


if __name__ == "__main__":
    main()
