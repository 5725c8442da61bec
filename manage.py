#!/usr/bin/env python
"""Django's command line for this project."""

import os
import secrets
import sys


def main() -> None:
    _insist_on_utf_8(sys.argv)
    if sys.argv[1:2] == ["test"]:
        # The suite brings its own servers; it hears nothing of a real system and never needs its secret.
        from dev.variables import forget

        forget()
        os.environ["SECRET_KEY"] = secrets.token_hex(32)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transaction_monitoring.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def _insist_on_utf_8(arguments: list[str]) -> None:
    """Here, for all commands: no name that PostgreSQL has is in other bytes, and none could be asked for."""
    for each in arguments:
        try:
            each.encode()
        except UnicodeEncodeError:
            sys.exit(f"manage.py: {os.fsencode(each)!r} is not UTF-8.")


if __name__ == "__main__":
    main()
