#!/usr/bin/env python
"""Django's command line for this project."""

import os
import secrets
import sys


def main() -> None:
    if sys.argv[1:2] == ["test"]:
        # The suite brings its own servers; it hears nothing of a real system and never needs its secret.
        from dev.variables import forget

        forget()
        os.environ["SECRET_KEY"] = secrets.token_hex(32)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transaction_monitoring.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
