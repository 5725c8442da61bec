#!/usr/bin/env python
"""Django's command line for this project."""

import os
import secrets
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transaction_monitoring.settings")
    if sys.argv[1:2] == ["test"]:
        # The suite brings its own servers; it never needs the secret of a real system.
        os.environ.setdefault("SECRET_KEY", secrets.token_hex(32))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
